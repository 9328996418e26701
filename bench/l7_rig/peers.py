# SPDX-License-Identifier: Apache-2.0
"""One adapter per load balancer. Every one listens on 8080 (HTTP) and 8443 (HTTPS) and sends all to backend A."""
import base64
import json
import os
import re
import shutil
import subprocess

from rig import HERE

HTTP, HTTPS = 8080, 8443


class Peer:
    name = binary = ""
    version_args = ["--version"]

    def __init__(self, rig):
        self.rig, self.work, self.process = rig, os.path.join(rig.work, self.name), None
        os.makedirs(self.work, exist_ok=True)

    def executable(self):
        """Found on PATH, or named by PEER_<NAME>; None if it is not here."""
        return os.environ.get("PEER_" + self.name.upper()) or shutil.which(self.binary, path=os.environ["PATH"] + ":/usr/sbin")

    def version(self):
        done = subprocess.run([self.executable(), *self.version_args], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+\.\d+\S*", done.stdout + done.stderr)
        return found.group(0) if found else "?"

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def template(self, name):
        rig = self.rig
        values = {"WORK": self.work, "CERT": rig.cert, "KEY": rig.key, "BACKEND_IP": rig.backend_ip, "PORT_A": rig.port["A"],
                  "PORT_B": rig.port["B"], "BACKEND_A": rig.at("A"), "BACKEND_B": rig.at("B"), "BACKEND": rig.at("A")}
        with open(os.path.join(HERE, "conf", name), encoding="utf-8") as file:
            text = file.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        return self.write(name, text)

    def start(self):
        self.process = self.rig.spawn("proxy", 0, self.command(), log=os.path.join(self.work, "log"))
        for url in (f"http://{self.rig.proxy_ip}:{HTTP}/1k", f"https://{self.rig.proxy_ip}:{HTTPS}/1k"):
            self.rig.wait_for(url)

    def stop(self):
        if self.process:
            self.rig.kill(self.process)
        self.process = None

    def command(self):
        raise NotImplementedError


class Nginx(Peer):
    name = binary = "nginx"
    version_args = ["-v"]

    def command(self):
        self.write("routes.conf", "")
        return [self.executable(), "-c", self.template("nginx.conf"), "-g", "daemon off;"]


class Haproxy(Peer):
    name = binary = "haproxy"
    version_args = ["-v"]

    def command(self):
        with open(self.rig.cert, encoding="utf-8") as cert, open(self.rig.key, encoding="utf-8") as key:
            self.write("both.pem", cert.read() + key.read())
        self.write("routes.map", "")
        return [self.executable(), "-W", "-f", self.template("haproxy.cfg")]


class Envoy(Peer):
    name = binary = "envoy"

    def command(self):
        hosts = [{"name": "rest", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "a", "timeout": "0s"}}]}]
        self.write("rds.json", json.dumps({"resources": [{"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                                                          "name": "routes", "virtual_hosts": hosts}]}))
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


class Penstock(Peer):
    """The worker in user space; `ring` chooses its event loop."""
    binary = "penstockd"

    def __init__(self, rig, ring):
        self.ring, self.name = ring, f"penstock-{ring}"
        super().__init__(rig)

    def executable(self):
        path = os.path.join(HERE, "..", "..", "build", "release", "bin", self.binary)
        return os.environ.get("PEER_PENSTOCK") or (os.path.abspath(path) if os.path.exists(path) else None)

    def command(self):
        def encoded(path):
            with open(path, "rb") as file:
                return base64.b64encode(file.read()).decode()
        folder = os.path.join(self.work, "manifests")
        os.makedirs(folder, exist_ok=True)
        self.write("manifests/all.yaml", MANIFEST.format(proxy_ip=self.rig.proxy_ip, backend_ip=self.rig.backend_ip, port=self.rig.port["A"],
                                                         crt=encoded(self.rig.cert), key=encoded(self.rig.key)))
        return [self.executable(), "--config", folder, "--state-dir", os.path.join(self.work, "run"), "--datapath", "userspace",
                "--ring", self.ring, "--workers", "1"]


def all_peers(rig):
    return [Penstock(rig, "io_uring"), Penstock(rig, "epoll"), Nginx(rig), Haproxy(rig), Envoy(rig)]
