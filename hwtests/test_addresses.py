# SPDX-License-Identifier: Apache-2.0
"""Addresses that the nodes of a cluster share out: who has which, who takes over and how soon, as a client on the link sees it."""
import os
import signal
import time

import pytest

import lab
from cluster_lab import ClusterLab, gateway, outage, route

PROMISED_S = 3
ADDRESSES = [f"10.91.0.{100 + i}" for i in range(6)] + [f"fd91::{100 + i}" for i in range(6)]


def taken_over_s():
    """What is promised; more while the machine is shared with others' work. The figures are printed."""
    busy = "CI" in os.environ or os.getloadavg()[0] > (os.cpu_count() or 1)
    return PROMISED_S * (3.5 if busy else 1)


def holders(several):
    """{address: node} as the nodes' kernels have them; fails if one is on two."""
    found = {}
    for node in several.nodes:
        for address in several.on_interface(node):
            assert address not in found, f"{address} is on {found[address]} and {node}"
            found[address] = node
    return found


def wait_shared_out(several, nodes=None):
    def shared():
        found = {address: node for node in nodes or several.nodes for address in several.on_interface(node)}
        return set(found) == set(ADDRESSES) and found
    return lab.wait_for("all addresses on interfaces", shared, 30)


def told(what, seconds):
    print(f"\n{what}: {seconds:.2f} s without an answer")


@pytest.fixture
def several(request):
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


def one_of(several, node, six=False):
    """The last of the node's, which is also the last that others take over."""
    found = holders(several)
    own = sorted(address for address, holder in found.items() if holder == node and (":" in address) == six)
    assert own, f"{node} has none of them: {found}"
    return own[-1]


def test_each_address_is_on_one_node_and_both_have_some(several):
    found = holders(several)
    assert set(found) == set(ADDRESSES) and set(found.values()) == {"a", "b"}
    said = several.gwctl("a", "status").stdout
    assert "elsewhere" in said and "alive" in said
    for address, node in found.items():
        row = next(one for one in several.status("a")["addresses"] if one["address"] == address)
        assert row["holder"] == node and row["since"] and row["state"] == ("added" if node == "a" else "elsewhere")
    # Nobody writes a Lease of an address while nothing moves.
    def versions():
        leases = several.ask_api("GET", "/apis/coordination.k8s.io/v1/namespaces/penstock/leases")["items"]
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in leases if "address" in one["metadata"]["name"]}
    before = versions()
    assert len(before) == len(ADDRESSES)
    time.sleep(3)
    assert versions() == before and holders(several) == found


@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_node_that_loses_its_power_is_followed(several, six):
    address = one_of(several, "b", six)
    kept = {one for one, node in holders(several).items() if node == "a"}
    client = several.watch(address, 12)
    time.sleep(1.5)
    several.unplug("b")
    several.kill_node("b")
    assert wait_shared_out(several, ["a"])
    longest, answers = outage(client)
    told(f"power lost, {address}", longest)
    assert answers > 0 and longest < taken_over_s() and kept <= several.on_interface("a")
    assert "taken over from b" in several.read("a.log")


# Its kernel and its processes live, and it can tell the API server or cannot.
@pytest.mark.parametrize("several", [False, True], ids=["API over the same link", "API over another link"], indirect=True)
@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_node_whose_link_is_cut_is_followed_and_takes_nothing_back(several, six):
    address = one_of(several, "b", six)
    client = several.watch(address, 8)
    time.sleep(1.5)
    several.unplug("b")
    assert wait_shared_out(several, ["a"])
    longest, answers = outage(client)
    told(f"link cut, {address}", longest)
    assert answers > 0 and longest < taken_over_s()
    # It may have the addresses still, if it could not hear who has them now.
    client = several.watch(address, 8)
    time.sleep(1.5)
    several.plug("b")
    longest, answers = outage(client)
    told(f"link back, {address}", longest)
    assert answers > 0 and longest < taken_over_s()
    lab.wait_for("contact", lambda: several.status("b")["address_shares"]["in_contact"], 60)
    lab.wait_for("b to have nothing", lambda: not several.on_interface("b"), 20)
    assert several.on_interface("a") == set(ADDRESSES)


def test_a_node_whose_processes_are_killed_is_followed_though_its_kernel_still_answers(several):
    address = one_of(several, "b")
    client = several.watch(address, 12)
    time.sleep(1.5)
    several.kill_node("b")
    assert address in several.on_interface("b")
    longest, _ = outage(client)
    told(f"processes killed, {address}", longest)
    assert longest < taken_over_s()
    # Its kernel forgets them by itself, and the node that comes back takes none of them away.
    lab.wait_for("the addresses to expire", lambda: not several.on_interface("b"), 60)
    several.start_node("b")
    time.sleep(5)
    assert set(holders(several).values()) == {"a"}


