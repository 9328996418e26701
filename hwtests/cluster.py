# SPDX-License-Identifier: Apache-2.0
"""A cluster to try Penstock in: the conformance rig (conformance/README.md), which must have been built, with daemons on its node."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

from edge import UnixConnection
from lab import LabError, run, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
RIG = ROOT / "hwtests" / "conformance" / "run.sh"
STATE = pathlib.Path(os.environ.get("RIG_STATE", ROOT / "build" / "conformance"))
BIN = pathlib.Path(os.environ.get("PST_BIN", ROOT / "build" / "release" / "bin"))
SUITES = ROOT / "hwtests" / "conformance" / "suite"
API, RELAY_PORT, REFUSER_PORT = ("10.249.0.1", 6443), 6444, 6445
MANIFESTS = (ROOT / "hwtests" / "cluster.yaml").read_text()
PATIENCE = 60  # seconds, for what should take one


def version():
    """Of the Gateway API: $RIG_VERSION, or the newest that the rig has been built for, or None. v1.5 has no v1 TCPRoute."""
    if chosen := os.environ.get("RIG_VERSION"):
        return chosen
    built = [one.name for one in SUITES.iterdir() if (STATE / "bin" / f"echo-basic-{one.name}").exists()]
    return max((one for one in built if not one.startswith("v1.5.")), key=lambda one: [int(part) for part in one[1:].split(".")], default=None)


def missing():
    """Why there can be no cluster here, or None. Building the rig takes minutes and a module proxy: that is left to ./dev conformance."""
    for program in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "rig", f"echo-basic-{version() or 'v*'}"):
        if not (STATE / "bin" / program).exists():
            return f"the rig has no {program}: ./dev conformance faults builds it"
    return None if (BIN / "penstockd").exists() else f"{BIN} has no penstockd"


def eventually(holds, what, patience=PATIENCE):
    """The first true value of holds(), which is asked until then."""
    return wait_for(what, holds, patience, 0.1)


class Daemon:
    def __init__(self, cluster, name, namespace="gwrig-node", kubeconfig=None, options=(), environment=None):
        self.cluster, self.name, self.namespace = cluster, name, namespace
        self.folder = STATE / f"penstock-{name}"
        self.pins = pathlib.Path("/sys/fs/bpf") / f"penstock-cluster-{name}"
        self.kubeconfig = kubeconfig or cluster.relayed
        self.options = options
        self.environment = environment or {}
        self.process = None
        self.log = STATE / "log" / f"penstock-{name}"
        run("rm", "-rf", str(self.folder), str(self.log))  # of another run
        self.start()

    def start(self):
        log = open(self.log, "a", encoding="utf-8")
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.namespace}", str(BIN / "penstockd"), "--kubeconfig", str(self.kubeconfig), "--node-name", self.name,
             "--workers", "1", "--state-dir", str(self.folder), "--pin-dir", str(self.pins), *self.options],
            stdout=log, stderr=log, env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **self.environment})

    def status(self):
        done = subprocess.run(["curl", "-s", "--max-time", "5", "--unix-socket", str(self.folder / "control.sock"), "http://penstock/v1/status"],
                              capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}

    def serves(self):
        return self.status().get("generation", {}).get("taken", 0) > 0

    def process_of(self, name):
        """The process id of a part, or None."""
        return next((one["pid"] for one in self.status().get("processes", []) if one["name"] == name), None)

    def writes(self):
        return self.status().get("cluster", {}).get("is_writer", False)

    def end(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)

    def close(self):
        self.end()
        run("rm", "-rf", str(self.pins), check=False)


class Cluster:
    def __init__(self):
        self.daemons = []
        self.children = []
        try:
            self.rig("up", version())
            self.kubectl("apply", "--server-side", "-f", str(ROOT / "configs" / "deploy" / "base" / "penstocknodes.yaml"))
        except BaseException:
            self.rig("down")
            raise
        # The daemons' way to the API server, which order() makes a bad one.
        self.orders = STATE / "orders"
        self.order("")
        self.children.append(subprocess.Popen(["nsenter", "--net=/run/netns/gwrig-cp", sys.executable, str(ROOT / "hwtests" / "api_relay.py"),
                                               API[0], str(RELAY_PORT), str(API[1]), str(self.orders)]))
        self.relayed = STATE / "kubeconfig-relayed"
        self.relayed.write_text((STATE / "kubeconfig").read_text().replace(f"{API[0]}:{API[1]}", f"{API[0]}:{RELAY_PORT}"))

    def order(self, text):
        """What the relay does from now on: api_relay.py."""
        self.orders.write_text(text)

    def close(self):
        for daemon in self.daemons:
            daemon.close()
        for child in self.children:
            child.kill()
            child.wait()
        self.rig("down")

    def rig(self, *argv, **options):
        # Into a file: what the rig starts keeps its output, and a pipe would be waited for.
        with open(STATE / "rig.log", "a", encoding="utf-8") as log:
            done = subprocess.run([str(RIG), *argv], stdout=log, stderr=log, check=False, env={**os.environ, "RIG_STATE": str(STATE)}, **options)
        if done.returncode != 0:
            raise LabError(f"run.sh {' '.join(argv)}: see {STATE / 'rig.log'}")

    def daemon(self, name, **options):
        self.daemons.append(Daemon(self, name, **options))
        return self.daemons[-1]

    # ---- the API ----------------------------------------------------------------------------------------------------
    def inside(self, namespace, *argv, check=True, **options):
        return run("nsenter", f"--net=/run/netns/{namespace}", *argv, check=check, **options)

    def kubectl(self, *argv, check=True, **options):
        env = {**os.environ, "KUBECONFIG": str(STATE / "kubeconfig"), "NO_PROXY": "*", "no_proxy": "*"}
        return self.inside("gwrig-client", str(STATE / "bin" / "kubectl"), *argv, check=check, env=env, **options)

    def apply(self, text):
        self.kubectl("apply", "--server-side", "-f", "-", input=text)

    def get(self, kind, name, namespace="lab"):
        return json.loads(self.kubectl("-n", namespace, "get", kind, name, "-o", "json"))

    def condition(self, kind, name, wanted, parent=False):
        """The condition's status, for the object's newest generation."""
        found = self.get(kind, name)
        status = found.get("status", {})
        for one in status.get("parents", [{}])[0].get("conditions", []) if parent else status.get("conditions", []):
            if one["type"] == wanted and one.get("observedGeneration") == found["metadata"]["generation"]:
                return one["status"]
        return None

    def addresses(self, gateway):
        return [one["value"] for one in self.get("gateway", gateway).get("status", {}).get("addresses", [])]

    def api(self):
        """The API without a program for each request."""
        path = STATE / "api.sock"
        path.unlink(missing_ok=True)
        self.children.append(subprocess.Popen(["nsenter", "--net=/run/netns/gwrig-client", str(STATE / "bin" / "kubectl"), "proxy", "--accept-hosts=.*", f"--unix-socket={path}"],
                                              stdout=subprocess.DEVNULL, env={**os.environ, "KUBECONFIG": str(STATE / "kubeconfig"), "NO_PROXY": "*", "no_proxy": "*"}))
        eventually(path.exists, "kubectl proxy listens")
        return Api(str(path))

    # ---- what a client sees -----------------------------------------------------------------------------------------
    def ask(self, address, host, port=80, *options):
        """Status code of one request over a new connection; 0: none came."""
        shown = f"[{address}]" if ":" in address else address
        scheme = "https" if "-k" in options else "http"
        return int(self.inside("gwrig-client", "curl", "-s", "-o", "/dev/null", "-m", "3", "-w", "%{http_code}", "--resolve", f"{host}:{port}:{shown}",
                               *options, f"{scheme}://{host}:{port}/", check=False) or 0)

    def steady(self, address, host):
        """A client that asks ten times a second until its stop() is called, which tells every answer."""
        return Steady(self, address, host)

    # ---- faults -----------------------------------------------------------------------------------------------------
    def api_server(self):
        pid = int(run("pgrep", "-f", f"^{STATE}/bin/kube-apiserver").split()[0])
        return pid, pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]

    def refuser(self):
        """Another way to the API server, which refuses what refuse() says: a kubeconfig."""
        whole = STATE / "kubeconfig-whole"
        whole.write_text(self.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        self.refuse("")
        self.children.append(subprocess.Popen(["nsenter", "--net=/run/netns/gwrig-cp", sys.executable, str(ROOT / "hwtests" / "api_refuser.py"), API[0], str(REFUSER_PORT),
                                               str(whole), str(STATE / "refusals")]))
        kubeconfig = STATE / "kubeconfig-refused"
        kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": f"http://{API[0]}:{REFUSER_PORT}"}}],
            "users": [{"name": "u", "user": {}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return kubeconfig

    def refuse(self, order):
        """api_refuser.py: a status and a share, or nothing."""
        (STATE / "refusals").write_text(order)

    def start_api_server(self, command):
        with open(STATE / "log" / "kube-apiserver", "a", encoding="utf-8") as log:
            self.children.append(subprocess.Popen(["nsenter", "--net=/run/netns/gwrig-cp", *command], stdout=log, stderr=log))
        eventually(lambda: self.kubectl("get", "--raw", "/readyz", check=False) == "ok", "the API server is ready")

    def hand_writing_to(self, node):
        """The writer of statuses becomes the daemon of `node`, which must live."""
        lease = ("-n", "default", "patch", "lease", "penstock-status", "--type=merge", "-p")
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self.kubectl(*lease, json.dumps({"spec": {"holderIdentity": f"{node}_{boot}"}}))

    def second_node(self, name, address, mac=None):
        """A namespace beside the node, with a way to the API and none to the clients. `mac`: of the bridge's port, else any."""
        space = f"gwrig-{name}"
        run("ip", "netns", "add", space)  # `down` removes what begins so
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", "gwrig-cp", "link", "add", name, *(["address", mac] if mac else []), "type", "veth", "peer", "name", "mgmt0", "netns", space)
        run("ip", "-n", "gwrig-cp", "link", "set", name, "master", "mgmt", "up")
        run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "mgmt0")
        run("ip", "-n", space, "link", "set", "mgmt0", "up")
        return space


