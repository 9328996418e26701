# SPDX-License-Identifier: Apache-2.0
"""Penstock as a user runs it, inside a lab: the daemon in the edge namespace, backends that say who they are, clients."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import lab

ROOT = pathlib.Path(__file__).resolve().parent.parent
VIP4, VIP6 = "198.51.100.10", "2001:db8:100::10"
# Where the backends of configs/quickstart.yaml live.
HOMES = {"host": ["192.0.2.11", "2001:db8:2::11"], "pod": ["192.0.2.12", "2001:db8:2::12"],
         "bridged": ["192.0.2.13", "2001:db8:2::13"]}

METRICS = ["--metrics-address", "127.0.0.1:9650"]


def binaries(name="release"):
    return pathlib.Path(os.environ.get("PST_BIN", ROOT / "build" / name / "bin"))


def outcome(process, seconds=120):
    """What load_client.py counted."""
    return json.loads(process.communicate(timeout=seconds)[0])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("penstock", timeout=70)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Edge(lab.Lab):
    """A lab with Penstock in it. `manifests`: {file name: text} of its folder; None: the daemon runs without a folder."""

    def __init__(self, manifests=None, bin_dir=None, options=(), vips=(VIP4, VIP6), backends=True):
        self.bin = pathlib.Path(bin_dir or binaries())
        super().__init__(vips=vips, extra=HOMES)
        try:
            self.manifests = os.path.join(self.folder, "manifests")
            os.makedirs(self.manifests)
            os.chmod(self.folder, 0o755)  # the worker's user passes through
            self.state = os.path.join(self.folder, "run")
            self._trap_bpffs()
            if backends:
                self.start_backends()
            for name, text in (manifests or {}).items():
                self.put(name, text)
            # A veth is not taken for an uplink by itself: here two of them play the machine's network cards.
            uplinks = ["--interface", "to-client", "--interface", "to-host"]
            self.options = [*uplinks, *options, *(["--config", self.manifests] if manifests is not None else [])]
            self.start_daemon()
        except BaseException:
            self.close()
            raise

    def _trap_bpffs(self):
        # Several daemons on one machine need pin folders of their own.
        if subprocess.run(["mountpoint", "-q", "/sys/fs/bpf"], check=False).returncode != 0:
            subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=False)
        self.pins = f"/sys/fs/bpf/{self.tag}"

    # ---- backends ---------------------------------------------------------------------------------------------------
    def start_backends(self):
        self.vault_cert, self.vault_key = self.certificate("vault", "vault.example.com")
        self.backend_processes = {}
        for node in HOMES:
            self.start_backend(node)
        for node in HOMES:
            lab.wait_for(f"the backend {node}", lambda n=node: "ready" in self.read(f"backend-{n}.log"))

    def start_backend(self, node):
        self.backend_processes[node] = self.start(
            node, sys.executable, str(ROOT / "hwtests" / "backends.py"), node, "--http", "8080", "--tls", "8443", "--cert", self.vault_cert,
            "--key", self.vault_key, "--tcp", "5432", "--udp", "5353", log=f"backend-{node}.log")

    def certificate(self, name, dns, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), also=None):
        """Makes a self-signed certificate and its key; gives the two files' paths."""
        cert, key = (os.path.join(self.folder, f"{name}.{end}") for end in ("crt", "key"))
        names = ",".join(f"DNS:{one}" for one in (dns, also) if one)
        lab.run("openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-subj", f"/CN={dns}", "-addext", f"subjectAltName={names}",
                "-keyout", key, "-out", cert)
        return cert, key

    # ---- the daemon -------------------------------------------------------------------------------------------------
    def start_daemon(self, wait=True):
        self.daemon = self.start("edge", str(self.bin / "penstockd"), "--state-dir", self.state, "--pin-dir", self.pins,
                                 *self.options, log="penstock.log")
        if wait:
            lab.wait_for("the control socket", lambda: self.get("/v1/version"), 20)
            self.wait_taken()

    def get(self, path):
        return self.call("GET", path)[1]

    def call(self, method, path, body=None):
        connection = UnixConnection(os.path.join(self.state, "control.sock"))
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text)

    def status(self):
        return self.get("/v1/status")

    def metrics(self):
        """Value by series, of an edge that was started with the options METRICS."""
        page = self.exec("edge", "curl", "-sSf", f"http://{METRICS[1]}/metrics")
        return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))

    def wait_taken(self, seconds=20):
        """Waits until what the sources ask for now is served."""
        def done():
            numbers = self.get("/v1/generation")
            return numbers["wanted"] > 0 and numbers["taken"] >= numbers["wanted"]
        lab.wait_for("the configuration to be served", done, seconds)

    def put(self, name, text):
        return self.write(os.path.join("manifests", name), text)

    def gwctl(self, *argv, check=True, text_in=None):
        done = subprocess.run([*self.prefix("edge"), str(self.bin / "gwctl"), "--state-dir", self.state, *argv],
                              capture_output=True, text=True, check=False, input=text_in)
        if check and done.returncode != 0:
            raise lab.LabError(f"gwctl {' '.join(argv)}: exit {done.returncode}: {done.stderr}")
        return done

    def processes(self, name, state=None):
        return [p for p in self.status()["processes"] if p["name"] == name and (state is None or p["state"] == state)]

    def kill(self, pid, sig=signal.SIGKILL):
        os.kill(pid, sig)

    def read(self, log):
        path = os.path.join(self.folder, log)
        return pathlib.Path(path).read_text(errors="replace") if os.path.exists(path) else ""

    def close(self):
        if getattr(self, "pins", None) and os.path.isdir(self.pins):
            self.keep_pins = False
        super().close()
        pins = getattr(self, "pins", None)
        if pins and os.path.isdir(pins):
            # Unpinning is what takes programs off the interfaces, which are gone with the namespaces anyway.
            for folder, _, files in os.walk(pins, topdown=False):
                for file in files:
                    os.unlink(os.path.join(folder, file))
                os.rmdir(folder)

    # ---- clients ----------------------------------------------------------------------------------------------------
    def curl(self, url, *options, host=None, vip=VIP4, check=True):
        """curl from the client namespace; `host` is resolved to `vip`."""
        address = f"[{vip}]" if ":" in vip else vip
        resolve = ["--resolve", f"{host}:{url.split(host + ':')[1].split('/')[0]}:{address}"] if host else []
        done = subprocess.run([*self.prefix("client"), "curl", "-sS", "--max-time", "10", "--noproxy", "*", *resolve, *options, url],
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise lab.LabError(f"curl {url}: {done.stderr.strip()}")
        return done.stdout

    def python(self, code, *argv, check=True, timeout=60):
        """Runs a piece of Python in the client namespace and gives what it prints."""
        done = subprocess.run([*self.prefix("client"), sys.executable, "-c", code, *argv], capture_output=True, text=True,
                              check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise lab.LabError(f"client: {done.stderr.strip()}")
        return done.stdout

    def load(self, count, connections=8, vip=VIP4, target="/", host="shop.example.com"):
        """Starts load_client.py in the client namespace; outcome() of it tells what came of the requests."""
        return subprocess.Popen([*self.prefix("client"), sys.executable, str(ROOT / "hwtests" / "load_client.py"), vip, "80", host, target,
                                 str(count), str(connections)], stdout=subprocess.PIPE, text=True)

    def tcp(self, vip, port=5432, data="hello"):
        return self.python("""
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
    s.settimeout(5)
    f = s.makefile("rwb")
    who = f.readline().decode().strip()
    f.write(sys.argv[3].encode() + b"\\n"); f.flush()
    print(who, f.readline().decode().strip())
""", vip, str(port), data).strip()

    def udp(self, vip, port=5353, data="hello"):
        return self.python("""
import socket, sys
six = ":" in sys.argv[1]
with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(5)
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(sys.argv[3].encode())
    print(s.recv(2000).decode())
""", vip, str(port), data).strip()
