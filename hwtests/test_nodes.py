# SPDX-License-Identifier: Apache-2.0
"""What the status of a Gateway says while one of two nodes has not taken it: the other writes, and knows by the node's PenstockNode."""
import contextlib
import os
import signal
import time

import pytest

import lab
from cluster_lab import GROUP, ClusterLab, gateway, route

ADDRESS = "10.91.0.100"
GATEWAY = f"/apis/{GROUP}/namespaces/default/gateways/edge"


def edge(port):
    made = gateway("edge", [ADDRESS])
    made["spec"]["listeners"][0]["port"] = port
    return made


def programmed(cluster):
    """(status, message, observedGeneration) of the Gateway's condition."""
    for one in cluster.ask_api("GET", GATEWAY).get("status", {}).get("conditions", []):
        if one["type"] == "Programmed":
            return one["status"], one["message"], one["observedGeneration"]
    return None, "", 0


def wait_programmed(cluster, generation, wanted):
    """Waits until the message of this generation is as wanted; the seconds that it took."""
    begun = time.monotonic()
    lab.wait_for(f"generation {generation}: {wanted or 'nothing to say'}",
                 lambda: programmed(cluster)[::2] == ("True", generation) and (wanted in programmed(cluster)[1] if wanted else "nodes" not in programmed(cluster)[1]), 30)
    return time.monotonic() - begun


@contextlib.contextmanager
def stopped(cluster, node, names):
    """The node's processes of these names do nothing for a while."""
    pids = [one["pid"] for one in cluster.status(node)["processes"] if one["name"] in names]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture
def cluster(request):
    with ClusterLab() as made:
        lab.wait_for("node a to write", lambda: made.status("a")["cluster"]["is_writer"], 30)
        for node in made.nodes:
            lab.wait_for("the nodes to know each other", lambda n=node: len(made.status(n)["cluster"]["nodes"]["nodes"]) == 2, 20)
        made.apply(edge(80), route("all", "edge"))
        wait_programmed(made, 1, "")
        yield made
        if request.session.testsfailed:
            for log in ("a.log", "b.log", "api.log"):
                print(f"---- {log}\n{made.read(log)[-10000:]}")


def report_of(cluster, node):
    return cluster.ask_api("GET", f"/apis/penstock.dev/v1alpha1/penstocknodes/{node}")["status"]


def test_each_node_tells_what_it_has_taken(cluster):
    for node in cluster.nodes:
        lab.wait_for(f"the report of {node}", lambda n=node: [one["generation"] for one in report_of(cluster, n)["objects"]] == [1], 20)
    said = cluster.gwctl("b", "status").stdout
    assert "TAKEN" in said and "PenstockNode" in said
    cluster.apply(edge(8080))
    told = wait_programmed(cluster, 2, "")
    print(f"\nboth nodes: told after {told:.2f} s")
    assert [one["generation"] for one in report_of(cluster, "b")["objects"]] == [2]


def test_a_node_whose_worker_stands_still_is_counted_after_five_seconds_and_may_come_late(cluster):
    with stopped(cluster, "b", ("penstock-worker",)):
        cluster.apply(edge(8080))
        time.sleep(3)
        assert programmed(cluster)[2] == 1  # what was said before stands
        told = wait_programmed(cluster, 2, "programmed on 1 of 2 nodes; waiting for b") + 3
        print(f"\none node behind: told after {told:.2f} s")
        assert "NOT EVERYWHERE" in cluster.gwctl("a", "status").stdout
    wait_programmed(cluster, 2, "")


def test_a_node_that_stands_still_as_a_whole_is_not_waited_for(cluster):
    names = {one["name"] for one in cluster.status("b")["processes"]}
    with stopped(cluster, "b", names):
        lab.wait_for("node a to miss it", lambda: len(cluster.status("a")["cluster"]["nodes"]["nodes"]) == 1, 20)
        cluster.apply(edge(8080))
        wait_programmed(cluster, 2, "")
    lab.wait_for("node b is back", lambda: len(cluster.status("a")["cluster"]["nodes"]["nodes"]) == 2, 20)
    lab.wait_for("node b to take it", lambda: [one["generation"] for one in report_of(cluster, "b")["objects"]] == [2], 20)
    assert programmed(cluster)[0] == "True"
