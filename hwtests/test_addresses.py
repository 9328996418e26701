# SPDX-License-Identifier: Apache-2.0
"""Addresses that the nodes of a cluster share out: who has which, who takes over and how soon, as a client on the link sees it."""
import os
import signal
import time

import pytest

import lab
from cluster_lab import ClusterLab, gateway, outage, route

# What is promised; more where a machine is shared with others' work. The figures are printed.
PROMISED_S = 3
BUSY = "CI" in os.environ or os.getloadavg()[0] > (os.cpu_count() or 1)
TAKEN_OVER_S = PROMISED_S * (3.5 if BUSY else 1)
ADDRESSES = [f"10.91.0.{100 + i}" for i in range(6)] + [f"fd91::{100 + i}" for i in range(6)]


def holders(cluster):
    """{address: node} as the nodes' kernels have them; fails if one is on two."""
    found = {}
    for node in cluster.nodes:
        for address in cluster.on_interface(node):
            assert address not in found, f"{address} is on {found[address]} and {node}"
            found[address] = node
    return found


def wait_shared_out(cluster, nodes=None):
    def shared():
        found = {address: node for node in nodes or cluster.nodes for address in cluster.on_interface(node)}
        return set(found) == set(ADDRESSES) and found
    return lab.wait_for("all addresses on interfaces", shared, 30)


def told(what, seconds):
    print(f"\n{what}: {seconds:.2f} s without an answer")


@pytest.fixture
def cluster(request):
    """With `request.param`: the API server is on a link of its own."""
    with ClusterLab(api_apart=getattr(request, "param", False)) as made:
        for node in made.nodes:
            lab.wait_for("the nodes to know each other", lambda n=node: len(made.status(n)["address_shares"]["nodes"]) == 2, 20)
        made.apply(gateway("edge", ADDRESSES), route("all", "edge"))
        wait_shared_out(made)
        for address in ADDRESSES:
            lab.wait_for(f"an answer of {address}", lambda a=address: made.answers(a), 20)
        yield made
        if request.session.testsfailed:
            for log in ("a.log", "b.log", "api.log"):
                print(f"---- {log}\n{made.read(log)[-10000:]}")


def one_of(cluster, node, six=False):
    """The last of the node's, which is also the last that others take over."""
    return sorted(address for address, holder in holders(cluster).items() if holder == node and (":" in address) == six)[-1]


def test_each_address_is_on_one_node_and_both_have_some(cluster):
    found = holders(cluster)
    assert set(found) == set(ADDRESSES) and set(found.values()) == {"a", "b"}
    said = cluster.gwctl("a", "status").stdout
    assert "elsewhere" in said and "alive" in said
    for address, node in found.items():
        row = next(one for one in cluster.status("a")["addresses"] if one["address"] == address)
        assert row["holder"] == node and row["since"] and row["state"] == ("added" if node == "a" else "elsewhere")
    # Nobody writes a Lease of an address while nothing moves.
    def versions():
        leases = cluster.ask_api("GET", "/apis/coordination.k8s.io/v1/namespaces/penstock/leases")["items"]
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in leases if "address" in one["metadata"]["name"]}
    before = versions()
    assert len(before) == len(ADDRESSES)
    time.sleep(3)
    assert versions() == before and holders(cluster) == found


@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_node_that_loses_its_power_is_followed(cluster, six):
    address = one_of(cluster, "b", six)
    kept = {one for one, node in holders(cluster).items() if node == "a"}
    client = cluster.watch(address, 12)
    time.sleep(1.5)
    cluster.unplug("b")
    cluster.kill_node("b")
    assert wait_shared_out(cluster, ["a"])
    longest, answers = outage(client)
    told(f"power lost, {address}", longest)
    assert answers > 0 and longest < TAKEN_OVER_S and kept <= cluster.on_interface("a")
    assert "taken over from b" in cluster.read("a.log")


# Its kernel and its processes live, and it can tell the API server or cannot.
@pytest.mark.parametrize("cluster", [False, True], ids=["API over the same link", "API over another link"], indirect=True)
@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_node_whose_link_is_cut_is_followed_and_takes_nothing_back(cluster, six):
    address = one_of(cluster, "b", six)
    client = cluster.watch(address, 8)
    time.sleep(1.5)
    cluster.unplug("b")
    assert wait_shared_out(cluster, ["a"])
    longest, answers = outage(client)
    told(f"link cut, {address}", longest)
    assert answers > 0 and longest < TAKEN_OVER_S
    # It may have the addresses still, if it could not hear who has them now.
    client = cluster.watch(address, 8)
    time.sleep(1.5)
    cluster.plug("b")
    longest, answers = outage(client)
    told(f"link back, {address}", longest)
    assert answers > 0 and longest < TAKEN_OVER_S
    lab.wait_for("contact", lambda: cluster.status("b")["address_shares"]["in_contact"], 60)
    lab.wait_for("b to have nothing", lambda: not cluster.on_interface("b"), 20)
    assert cluster.on_interface("a") == set(ADDRESSES)


