# SPDX-License-Identifier: Apache-2.0
"""What is measured of a proxy: each measure takes a started peer and gives a record."""
import json
import os
import statistics
import sys
import time
from typing import Callable, NamedTuple

import accounting
import loads
import peers
from rig import HERE

IDLE, ROUTES, CHANGES = 10_000, 5_000, 50
HANDSHAKES = 16  # at a time


class Measure(NamedTuple):
    name: str
    says: str
    needs: str           # what a peer must do
    take: Callable       # (peer, seconds) -> record
    fresh: bool = False  # on a process of its own
    routes: int = 0      # that this process has


def spent(load):
    """The load's figures with what the proxy spent on it; a second to warm up comes before."""
    def take(peer, seconds):
        load(peer, 1)
        return accounting.measured(peer, load, peer, seconds)
    return take


def resumed(peer, seconds):
    record = loads.connections(peer.rig, "resume", peers.HTTPS, HANDSHAKES, seconds)
    if record["resumed"] < 0.9 * record["done"] - HANDSHAKES:  # the first ones have no ticket yet
        raise RuntimeError(f"resumed were {record['resumed']} of {record['done']} connections")
    return record


def random_routes(peer, seconds):
    routes = peer.routes
    script = peer.write("routes.lua", f"""
local requests = {{}}
function init()
  for i = 0, {routes - 1} do requests[i] = wrk.format('GET', '/p' .. i .. '/1k', {{Host = 'r' .. i .. '.test'}}) end
end
function request() return requests[math.random(0, {routes - 1})] end
""")
    return loads.wrk(peer.rig, peer.http(""), 64, seconds, script)


def with_routes(peer, seconds):
    record = spent(random_routes)(peer, seconds)
    return {**record, **accounting.memory(peer.process.pid), "ready_s": peer.ready_s}


def idle(peer, _seconds):
    rig, before = peer.rig, accounting.memory(peer.process.pid)
    with rig.talk([rig.program("load"), "idle", rig.proxy_ip, str(peers.HTTPS), "a.test", str(IDLE), "60"]) as load:
        record = json.loads(load.stdout.readline())
        time.sleep(3)  # for what it frees late
        after = accounting.memory(peer.process.pid)
        alive = json.loads(load.communicate()[0])["alive"]
    return {"opened": record["opened"], "alive": alive, "errors": record["errors"] + IDLE - alive, "before": before, "after": after,
            "kib_per_connection": (after["pss_kib"] - before["pss_kib"]) / max(alive, 1)}


def switch(peer, _seconds):
    rig, took, timeouts = peer.rig, [], 0
    with rig.talk([sys.executable, os.path.join(HERE, "watcher.py"), rig.proxy_ip, str(peers.HTTP)]) as watcher:
        watcher.stdout.readline()
        for change in range(CHANGES):
            backend = "BA"[change % 2]
            watcher.stdin.write(backend + "\n")
            watcher.stdin.flush()
            since = time.monotonic()
            peer.switch(backend)
            first = watcher.stdout.readline().strip()
            timeouts += first == "timeout"
            took += [] if first == "timeout" else [(float(first) - since) * 1e3]
            time.sleep(0.3)
        counts = json.loads(watcher.communicate("")[0].splitlines()[-1])
    errors = timeouts + sum(counts[kind] for kind in ("non_200", "no_answer", "cut", "refused", "downloads_cut", "probe_errors"))
    return {"changes": took, "ms": statistics.median(took) if took else None, "worst_ms": max(took, default=None), "timeouts": timeouts,
            "counts": counts, "errors": errors, "closed": counts["closed_idle"] + counts["told_to_close"]}


MEASURES = [
    Measure("h1", "HTTP/1.1, 64 connections, 1 KiB", "http", spent(lambda p, s: loads.wrk(p.rig, p.http("/1k"), 64, s))),
    Measure("h1_one", "HTTP/1.1, one connection, 1 KiB", "http", spent(lambda p, s: loads.wrk(p.rig, p.http("/1k"), 1, s))),
    Measure("tls_1k", "HTTPS, 64 connections, 1 KiB", "https", spent(lambda p, s: loads.wrk(p.rig, p.https("/1k"), 64, s))),
    Measure("h2", "HTTP/2 over TLS, 10 connections, 32 streams each, 1 KiB", "https", spent(lambda p, s: loads.h2load(p.rig, p.https("/1k"), 10, 32, s))),
    Measure("tls_1m", "HTTPS, 16 connections, 1 MiB", "https", spent(lambda p, s: loads.wrk(p.rig, p.https("/1m"), 16, s))),
    Measure("tls_new", "a TLS connection per request, full handshake", "https",
            spent(lambda p, s: loads.connections(p.rig, "tls", peers.HTTPS, HANDSHAKES, s))),
    Measure("tls_resumed", "a TLS connection per request, resumed", "https", spent(resumed)),
    Measure("pass_new", "passthrough, a connection per request, 32 at a time", "passthrough",
            spent(lambda p, s: loads.connections(p.rig, "hello", peers.PASSTHROUGH, 32, s))),
    Measure("pass_1m", "passthrough, 8 connections, 1 MiB", "passthrough",
            spent(lambda p, s: loads.connections(p.rig, "bulk", peers.PASSTHROUGH, 8, s, "/1m"))),
    Measure("idle", f"{IDLE:,} idle TLS connections", "https", idle, fresh=True),
    Measure("switch", f"{CHANGES} route changes under load", "switch", switch, fresh=True),
    Measure("routes_1", "1 route", "routes", with_routes, fresh=True, routes=1),
    Measure("routes_5000", f"{ROUTES:,} routes, a random one each time", "routes", with_routes, fresh=True, routes=ROUTES),
]


def named(*names):
    return [measure for measure in MEASURES if measure.name in names]