class Steady:
    def __init__(self, cluster, address, host):
        script = f"while :; do curl -s -o /dev/null -m 3 -w '%{{http_code}}\\n' -H 'Host: {host}' http://{address}/; sleep 0.1; done"
        self.process = subprocess.Popen(["nsenter", "--net=/run/netns/gwrig-client", "bash", "-c", script], stdout=subprocess.PIPE, text=True)
        cluster.children.append(self.process)

    def stop(self):
        self.process.terminate()
        return self.process.communicate()[0].split()


class Api(UnixConnection):
    """Over the socket of kubectl proxy."""
    def ask(self, method, path, body=None, content_type="application/json"):
        """Status code and answer."""
        self.request(method, path, None if body is None else json.dumps(body), {"Content-Type": content_type})
        answer = self.getresponse()
        return answer.status, json.loads(answer.read())


@contextlib.contextmanager
def lab(keys):
    """The cluster with cluster.yaml in it, served by one daemon. `keys`: a folder for a certificate."""
    made = Cluster()
    try:
        made.daemon("rig", options=["--interface", "data0"])
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=secure.lab.example",
            "-addext", "subjectAltName=DNS:secure.lab.example", "-keyout", str(keys / "key"), "-out", str(keys / "crt"))
        made.apply(MANIFESTS)
        made.secret = made.kubectl("-n", "lab", "create", "secret", "tls", "secure", f"--cert={keys / 'crt'}", f"--key={keys / 'key'}", "--dry-run=client", "-o", "yaml")
        made.apply(made.secret)
        made.kubectl("-n", "lab", "rollout", "status", "deployment/echo", "--timeout=60s")
        pod = made.kubectl("-n", "lab", "get", "pods", "-l", "app=echo", "-o", "jsonpath={.items[0].status.podIP}").split(".")
        made.apply(f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: echo-six-1, namespace: lab, labels: {{kubernetes.io/service-name: echo-six}}}}
addressType: IPv6
ports: [{{name: http, port: 3000, protocol: TCP}}]
endpoints: [{{addresses: ["fd00:244::{256 * int(pod[2]) + int(pod[3]):x}"], conditions: {{ready: true}}}}]
""")
        for gateway in ("six", "both"):
            eventually(lambda: made.condition("gateway", gateway, "Programmed") == "True", f"Gateway {gateway} is programmed")
        yield made
    finally:
        made.close()
