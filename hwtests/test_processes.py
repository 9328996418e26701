# SPDX-License-Identifier: Apache-2.0
"""The processes themselves: what the worker may do, and how daemon and keeper take signals, state and each other."""
import os
import pathlib
import signal
import time

import pytest

import lab
from conftest import QUICKSTART
from edge import METRICS, VIP4, VIP6, outcome


def facts(pid, thread=None):
    """/proc/PID/status as a dictionary."""
    path = pathlib.Path(f"/proc/{pid}/task/{thread or pid}/status")
    return dict(line.split(":", 1) for line in path.read_text().splitlines())


# ---- the worker's privileges ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ring", ["io_uring", "epoll"])
def test_the_worker_serves_every_listener_confined_and_without_privileges(make_edge, ring):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--datapath", "userspace", "--ring", ring])
    # It tells how it runs once it has threads, which is after the active worker has taken what is published.
    lab.wait_for("a standby that tells", lambda: [one for one in edge.processes("penstock-worker", "standby") if one["ring"] and one["confined"]])
    for worker in edge.processes("penstock-worker"):
        assert worker["confined"] and worker["ring"] == ring
        threads = [task.name for task in pathlib.Path(f"/proc/{worker['pid']}/task").iterdir()]
        assert len(threads) > 1
        for thread in threads:
            told = facts(worker["pid"], thread)
            assert told["Seccomp"].strip() == "2" and told["NoNewPrivs"].strip() == "1"
            assert "0" not in told["Uid"].split() + told["Gid"].split() and not told["Groups"].split()
            assert all(int(told[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"))
        # Not dumpable: its files in /proc are root's, so a process of its own user cannot read keys from its memory.
        assert pathlib.Path(f"/proc/{worker['pid']}/mem").stat().st_uid == 0
    for vip in (VIP4, VIP6):
        assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com", vip=vip).splitlines()[0]
        assert "200" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com", vip=vip).splitlines()[0]
        assert edge.curl("https://vault.example.com:8443/", "--cacert", edge.vault_cert, host="vault.example.com", vip=vip)
        assert edge.tcp(vip).endswith("hello")
        assert edge.udp(vip).endswith("hello")
    # And what comes later: a new snapshot, with a certificate among its parts.
    edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: later\n"))
    lab.wait_for("the new snapshot",
                 lambda: "later" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com"))
    assert f"{ring}, confined by seccomp" in edge.gwctl("status").stdout


# ---- signals ------------------------------------------------------------------------------------------------------------
def requests_meanwhile(edge, what):
    """Runs `what` in the middle of requests over kept and new connections; gives their outcome."""
    process = edge.load(3000, 6)
    what()
    return outcome(process)


def test_sighup_of_the_keeper_replaces_the_worker_without_a_lost_request(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    lab.wait_for("a standby", lambda: edge.processes("penstock-worker", "standby"))
    (before,) = edge.processes("penstock-worker", "active")
    (keeper,) = edge.processes("penstock-keeper")
    counts = requests_meanwhile(edge, lambda: edge.kill(keeper["pid"], signal.SIGHUP))
    assert counts["errors"] == {} and counts["closed"] == 0 and counts["status"] == {"200": 3000}
    (after,) = edge.processes("penstock-worker", "active")
    assert after["pid"] != before["pid"]
    assert edge.status()["pid"] == edge.processes("penstockd")[0]["pid"]  # the daemon did not notice


def test_sighup_of_the_daemon_looks_again_and_sigterm_lets_the_keeper_start_another(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    (daemon,) = edge.processes("penstockd")
    edge.kill(daemon["pid"], signal.SIGHUP)
    lab.wait_for("the look", lambda: "asked to look again" in edge.read("penstock.log"))
    assert edge.status()["pid"] == daemon["pid"] and edge.status()["generation"]["wanted"] == 1

    def terminate():
        edge.kill(daemon["pid"], signal.SIGTERM)
        lab.wait_for("another daemon", lambda: edge.status()["pid"] != daemon["pid"])
    counts = requests_meanwhile(edge, terminate)
    assert counts["errors"] == {} and counts["closed"] == 0 and counts["status"] == {"200": 3000}
    edge.wait_taken()
    assert edge.status()["generation"]["wanted"] == 2 or edge.status()["generation"]["wanted"] == 1


@pytest.mark.parametrize("datapath", ["auto", "userspace"])
def test_another_penstock_takes_over_without_a_lost_request(make_edge, datapath):
    """As when a DaemonSet's pod is replaced with maxSurge: the new one starts while the old one serves, then the old one is ended."""
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--hand-over", "--datapath", datapath, *METRICS])
    first, series = edge.daemon, 'penstock_route_requests_total{route="HTTPRoute/default/shop",rule="2",code="2xx"}'
    edge.curl("http://shop.example.com:80/", host="shop.example.com")
    before = {one["name"]: one["pid"] for one in edge.status()["processes"]}

    def replaced():
        edge.start_daemon(wait=False)
        lab.wait_for("the other daemon", lambda: edge.status()["pid"] not in before.values(), 20)
        lab.wait_for("its workers", lambda: edge.processes("penstock-worker", "active"))
        first.send_signal(signal.SIGTERM)
        assert first.wait(40) == 0
    counts = requests_meanwhile(edge, replaced)
    assert counts["errors"] == {} and counts["closed"] == 0 and counts["status"] == {"200": 3000}
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in before.values())
    edge.wait_taken()
    lab.wait_for("the counters of both", lambda: edge.metrics().get(series) == "3001")
    for vip in (VIP4, VIP6):
        assert edge.tcp(vip).endswith("hello") and edge.udp(vip).endswith("hello")
    # One that is told to end, with nobody to follow, leaves nothing.
    edge.daemon.send_signal(signal.SIGTERM)
    assert edge.daemon.wait(10) == 0 and not os.path.exists(os.path.join(edge.state, "keeper.sock"))


def test_the_drain_lasts_as_long_as_the_class_says(make_edge):
    named = "kind: GatewayClass\nmetadata:\n"
    edge = make_edge({"quickstart.yaml": QUICKSTART.replace(named, named + "  annotations: {penstock.dev/drain-timeout: 12s}\n")})
    lab.wait_for("a standby", lambda: edge.processes("penstock-worker", "standby"))
    edge.kill(edge.processes("penstock-keeper")[0]["pid"], signal.SIGHUP)
    lab.wait_for("the drain", lambda: "draining for at most 12000 ms" in edge.read("penstock.log"))


def test_sigterm_lets_a_download_end_and_refuses_who_comes_now(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--datapath", "userspace"])
    (worker,) = edge.processes("penstock-worker", "active")
    slow = edge.start("client", "curl", "-sS", "--limit-rate", "2M", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                      "-H", "Host: shop.example.com", f"http://{VIP4}/bytes/40000000", log="download")
    time.sleep(1)
    edge.daemon.send_signal(signal.SIGTERM)
    refused = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 80), 2).close()
except ConnectionRefusedError:
    print("refused")
"""
    lab.wait_for("a refusal", lambda: edge.python(refused, VIP4).strip() == "refused", 5)
    assert pathlib.Path(f"/proc/{worker['pid']}").exists()
    assert slow.wait(60) == 0 and edge.read("download") == "200 40000000"
    assert edge.daemon.wait(10) == 0


def test_another_penstock_that_cannot_start_leaves_everything_to_the_one_before(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--hand-over", "--datapath", "userspace"])
    first, good = edge.daemon, list(edge.options)

    def tried():
        for wrong in (["--session-key", "/dev/null"], ["--access-log", "/nowhere/log"]):
            edge.options = [*good, *wrong]
            edge.start_daemon(wait=False)
            assert edge.daemon.wait(20) == 3
        edge.options = good
        lab.wait_for("the daemon before", lambda: edge.status(), 20)
    counts = requests_meanwhile(edge, tried)
    assert counts["errors"] == {} and counts["closed"] == 0 and counts["status"] == {"200": 3000}
    edge.start_daemon(wait=False)
    lab.wait_for("the hand-over", lambda: "this keeper serves" in edge.read("penstock.log"), 20)
    first.send_signal(signal.SIGTERM)
    assert first.wait(40) == 0
    assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com").splitlines()[0]


def test_sigterm_ends_everything_in_order(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    pids = [p["pid"] for p in edge.status()["processes"]]
    edge.daemon.send_signal(signal.SIGTERM)
    assert edge.daemon.wait(10) == 0
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids)
    assert not os.path.exists(os.path.join(edge.state, "control.sock"))
    told = edge.gwctl("status", check=False)
    assert told.returncode == 3 and "no daemon runs with this state folder" in told.stderr


# ---- state --------------------------------------------------------------------------------------------------------------
def test_a_second_daemon_with_the_same_state_folder_is_refused(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    second = edge.start("edge", str(edge.bin / "penstockd"), "--state-dir", edge.state, "--pin-dir", edge.pins, log="second.log")
    assert second.wait(20) == 3
    said = edge.read("second.log")
    assert f"error: another penstockd runs with the state folder {edge.state}" in said and "hint: " in said
    assert edge.gwctl("status").returncode == 0
    assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com").splitlines()[0]


def test_a_second_daemon_with_the_same_pins_or_ports_takes_nothing_from_the_first(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    if edge.status()["datapath"]["in_use"] != "xdp":
        pytest.skip("no BPF here")
    refused = edge.start("edge", str(edge.bin / "penstockd"), "--state-dir", edge.state + ".2", "--pin-dir", edge.pins, "--datapath", "xdp", log="second.log")
    assert refused.wait(20) == 3
    assert "another penstockd has the pinned maps in " + edge.pins in edge.read("second.log")
    detach = edge.exec("edge", str(edge.bin / "penstockd"), "--detach", "--pin-dir", edge.pins, check=False)
    assert edge.tcp(VIP4).endswith("hello"), detach
    assert edge.gwctl("status").returncode == 0


def test_power_loss_leaves_nothing_in_the_way_of_the_next_start(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    pids = [p["pid"] for p in edge.status()["processes"]]
    (keeper,) = edge.processes("penstock-keeper")
    edge.kill(keeper["pid"])
    edge.stop(edge.daemon)  # it is gone: this reaps it
    lab.wait_for("the end of all", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids))
    assert os.path.exists(os.path.join(edge.state, "control.sock"))  # nobody was left to remove it
    assert "does not run any more" in edge.gwctl("status", check=False).stderr
    for name in os.listdir(edge.state):
        if name not in ("lock", "control.sock"):
            pathlib.Path(edge.state, name).write_bytes(b"\x00half a fi")
    edge.start_daemon()
    assert edge.gwctl("status").returncode == 0
    assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com").splitlines()[0]
    assert edge.tcp(VIP4).endswith("hello")


def test_a_worker_that_dies_again_and_again_is_started_again_and_again(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    for _ in range(5):
        lab.wait_for("a standby", lambda: edge.processes("penstock-worker", "standby"), 15)
        (worker,) = edge.processes("penstock-worker", "active")
        edge.kill(worker["pid"])
        lab.wait_for("an answer", lambda: "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com", check=False))
    assert edge.processes("penstock-worker", "active")[0]["restarts"] >= 5
    said = edge.gwctl("status").stdout
    assert "signal 9" in edge.read("penstock.log") and "active" in said
