# SPDX-License-Identifier: Apache-2.0
"""Three namespaces on two CPUs: the proxy alone on CPU 0, load generator and backends on CPU 1.

    client 10.201.1.2 (CPU 1) -- veth -- proxy 10.201.1.1 | 10.201.2.1 (CPU 0) -- veth -- backends 10.201.2.2 (CPU 1)

Each namespace receives on its own CPU (RPS on the veth), as with a NIC whose interrupts are pinned. Nothing leaves the namespaces.
"""
import contextlib
import os
import resource
import signal
import subprocess

import accounting

HERE = os.path.dirname(os.path.abspath(__file__))
OPENSSL_CONF = "openssl_conf=i\n[i]\nssl_conf=s\n[s]\nsystem_default=d\n[d]\nMinProtocol=TLSv1.3\nCiphersuites=TLS_AES_128_GCM_SHA256\nGroups=X25519\n"
DESCRIPTORS = 32768


class Rig:
    proxy_ip, backend_ip = "10.201.1.1", "10.201.2.2"
    backend_port = {"A": 8001, "B": 8002}

    def __init__(self, work):
        self.work, self.children, self.prefix = work, [], f"pb{os.getpid()}-"
        os.setpriority(os.PRIO_PROCESS, 0, -20)  # and with it all that is started here: the machine may have other work
        os.sched_setaffinity(0, {1})
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        self.cert, self.key = os.path.join(work, "cert.pem"), os.path.join(work, "key.pem")
        self.openssl_conf = os.path.join(work, "openssl.cnf")
        with open(self.openssl_conf, "w", encoding="utf-8") as file:
            file.write(OPENSSL_CONF)
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                        "/CN=a.test", "-addext", "subjectAltName=DNS:a.test,DNS:b.test", "-keyout", self.key, "-out", self.cert], **quiet)
        for program, libraries in (("backend", []), ("load", ["-lssl", "-lcrypto"])):
            subprocess.run(["cc", "-O2", "-o", self.program(program), os.path.join(HERE, program + ".c"), *libraries], check=True)
        try:
            self._up()
            ports = [word for name, port in self.backend_port.items() for word in (str(port), name)]
            ready = self.spawn("backend", 1, [self.program("backend"), *ports], stdout=subprocess.PIPE)
            ready.stdout.readline()
        except BaseException:
            self.close()
            raise

    def program(self, name):
        return os.path.join(self.work, name)

    def backend(self, name):
        return f"{self.backend_ip}:{self.backend_port[name]}"

    def _up(self):
        for node in ("client", "proxy", "backend"):
            subprocess.run(["ip", "netns", "add", self.prefix + node], check=True)
            self.run(node, ["sh", "-ec", "ip link set lo up; cd /proc/sys/net; echo 10240 60999 > ipv4/ip_local_port_range; "
                            "echo 1 > ipv4/tcp_tw_reuse; echo 16384 > core/somaxconn; echo 16384 > ipv4/tcp_max_syn_backlog; echo 1 > ipv4/ip_forward"])
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

    def client(self, command):
        """What a program in the client's namespace says."""
        process = self.spawn("client", 1, command, env={"OPENSSL_CONF": self.openssl_conf}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate()[0]
        self.children.remove(process)
        if process.returncode:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {out}")
        return out

    @contextlib.contextmanager
    def talk(self, command):
        """A program in the client's namespace that is asked by lines and answers by lines."""
        process = self.spawn("client", 1, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield process
        finally:
            self.kill(process)

    def kill(self, process):
        pids = accounting.family(process.pid) if process.poll() is None else []
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
