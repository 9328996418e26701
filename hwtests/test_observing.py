# SPDX-License-Identifier: Apache-2.0
"""What is seen of the traffic, with the processes as they run: the access log and its rotation, metrics, top and trace."""
import json
import signal
import subprocess

import lab
from conftest import QUICKSTART
from edge import METRICS

LOGGED = QUICKSTART.replace("  name: penstock\nspec:", "  name: penstock\n  annotations: {penstock.dev/access-log: json}\nspec:")


def ask(edge, target):
    return edge.curl(f"http://shop.example.com:80{target}", host="shop.example.com")


def targets(log):
    return [json.loads(line)["target"] for line in log.read_text().splitlines()] if log.exists() else []


def test_a_confined_worker_writes_the_access_log_and_goes_on_in_a_new_file(make_edge, tmp_path):
    log = tmp_path / "access.log"
    edge = make_edge({"quickstart.yaml": LOGGED}, options=["--access-log", str(log)])
    lab.wait_for("a standby", lambda: edge.processes("penstock-worker", "standby"))
    assert all(worker["confined"] for worker in edge.processes("penstock-worker"))
    ask(edge, "/first?token=secret")
    lab.wait_for("a line", lambda: targets(log) == ["/first?"])
    (line,) = [json.loads(text) for text in log.read_text().splitlines()]
    assert line["status"] == 200 and line["route"] == "HTTPRoute/default/shop" and line["host"].startswith("shop.example.com")
    (keeper,) = edge.processes("penstock-keeper")
    log.rename(tmp_path / "access.log.1")
    edge.kill(keeper["pid"], signal.SIGUSR1)
    lab.wait_for("the new file", log.exists)
    ask(edge, "/second")
    lab.wait_for("a line in the new file", lambda: targets(log) == ["/second"])
    edge.kill(keeper["pid"], signal.SIGHUP)  # another worker writes to the same
    lab.wait_for("another worker", lambda: ask(edge, "/third") and "/third" in targets(log))
    assert targets(tmp_path / "access.log.1") == ["/first?"]


def test_an_access_log_that_cannot_be_opened_ends_the_start(make_edge, tmp_path):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    done = subprocess.run([str(edge.bin / "penstockd"), "--state-dir", str(tmp_path), "--access-log", "/nowhere/access.log"], capture_output=True, text=True,
                          check=False, timeout=30)
    assert done.returncode == 3
    assert "open the access log /nowhere/access.log" in done.stderr and "No such file or directory" in done.stderr and "hint:" in done.stderr


def test_metrics_of_the_worker_and_of_the_daemon(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=METRICS)
    for _ in range(5):
        ask(edge, "/")
    series = 'penstock_route_requests_total{route="HTTPRoute/default/shop",rule="2",code="2xx"}'
    lab.wait_for("the requests", lambda: edge.metrics()[series] == "5")
    edge.curl("https://shop.example.com:443/", "-k", host="shop.example.com")
    told = edge.metrics()
    assert told['penstock_listener_tls_handshakes_total{listener="Gateway/default/edge/https",result="full"}'] == "1"
    lab.wait_for("what the daemon knows", lambda: any(value != "0" for name, value in edge.metrics().items() if name.startswith("penstock_packets_total")))
    assert told["penstock_errors"] == "0"


def test_top_and_trace_tell_of_what_is_served(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    process = edge.load(3000, 6)
    top = json.loads(edge.gwctl("top", "-o", "json").stdout)
    process.communicate(timeout=120)
    assert any(row["name"] == "HTTPRoute default/shop#2" and row["rate"] > 0 for row in top["routes"])
    told = edge.gwctl("trace", "http://shop.example.com/cart/1").stdout
    assert "rule        HTTPRoute default/shop#0\n" in told and "decided by  the longer path\n" in told
    assert "90%" in told and "192.0.2.11:8080" in told
    assert edge.gwctl("trace", "http://other.example/", check=False).returncode == 1
