# SPDX-License-Identifier: Apache-2.0
"""Three namespaces on two CPUs: the proxy alone on CPU 0, load generator and backend on CPU 1.

    client 10.201.1.2 (CPU 1) -- veth -- proxy 10.201.1.1 | 10.201.2.1 (CPU 0) -- veth -- backend 10.201.2.2 (CPU 1)

Each namespace receives on its own CPU (RPS on the veth), as with a NIC whose interrupts are pinned. Nothing leaves the namespaces.
"""
import contextlib
import os
import re
import signal
import subprocess
import time

import accounting

HERE = os.path.dirname(os.path.abspath(__file__))
OPENSSL_CONF = "openssl_conf=i\n[i]\nssl_conf=s\n[s]\nsystem_default=d\n[d]\nMinProtocol=TLSv1.3\nCiphersuites=TLS_AES_128_GCM_SHA256\nGroups=X25519\n"


class Rig:
    proxy_ip, backend_ip = "10.201.1.1", "10.201.2.2"
    backend_port = 8001
    backend = f"{backend_ip}:{backend_port}"

    def __init__(self, work):
        self.work, self.children, self.prefix = work, [], f"pb{os.getpid()}-"
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # and with it all that is started here: the machine may have other work
        self.cert, self.key = os.path.join(work, "cert.pem"), os.path.join(work, "key.pem")
        self.openssl_conf = os.path.join(work, "openssl.cnf")
        with open(self.openssl_conf, "w", encoding="utf-8") as file:
            file.write(OPENSSL_CONF)
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=a.test", "-addext", "subjectAltName=DNS:a.test", "-keyout", self.key, "-out", self.cert], **quiet)
        subprocess.run(["cc", "-O2", "-o", os.path.join(work, "backend"), os.path.join(HERE, "backend.c")], check=True)
        try:
            self._up()
            ready = self.spawn("backend", 1, [os.path.join(work, "backend"), str(self.backend_port), "A"], stdout=subprocess.PIPE)
            ready.stdout.readline()
        except BaseException:
            self.close()
            raise

    def _up(self):
        for node in ("client", "proxy", "backend"):
            subprocess.run(["ip", "netns", "add", self.prefix + node], check=True)
            self.run(node, ["sh", "-ec", "ip link set lo up; cd /proc/sys/net; echo 1024 30000 > ipv4/ip_local_port_range; "
                            "echo 1 > ipv4/tcp_tw_reuse; echo 16384 > core/somaxconn; echo 1 > ipv4/ip_forward"])
        for node, subnet, mask in (("client", "10.201.1", 2), ("backend", "10.201.2", 2)):
            near, far = "to-proxy", "to-" + node
            subprocess.run(["ip", "link", "add", near, "netns", self.prefix + node, "type", "veth", "peer", "name", far, "netns",
                            self.prefix + "proxy"], check=True)
            for where, device, ip, cpus in ((node, near, subnet + ".2", mask), ("proxy", far, subnet + ".1", 1)):
                self.run(where, ["sh", "-ec", f"ip addr add {ip}/24 dev {device}; ip link set {device} up; "
                                 f"for q in /sys/class/net/{device}/queues/rx-*/rps_cpus; do echo {cpus} > $q; done"], sysfs=True)
            self.run(node, ["ip", "route", "add", "default", "via", subnet + ".1"])

    def enter(self, node, sysfs=False):  # nsenter keeps /sys as it is, `ip netns exec` mounts the namespace's own
        return ["ip", "netns", "exec", self.prefix + node] if sysfs else ["nsenter", "--net=/run/netns/" + self.prefix + node]

    def run(self, node, command, sysfs=False):
        subprocess.run(self.enter(node, sysfs) + command, check=True)

    def spawn(self, node, cpu, command, env=None, log=None, **pipes):
        out = open(log, "w", encoding="utf-8") if log else None
        if out:
            pipes = {"stdout": out, "stderr": out, **pipes}
        child = subprocess.Popen(self.enter(node) + ["taskset", "-c", str(cpu)] + command, env={**os.environ, **(env or {})}, text=True, **pipes)
        self.children.append(child)
        return child

    def kill(self, process):
        pids = accounting.family(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        self.children.remove(process)

    def close(self):
        for process in list(self.children):
            self.kill(process)
        for node in ("client", "proxy", "backend"):
            subprocess.run(["ip", "netns", "del", self.prefix + node], stderr=subprocess.DEVNULL, check=False)

    def curl_ok(self, url):
        done = subprocess.run(self.enter("client") + ["curl", "-sk", "--max-time", "2", "-o", "/dev/null", "-w", "%{http_code}", url],
                              capture_output=True, text=True, check=False)
        return done.stdout == "200"

    def wait_for(self, url, process, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            if self.curl_ok(url):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{url} did not get ready" if process.poll() is None else f"it ended with {process.returncode}")

    def wrk(self, url, connections, seconds):
        """{"done": requests, "errors": n, "p50_us", "p99_us"}"""
        process = self.spawn("client", 1, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                             env={"OPENSSL_CONF": self.openssl_conf}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate()[0]
        self.children.remove(process)
        if process.returncode:
            raise RuntimeError(out)
        scale = {"us": 1, "ms": 1e3, "s": 1e6}
        latency = {share: float(value) * scale[unit] for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        errors = (int(bad.group(1)) if bad else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
        return {"done": int(re.search(r"(\d+) requests in", out).group(1)), "p50_us": latency["50"], "p99_us": latency["99"], "errors": errors}
