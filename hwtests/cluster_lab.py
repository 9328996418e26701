# SPDX-License-Identifier: Apache-2.0
"""Several nodes of a cluster on one link, with an API server in memory and a client.

    node-a --+
    node-b --+-- bridge of the namespace "switch" (10.91.0.1/24, fd91::1/64: the API server) --+-- client

Each node runs penstockd by itself, as on a machine of its own. Traffic stays inside; names and processes are this lab's. With `api_apart` the
API server is at 10.92.0.1 instead, on a link of its own that each node has besides: a bridge br1, and mgmt0 in the node.
"""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import lab
from edge import ROOT, UnixConnection, binaries

API_PORT = 6443
TESTS = pathlib.Path(os.environ.get("PST_TESTS", ROOT / "build" / "dev" / "bin"))
CONTROLLER = "penstock.dev/gateway-controller"
GROUP = "gateway.networking.k8s.io/v1"
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: lab, namespace: penstock}}]
clusters: [{name: lab, cluster: {server: "http://%s:%s"}}]
users: [{name: lab, user: {}}]
"""


def gateway(name, addresses):
    return {"apiVersion": GROUP, "kind": "Gateway", "metadata": {"name": name, "namespace": "default"},
            "spec": {"gatewayClassName": "penstock", "addresses": [{"type": "IPAddress", "value": one} for one in addresses],
                     "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}


def route(name, parent):
    """Every request is answered by the node itself."""
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "there.example.com", "statusCode": 302}}
    return {"apiVersion": GROUP, "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "default"},
            "spec": {"parentRefs": [{"name": parent}], "rules": [{"filters": [redirect]}]}}


POOL = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pool", "namespace": "penstock"},
        "data": {"addresses": "10.91.0.100-10.91.0.199, fd91::100-fd91::199"}}
CLASS = {"apiVersion": GROUP, "kind": "GatewayClass", "metadata": {"name": "penstock"},
         "spec": {"controllerName": CONTROLLER, "parametersRef": {"group": "", "kind": "ConfigMap", "name": "pool", "namespace": "penstock"}}}


class ClusterLab(lab.Lab):
    def __init__(self, nodes=("a", "b"), options=("--datapath", "userspace", "--workers", "1"), api_apart=False):
        self.nodes = list(nodes)
        self.api_apart = api_apart
        self.api = ("10.92.0.1" if api_apart else "10.91.0.1", str(API_PORT))
        self.options = list(options)
        self.daemons = {}
        self.bin = binaries()
        super().__init__()
        try:
            os.chmod(self.folder, 0o755)  # the worker's user passes through
            self.kubeconfig = self.write("kubeconfig", KUBECONFIG % self.api)
            self.server = self.start("switch", str(TESTS / "pst-fake-api"), *self.api, log="api.log")
            lab.wait_for("the API server", lambda: "ready" in self.read("api.log"))
            self.apply(POOL, CLASS)
            for node in self.nodes:
                self.start_node(node)
        except BaseException:
            self.close()
            raise

    # ---- topology ---------------------------------------------------------------------------------------------------
    def _build(self, vips, extra):
        members = ["client", *self.nodes]
        for name in ("switch", *members):
            lab.run("ip", "netns", "add", self.name(name))
            self.ip(name, "link", "set", "lo", "up")
        # With a MAC of its own: else it has the lowest of its ports, and changes as they come and go.
        self.ip("switch", "link", "add", "br0", "address", "02:00:00:5b:00:01", "type", "bridge")
        self._address("switch", "br0", 1)
        for number, name in enumerate(members, 10):
            port = "to-" + name
            lab.run("ip", "link", "add", port, "netns", self.name("switch"), "type", "veth", "peer", "name", "eth0", "netns", self.name(name))
            self.ip("switch", "link", "set", port, "master", "br0", "up")
            self._address(name, "eth0", number)
        if self.api_apart:
            self._build_apart()

    def _build_apart(self):
        self.ip("switch", "link", "add", "br1", "address", "02:00:00:5c:00:01", "type", "bridge")
        self.ip("switch", "addr", "add", "10.92.0.1/24", "dev", "br1")
        self.ip("switch", "link", "set", "br1", "up")
        for number, name in enumerate(self.nodes, 11):
            port = "mgmt-" + name
            lab.run("ip", "link", "add", port, "netns", self.name("switch"), "type", "veth", "peer", "name", "mgmt0", "netns", self.name(name))
            self.ip("switch", "link", "set", port, "master", "br1", "up")
            self.ip(name, "addr", "add", f"10.92.0.{number}/24", "dev", "mgmt0")
            self.ip(name, "link", "set", "mgmt0", "up")

    def _address(self, name, device, number):
        self.ip(name, "addr", "add", f"10.91.0.{number}/24", "dev", device)
        self.ip(name, "addr", "add", f"fd91::{number:x}/64", "dev", device, "nodad")
        self.ip(name, "link", "set", device, "up")

    def close(self):
        for child in reversed(list(self.children)):
            with contextlib.suppress(Exception):
                child.send_signal(signal.SIGCONT)
                self.stop(child, wait=15)
        for name in ("switch", "client", *self.nodes):
            subprocess.run(["ip", "netns", "del", self.name(name)], capture_output=True, check=False)
        self.children = []
        self._remove_folder()

    def _remove_folder(self):
        subprocess.run(["rm", "-rf", self.folder], check=False)

    # ---- the cluster ------------------------------------------------------------------------------------------------
    def apply(self, *objects):
        for one in objects:
            group = one["apiVersion"]
            plural = {"GatewayClass": "gatewayclasses"}.get(one["kind"], one["kind"].lower() + "s")
            namespace = one["metadata"].get("namespace")
            path = ("/apis/" if "/" in group else "/api/") + f"{group}/" + (f"namespaces/{namespace}/" if namespace else "") + f"{plural}/{one['metadata']['name']}"
            self.ask_api("PATCH", path, one)

    def ask_api(self, method, path, body=None):
        code = ("import http.client, sys\n"
                "c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)\n"
                "c.request(sys.argv[3], sys.argv[4], sys.argv[5] or None, {'Content-Type': 'application/apply-patch+yaml'})\n"
                "a = c.getresponse(); print(a.read().decode()); sys.exit(a.status >= 300)\n")
        return json.loads(self.exec("switch", sys.executable, "-c", code, *self.api, method, path, json.dumps(body) if body else ""))

    # ---- nodes ------------------------------------------------------------------------------------------------------
    def start_node(self, node):
        state = os.path.join(self.folder, f"run-{node}")
        self.daemons[node] = self.start(node, str(self.bin / "penstockd"), "--kubeconfig", self.kubeconfig, "--node-name", node, "--state-dir", state,
                                        "--pin-dir", f"/sys/fs/bpf/{self.tag}-{node}", *self.options, log=f"{node}.log")
        lab.wait_for(f"node {node}", lambda: self.status(node), 30)

    def status(self, node):
        connection = UnixConnection(os.path.join(self.folder, f"run-{node}", "control.sock"))
        connection.request("GET", "/v1/status")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def gwctl(self, node, *argv):
        return subprocess.run([*self.prefix(node), str(self.bin / "gwctl"), "--state-dir", os.path.join(self.folder, f"run-{node}"), *argv],
                              capture_output=True, text=True, check=False)

    def kill_node(self, node):
        """All its processes at one moment, as if the power went; its kernel and its addresses stay."""
        pids = [process["pid"] for process in self.status(node)["processes"]]
        for pid in sorted(pids):  # the keeper first
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemons[node].wait(10)

    def unplug(self, node):
        self.ip("switch", "link", "set", "to-" + node, "down")

    def plug(self, node):
        self.ip("switch", "link", "set", "to-" + node, "up")

    def on_interface(self, node):
        """The addresses of Gateways that the node's kernel has."""
        rows = json.loads(lab.run("ip", "-n", self.name(node), "-j", "addr", "show", "dev", "eth0"))
        return {one["local"] for row in rows for one in row["addr_info"] if one["prefixlen"] in (32, 128)}

    def read(self, log):
        path = os.path.join(self.folder, log)
        return pathlib.Path(path).read_text(errors="replace") if os.path.exists(path) else ""

    # ---- the client -------------------------------------------------------------------------------------------------
    def watch(self, address, seconds):
        """Starts asking `address` each 20 ms, with a new connection each time; outage() of it tells the longest time without an answer."""
        return subprocess.Popen([*self.prefix("client"), sys.executable, __file__, address, str(seconds)], stdout=subprocess.PIPE, text=True)

    def answers(self, address):
        return subprocess.run([*self.prefix("client"), sys.executable, __file__, address, "0"], stdout=subprocess.PIPE, check=False).returncode == 0


def outage(process):
    """Of watch(): (seconds of the longest time without an answer, number of answers)."""
    told = json.loads(process.communicate(timeout=120)[0])
    return told["longest"], told["answers"]


# ---- run in the client's namespace: asks, and prints what came of it --------------------------------------------------
def ask(address, patience):
    connection = http.client.HTTPConnection(address, 80, timeout=patience)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 302
    except (OSError, http.client.HTTPException, socket.timeout):
        return False
    finally:
        connection.close()


def main():
    address, seconds = sys.argv[1], float(sys.argv[2])
    if seconds == 0:
        return 0 if ask(address, 2) else 1
    end, last, longest, answers = time.monotonic() + seconds, time.monotonic(), 0.0, 0
    while time.monotonic() < end:
        if ask(address, 0.25):
            now = time.monotonic()
            longest, last, answers = max(longest, now - last), now, answers + 1
        time.sleep(0.02)
    longest = max(longest, time.monotonic() - last)
    print(json.dumps({"longest": longest, "answers": answers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
