# SPDX-License-Identifier: Apache-2.0
"""The load generators, run in the client's namespace of a rig. Each gives {"done": n, "errors": n, ...}."""
import json
import re
import subprocess

MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def answered(rig, url, host=None):
    """(status, name of the backend) of one request."""
    command = ["curl", "-sk", "--max-time", "2", "-o", "/dev/null", "-w", "%{http_code} %header{x-backend}", *(["-H", f"Host: {host}"] if host else []), url]
    status, _, name = subprocess.run(rig.enter("client") + command, capture_output=True, text=True, check=False).stdout.partition(" ")
    return int(status), name


def wrk(rig, url, connections, seconds, script=None):
    out = rig.client(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", script] if script else []), url])
    latency = {share: float(value) * MICROSECONDS[unit] for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", out)}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = (int(bad.group(1)) if bad else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
    return {"done": int(re.search(r"(\d+) requests in", out).group(1)), "p50_us": latency["50"], "p99_us": latency["99"], "errors": errors}


def h2load(rig, url, connections, streams, seconds):
    out = rig.client(["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(seconds), url])
    if "Application protocol: h2" not in out:
        raise RuntimeError("it does not speak h2: " + out)
    succeeded, failed = re.search(r"(\d+) succeeded, (\d+) failed", out).groups()
    return {"done": int(succeeded), "errors": int(failed)}


def connections(rig, mode, port, count, seconds, path="/1k", sni="a.test"):
    """By load.c; its modes are told there."""
    return json.loads(rig.client([rig.program("load"), mode, rig.proxy_ip, str(port), sni, str(count), str(seconds), path]))
