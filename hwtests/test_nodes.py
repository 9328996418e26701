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


def edge(port, address=ADDRESS):
    made = gateway("edge", [address])
    made["spec"]["listeners"][0]["port"] = port
    return made


def programmed(several):
    """(status, message, observedGeneration) of the Gateway's condition."""
    for one in several.ask_api("GET", GATEWAY).get("status", {}).get("conditions", []):
        if one["type"] == "Programmed":
            return one["status"], one["message"], one["observedGeneration"]
    return None, "", 0


def wait_programmed(several, generation, wanted, status="True"):
    """Waits until the message of this generation is as wanted; the seconds that it took."""
    begun = time.monotonic()
    lab.wait_for(f"generation {generation}: {wanted or 'nothing to say'}",
                 lambda: programmed(several)[::2] == (status, generation) and (wanted in programmed(several)[1] if wanted else "nodes" not in programmed(several)[1]), 30)
    return time.monotonic() - begun


@contextlib.contextmanager
def stopped(several, node, names):
    """The node's processes of these names do nothing for a while."""
    pids = [one["pid"] for one in several.status(node)["processes"] if one["name"] in names]
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
def several(request):
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


def move_to(several, node):
    """Gives the Gateway an address that this node has; the address and the generation."""
    for last in range(100, 120):
        address = f"10.91.0.{last}"
        several.apply(edge(80, address))
        generation = several.ask_api("GET", GATEWAY)["metadata"]["generation"]
        wait_programmed(several, generation, "")
        if next(one["holder"] for one in several.status("a")["addresses"] if one["address"] == address) == node:
            lab.wait_for("the node to tell of it", lambda: address in report_of(several, node)["addresses"], 20)
            return address, generation
    raise AssertionError(f"{node} gets none of twenty addresses")


def report_of(several, node):
    return several.ask_api("GET", f"/apis/penstock.dev/v1alpha1/penstocknodes/{node}")["status"]


def test_each_node_tells_what_it_has_taken(several):
    for node in several.nodes:
        lab.wait_for(f"the report of {node}", lambda n=node: [one["generation"] for one in report_of(several, n)["objects"]] == [1], 20)
    said = several.gwctl("b", "status").stdout
    assert "TAKEN" in said and "PenstockNode" in said
    several.apply(edge(8080))
    told = wait_programmed(several, 2, "")
    print(f"\nboth nodes: told after {told:.2f} s")
    assert [one["generation"] for one in report_of(several, "b")["objects"]] == [2]


def test_a_node_whose_worker_stands_still_is_counted_after_five_seconds_and_may_come_late(several):
    address, generation = move_to(several, "a")
    with stopped(several, "b", ("penstock-worker",)):
        several.apply(edge(8080, address))
        time.sleep(3)
        assert programmed(several)[2] == generation  # what was said before stands
        told = wait_programmed(several, generation + 1, "programmed on 1 of 2 nodes; waiting for b") + 3
        print(f"\none node behind: told after {told:.2f} s")
        assert "NOT EVERYWHERE" in several.gwctl("a", "status").stdout
    wait_programmed(several, generation + 1, "")


def test_a_gateway_whose_address_is_on_a_node_that_is_behind_is_pending(several):
    address, generation = move_to(several, "b")
    with stopped(several, "b", ("penstock-worker",)):
        several.apply(edge(8080, address))
        wait_programmed(several, generation + 1, f"waiting for b, which has {address}", "False")
    wait_programmed(several, generation + 1, "")


def test_a_takeover_is_no_word_worth(several):
    address, generation = move_to(several, "b")
    before = several.ask_api("GET", GATEWAY)["metadata"]["resourceVersion"]
    with stopped(several, "b", {one["name"] for one in several.status("b")["processes"]}):
        lab.wait_for("node a to have it", lambda: address in report_of(several, "a")["addresses"], 20)
        time.sleep(4)  # longer than an address may be away
        assert programmed(several) == ("True", programmed(several)[1], generation)
        assert several.ask_api("GET", GATEWAY)["metadata"]["resourceVersion"] == before


def test_a_node_that_stands_still_as_a_whole_is_not_waited_for(several):
    names = {one["name"] for one in several.status("b")["processes"]}
    with stopped(several, "b", names):
        lab.wait_for("node a to miss it", lambda: len(several.status("a")["cluster"]["nodes"]["nodes"]) == 1, 20)
        several.apply(edge(8080))
        wait_programmed(several, 2, "")
    lab.wait_for("node b is back", lambda: len(several.status("a")["cluster"]["nodes"]["nodes"]) == 2, 20)
    lab.wait_for("node b to take it", lambda: [one["generation"] for one in report_of(several, "b")["objects"]] == [2], 20)
    assert programmed(several)[0] == "True"