def test_a_node_that_ends_in_order_hands_over_at_once(several):
    address = one_of(several, "b")
    client = several.watch(address, 8)
    time.sleep(1.5)
    several.daemons["b"].send_signal(signal.SIGTERM)
    wait_shared_out(several, ["a"])
    longest, _ = outage(client)
    told(f"ended in order, {address}", longest)
    assert longest < taken_over_s()
    assert several.daemons["b"].wait(40) == 0
    assert "handing" in several.read("b.log") and not several.on_interface("b")


def test_a_daemon_that_is_replaced_gives_nothing_away(several):
    before = holders(several)
    address = one_of(several, "b")
    client = several.watch(address, 6)
    (daemon,) = [one for one in several.status("b")["processes"] if one["name"] == "penstockd"]
    several.exec("b", "kill", "-TERM", str(daemon["pid"]))
    lab.wait_for("another daemon", lambda: several.status("b")["pid"] != daemon["pid"], 20)
    longest, _ = outage(client)
    told(f"daemon replaced, {address}", longest)
    assert holders(several) == before


def test_without_the_api_server_every_holder_keeps_answering_and_one_that_dies_is_followed(several):
    before = holders(several)
    clients = [several.watch(one_of(several, node, six), 8) for node in several.nodes for six in (False, True)]
    several.server.send_signal(signal.SIGSTOP)
    for client in clients:
        longest, answers = outage(client)
        told("API server away", longest)
        assert answers > 0 and longest < taken_over_s()
    for node in several.nodes:
        assert not several.status(node)["address_shares"]["in_contact"]
    assert holders(several) == before

    clients = {address: several.watch(address, 10) for address in (one_of(several, "b"), one_of(several, "b", True))}
    time.sleep(1.5)
    several.unplug("b")
    several.kill_node("b")
    wait_shared_out(several, ["a"])
    for address, client in clients.items():
        longest, answers = outage(client)
        told(f"power lost, API server away, {address}", longest)
        assert answers > 0 and longest < taken_over_s()
    assert "this node stands in" in several.read("a.log")
    shares = several.status("a")["address_shares"]
    assert shares["stood_in"] == sum(node == "b" for node in before.values()) and not shares["in_contact"]
    # Back in contact, a writes the Leases, and nothing moves.
    several.server.send_signal(signal.SIGCONT)
    lab.wait_for("a's Leases", lambda: all(row["holder"] == "a" for row in several.status("a")["addresses"]), 60)
    assert several.on_interface("a") == set(ADDRESSES)


def test_a_daemon_that_is_replaced_while_the_api_server_is_away_keeps_its_addresses(several):
    before = holders(several)
    there = several.on_interface("b")
    client = several.watch(one_of(several, "b"), 45)  # longer than an address lives that nobody renews
    several.server.send_signal(signal.SIGSTOP)
    (daemon,) = [one for one in several.status("b")["processes"] if one["name"] == "penstockd"]
    several.exec("b", "kill", "-TERM", str(daemon["pid"]))
    lab.wait_for("another daemon", lambda: several.status("b")["pid"] != daemon["pid"], 20)
    longest, answers = outage(client)
    told("daemon replaced, API server away", longest)
    assert answers > 0 and longest < taken_over_s() and several.on_interface("b") == there
    several.server.send_signal(signal.SIGCONT)
    for node in several.nodes:
        lab.wait_for("contact", lambda n=node: several.status(n)["address_shares"]["in_contact"], 60)
    time.sleep(8)
    assert holders(several) == before


@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_holder_cut_off_from_the_api_server_steps_back_for_its_follower(several, six):
    address = one_of(several, "b", six)
    client = several.watch(address, 12)
    time.sleep(1.5)
    several.ip("b", "route", "add", "blackhole", "10.91.0.1/32")
    wait_shared_out(several, ["a"])
    lab.wait_for("b to step back", lambda: not several.on_interface("b"), 20)
    longest, _ = outage(client)
    told(f"cut off, {address}", longest)
    assert longest < taken_over_s() and "somebody who claims it" in several.read("b.log")
    several.ip("b", "route", "del", "blackhole", "10.91.0.1/32")
    lab.wait_for("contact", lambda: several.status("b")["address_shares"]["in_contact"], 60)
    time.sleep(6)
    assert set(holders(several).values()) == {"a"}