def test_a_node_whose_processes_are_killed_is_followed_though_its_kernel_still_answers(cluster):
    address = one_of(cluster, "b")
    client = cluster.watch(address, 12)
    time.sleep(1.5)
    cluster.kill_node("b")
    assert address in cluster.on_interface("b")
    longest, _ = outage(client)
    told(f"processes killed, {address}", longest)
    assert longest < TAKEN_OVER_S
    # Its kernel forgets them by itself, and the node that comes back takes none of them away.
    lab.wait_for("the addresses to expire", lambda: not cluster.on_interface("b"), 60)
    cluster.start_node("b")
    time.sleep(5)
    assert set(holders(cluster).values()) == {"a"}


def test_a_node_that_ends_in_order_hands_over_at_once(cluster):
    address = one_of(cluster, "b")
    client = cluster.watch(address, 8)
    time.sleep(1.5)
    cluster.daemons["b"].send_signal(signal.SIGTERM)
    wait_shared_out(cluster, ["a"])
    longest, _ = outage(client)
    told(f"ended in order, {address}", longest)
    assert longest < TAKEN_OVER_S
    assert cluster.daemons["b"].wait(40) == 0
    assert "handing" in cluster.read("b.log") and not cluster.on_interface("b")


def test_a_daemon_that_is_replaced_gives_nothing_away(cluster):
    before = holders(cluster)
    address = one_of(cluster, "b")
    client = cluster.watch(address, 6)
    (daemon,) = [one for one in cluster.status("b")["processes"] if one["name"] == "penstockd"]
    cluster.exec("b", "kill", "-TERM", str(daemon["pid"]))
    lab.wait_for("another daemon", lambda: cluster.status("b")["pid"] != daemon["pid"], 20)
    longest, _ = outage(client)
    told(f"daemon replaced, {address}", longest)
    assert holders(cluster) == before


def test_without_the_api_server_every_holder_keeps_answering_and_one_that_dies_is_followed(cluster):
    before = holders(cluster)
    clients = [cluster.watch(one_of(cluster, node, six), 8) for node in cluster.nodes for six in (False, True)]
    cluster.server.send_signal(signal.SIGSTOP)
    for client in clients:
        longest, answers = outage(client)
        told("API server away", longest)
        assert answers > 0 and longest < TAKEN_OVER_S
    for node in cluster.nodes:
        assert not cluster.status(node)["address_shares"]["in_contact"]
    assert holders(cluster) == before

    clients = {address: cluster.watch(address, 10) for address in (one_of(cluster, "b"), one_of(cluster, "b", True))}
    time.sleep(1.5)
    cluster.unplug("b")
    cluster.kill_node("b")
    wait_shared_out(cluster, ["a"])
    for address, client in clients.items():
        longest, answers = outage(client)
        told(f"power lost, API server away, {address}", longest)
        assert answers > 0 and longest < TAKEN_OVER_S
    assert "this node stands in" in cluster.read("a.log")
    shares = cluster.status("a")["address_shares"]
    assert shares["stood_in"] == sum(node == "b" for node in before.values()) and not shares["in_contact"]
    # Back in contact, a writes the Leases, and nothing moves.
    cluster.server.send_signal(signal.SIGCONT)
    lab.wait_for("a's Leases", lambda: all(row["holder"] == "a" for row in cluster.status("a")["addresses"]), 60)
    assert cluster.on_interface("a") == set(ADDRESSES)


def test_a_daemon_that_is_replaced_while_the_api_server_is_away_keeps_its_addresses(cluster):
    before = holders(cluster)
    there = cluster.on_interface("b")
    client = cluster.watch(one_of(cluster, "b"), 45)  # longer than an address lives that nobody renews
    cluster.server.send_signal(signal.SIGSTOP)
    (daemon,) = [one for one in cluster.status("b")["processes"] if one["name"] == "penstockd"]
    cluster.exec("b", "kill", "-TERM", str(daemon["pid"]))
    lab.wait_for("another daemon", lambda: cluster.status("b")["pid"] != daemon["pid"], 20)
    longest, answers = outage(client)
    told("daemon replaced, API server away", longest)
    assert answers > 0 and longest < TAKEN_OVER_S and cluster.on_interface("b") == there
    cluster.server.send_signal(signal.SIGCONT)
    for node in cluster.nodes:
        lab.wait_for("contact", lambda n=node: cluster.status(n)["address_shares"]["in_contact"], 60)
    time.sleep(8)
    assert holders(cluster) == before


@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_holder_cut_off_from_the_api_server_steps_back_for_its_follower(cluster, six):
    address = one_of(cluster, "b", six)
    client = cluster.watch(address, 12)
    time.sleep(1.5)
    cluster.ip("b", "route", "add", "blackhole", "10.91.0.1/32")
    wait_shared_out(cluster, ["a"])
    lab.wait_for("b to step back", lambda: not cluster.on_interface("b"), 20)
    longest, _ = outage(client)
    told(f"cut off, {address}", longest)
    assert longest < TAKEN_OVER_S and "somebody who claims it" in cluster.read("b.log")
    cluster.ip("b", "route", "del", "blackhole", "10.91.0.1/32")
    lab.wait_for("contact", lambda: cluster.status("b")["address_shares"]["in_contact"], 60)
    time.sleep(6)
    assert set(holders(cluster).values()) == {"a"}
