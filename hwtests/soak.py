# SPDX-License-Identifier: Apache-2.0
"""A long mixed load over an edge that never stops changing. Counts what came of every request, and samples what the processes hold.

Every second the route, the certificate and the endpoints change; every minute (or a third of a short run) a backend is killed and comes back
five seconds later. The rate is bounded, so that the machine's other users live.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import lab
from edge import HOMES, METRICS, ROOT, VIP4, Edge
from manifests import secret, service

HOST = "shop.example.com"
MANIFEST = """apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock, annotations: {penstock.dev/backend-idle-timeout: 2s}}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  addresses: [{value: VIP}]
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop}]}}
"""
ROUTE = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example.com]
  rules:
  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Version, value: "NUMBER"}]}}]
    retry: {attempts: 3, codes: [502, 503, 504], backoff: 10ms}
    backendRefs: [{name: shop, port: 80}]
"""
LOADS = {  # h2load's options and URL
    "HTTP/1.1": (["--h1", "-c", "8"], f"http://{HOST}:80/"),
    "HTTP/1.1 over TLS": (["--h1", "-c", "8"], f"https://{HOST}:443/bytes/20000"),
    "HTTP/1.1, spliced": (["--h1", "-c", "2"], f"http://{HOST}:80/bytes/500000"),
    "HTTP/2": (["-c", "4", "-m", "4"], f"http://{HOST}:80/bytes/100000"),
    "HTTP/2 over TLS": (["-c", "4", "-m", "4"], f"https://{HOST}:443/"),
}
BURST = 40


def held(pid):
    """Resident KiB and open descriptors."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)), len(os.listdir(f"/proc/{pid}/fd"))


class Soak:
    def __init__(self, edge, seconds):
        self.edge, self.seconds = edge, seconds
        self.ended = threading.Event()
        self.totals = {name: {"sent": 0, "good": 0} for name in LOADS}
        self.faults = []   # what h2load said of requests that failed
        self.samples = []  # (second, {process: (KiB, descriptors)})
        self.changes = self.deaths = 0
        self.died_at = 0.0
        self.cut = 0       # answers that had begun when their backend died: nobody can ask for those again
        self.pairs = [edge.certificate(f"shop{n}", HOST) for n in range(2)]

    # ---- what changes -----------------------------------------------------------------------------------------------
    def change(self, number):
        homes = [HOMES[node][0] for node in ("host", "pod", "bridged")]
        served = homes if number % 3 == 0 else [homes[number % 3], homes[0]]
        self.edge.put("service.yaml", service("shop", "http", 8080, sorted(set(served))).lstrip("-\n"))
        self.edge.put("certificate.yaml", secret("shop", *self.pairs[number % 2]).lstrip("-\n"))
        self.edge.put("route.yaml", ROUTE.replace("NUMBER", str(number)))
        self.changes += 1

    def change_on(self):
        while not self.ended.wait(1):
            self.change(self.changes)

    def kill_on(self):
        pause = min(60, self.seconds / 3)
        while not self.ended.wait(pause - 5 if pause > 10 else pause):
            process = self.edge.backend_processes["pod"]
            self.died_at = time.monotonic()
            self.edge.stop(process, sig=9)
            self.deaths += 1
            self.ended.wait(5)
            self.edge.start_backend("pod")

    # ---- what is asked ----------------------------------------------------------------------------------------------
    def load_on(self, name):
        options, url = LOADS[name]
        port = url.split(":")[2].split("/")[0]
        while not self.ended.is_set():
            done = subprocess.run([*self.edge.prefix("client"), "h2load", "-n", str(BURST), *options, f"--connect-to={VIP4}:{port}", url],
                                  capture_output=True, text=True, check=False, timeout=120)
            good = int(re.search(r"(\d+) 2xx", done.stdout).group(1))
            succeeded = int(re.search(r"(\d+) succeeded", done.stdout).group(1))
            self.totals[name]["sent"] += BURST
            self.totals[name]["good"] += succeeded
            if good > succeeded and "0 4xx, 0 5xx" in done.stdout and time.monotonic() - self.died_at < 3:
                self.cut += good - succeeded
            elif succeeded != BURST:
                self.faults.append((round(time.monotonic() - self.began, 1), name, " ".join(re.findall(r"(?:requests|status codes): .*", done.stdout))))
            self.ended.wait(0.3)

    def processes(self):
        return {f"{p['name']} {p['pid']}": p["pid"] for p in self.edge.status()["processes"] if p["state"] in ("active", "running")}

    def sample(self):
        self.samples.append((round(time.monotonic() - self.began), {name: held(pid) for name, pid in self.processes().items()}))

    # ---- the whole ----------------------------------------------------------------------------------------------------
    def run(self):
        self.change(0)
        self.edge.put("edge.yaml", MANIFEST.replace("VIP", VIP4))
        lab.wait_for("the edge", lambda: "200" in self.edge.curl(f"http://{HOST}:80/", "-i", host=HOST, check=False))
        self.began = time.monotonic()
        self.sample()
        steady = self.edge.start("client", sys.executable, str(ROOT / "hwtests" / "steady_client.py"), VIP4, "80", HOST, "/", "4", log="steady.json")
        threads = [threading.Thread(target=self.load_on, args=(name,)) for name in LOADS]
        threads += [threading.Thread(target=self.change_on), threading.Thread(target=self.kill_on)]
        for thread in threads:
            thread.start()
        while time.monotonic() - self.began < self.seconds:
            self.sample()
            time.sleep(max(1, self.seconds / 200))
        self.ended.set()
        for thread in threads:
            thread.join()
        steady.terminate()
        steady.wait(30)
        self.steady = json.loads(self.edge.read("steady.json"))
        time.sleep(5)  # pools have let go of their idle connections
        self.sample()
        return self

    def growth(self, name, what=0):
        """How many KiB (1: descriptors) a process has grown between the second quarter of the run and the last, by their medians."""
        figures = [processes[name][what] for _, processes in self.samples if name in processes]
        quarter = max(1, len(figures) // 4)
        middle = [sorted(part)[len(part) // 2] for part in (figures[quarter:2 * quarter], figures[-quarter:])]
        return middle[1] - middle[0]

    def report(self):
        lines = [f"{self.seconds} s, {self.changes} changes of route, certificate and endpoints, {self.deaths} deaths of a backend"]
        lines += [f"{name}: {total['good']} of {total['sent']} good" for name, total in self.totals.items()]
        lines.append(f"answers cut by a backend's death: {self.cut}")
        lines.append(f"kept connections: {json.dumps(self.steady)}")
        for name in self.samples[-1][1]:
            whole = [processes[name] for _, processes in self.samples if name in processes]
            lines.append(f"{name}: {whole[0][0]} KiB at first, {max(kib for kib, _ in whole)} at most, {whole[-1][0]} at last, grown by {self.growth(name)}; "
                         f"descriptors {whole[0][1]}, {max(fds for _, fds in whole)}, {whole[-1][1]}, grown by {self.growth(name, 1)}")
        lines += [str(fault) for fault in self.faults[:20]]
        return "\n".join(lines)


def soak(seconds, ring="auto"):
    with Edge({}, options=["--ring", ring, *METRICS]) as edge:
        done = Soak(edge, seconds).run()
        done.spliced = int(edge.metrics()["penstock_spliced_bytes_total"])
        done.restarts = sum(p["restarts"] for p in edge.status()["processes"])
        return done
