# SPDX-License-Identifier: Apache-2.0
"""A lab of network namespaces for the demo, the end-to-end tests and the benchmarks.

    client --(10.90.1/24, fd90:1::/64)-- edge --(10.90.2/24, fd90:2::/64)-- host       backend on another host
                                           |---(10.90.3/24, fd90:3::/64)-- pod         backend on this host, behind a veth
                                           `---bridge pst-br (10.90.4/24, fd90:4::/64)-- bridged    backend behind a bridge

Names carry the process id and a number, so labs never meet. Everything is removed by close(), also after a failure. Traffic stays inside:
no namespace of a lab has a way out of it.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

V4 = {"client": ("10.90.1.2", "10.90.1.1"), "host": ("10.90.2.2", "10.90.2.1"), "pod": ("10.90.3.2", "10.90.3.1"),
      "bridged": ("10.90.4.2", "10.90.4.1")}
V6 = {"client": ("fd90:1::2", "fd90:1::1"), "host": ("fd90:2::2", "fd90:2::1"), "pod": ("fd90:3::2", "fd90:3::1"),
      "bridged": ("fd90:4::2", "fd90:4::1")}
PEERS = ("client", "host", "pod", "bridged")


class LabError(Exception):
    pass


def missing_capability():
    """Why no lab can be made here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("ip"):
        return "needs iproute2"
    probe = f"pst-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    if made.returncode != 0:
        return "cannot make network namespaces"
    subprocess.run(["ip", "netns", "del", probe], check=False)
    return None


def run(*argv, check=True, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Lab:
    made = 0  # by this process

    def __init__(self, vips=(), extra=None):
        """`vips`: addresses that the client routes to the edge. `extra`: {node: addresses that it has besides, routed by the edge}."""
        Lab.made += 1
        self.tag = f"pst{os.getpid()}n{Lab.made}"
        self.folder = tempfile.mkdtemp(prefix="penstock-lab-")
        self.children = []
        self.bpffs = None
        try:
            self._build(vips, extra or {})
        except BaseException:
            self.close()
            raise

    # ---- topology ---------------------------------------------------------------------------------------------------
    def name(self, node):
        return f"{self.tag}-{node}"

    def _build(self, vips, extra):
        for node in ("edge",) + PEERS:
            run("ip", "netns", "add", self.name(node))
            self.ip(node, "link", "set", "lo", "up")
        for node in PEERS:
            self._connect(node)
        for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv6.conf.all.forwarding", 1),
                           ("net.ipv4.conf.all.rp_filter", 0), ("net.ipv4.conf.default.rp_filter", 0),
                           ("net.ipv4.ip_local_port_range", "49152 60999")):
            self.sysctl("edge", key, value)
        for vip in vips:
            family = "-6" if ":" in vip else "-4"
            gateway = (V6 if ":" in vip else V4)["client"][1]
            self.ip("client", family, "route", "add", vip, "via", gateway)

        for node, addresses in extra.items():
            for address in addresses:
                self.add_address(node, address)

    def add_address(self, node, address):
        six = ":" in address
        self.ip(node, "addr", "add", f"{address}/{128 if six else 32}", "dev", "eth0", *(["nodad"] if six else []))
        port = "pst-br" if node == "bridged" else "to-" + node
        self.ip("edge", "-6" if six else "-4", "route", "add", address, "dev", port)

    def _connect(self, node):
        inner, outer = "eth0", "to-" + node
        run("ip", "link", "add", outer, "netns", self.name("edge"), "type", "veth", "peer", "name", inner, "netns", self.name(node))
        port = outer
        if node == "bridged":
            port = "pst-br"
            self.ip("edge", "link", "add", port, "type", "bridge")
            self.ip("edge", "link", "set", outer, "master", port)
            self.ip("edge", "link", "set", port, "up")
        for table, length in ((V4, "24"), (V6, "64")):
            own, gateway = table[node]
            nodad = ["nodad"] if ":" in own else []
            self.ip(node, "addr", "add", f"{own}/{length}", "dev", inner, *nodad)
            self.ip("edge", "addr", "add", f"{gateway}/{length}", "dev", port, *nodad)
        self.ip(node, "link", "set", inner, "up")
        self.ip("edge", "link", "set", outer, "up")
        self.ip(node, "route", "add", "default", "via", V4[node][1])
        self.ip(node, "-6", "route", "add", "default", "via", V6[node][1])
        # XDP sees packets as they are on a wire: checksums whole, no segments larger than the MTU.
        if shutil.which("ethtool"):
            self.exec(node, "ethtool", "-K", inner, "tx", "off", "tso", "off", "gso", "off", check=False)

    def ip(self, node, *argv):
        return run("ip", "-n", self.name(node), *argv)

    def sysctl(self, node, key, value):
        self.exec(node, "sysctl", "-qw", f"{key}={value}")

    # ---- processes --------------------------------------------------------------------------------------------------
    def prefix(self, node):
        # nsenter instead of `ip netns exec`: the latter hides /sys/fs/bpf.
        return ["nsenter", f"--net=/run/netns/{self.name(node)}"]

    def exec(self, node, *argv, check=True, **options):
        return run(*self.prefix(node), *argv, check=check, **options)

    def start(self, node, *argv, log=None, env=None):
        """A process in `node`, ended with the lab. Its output goes to the file `log` in the lab's folder."""
        path = os.path.join(self.folder, log or f"{node}-{len(self.children)}.log")
        with open(path, "ab") as out:
            child = subprocess.Popen([*self.prefix(node), *argv], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                     start_new_session=True, env={**os.environ, **(env or {})})
        child.log = path
        self.children.append(child)
        return child

    def stop(self, child, sig=signal.SIGTERM, wait=10):
        if child.poll() is None:
            child.send_signal(sig)
            try:
                child.wait(wait)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child in self.children:
            self.children.remove(child)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = path + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(temporary, path)
        return path

    def close(self):
        for child in reversed(list(self.children)):
            with contextlib.suppress(Exception):
                self.stop(child)
        for node in ("edge",) + PEERS:
            subprocess.run(["ip", "netns", "del", self.name(node)], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_for(what, probe, seconds=10.0, step=0.02):
    """Calls `probe` until it gives something true, and returns that; LabError naming `what` when the time is up."""
    end = time.monotonic() + seconds
    error = None
    while time.monotonic() < end:
        try:
            found = probe()
            if found:
                return found
        except (OSError, LabError, subprocess.SubprocessError, ValueError, KeyError) as caught:
            error = caught
        time.sleep(step)
    raise LabError(f"waited {seconds:g} s for {what}" + (f" (last: {error})" if error else ""))
