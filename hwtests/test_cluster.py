# SPDX-License-Identifier: Apache-2.0
"""Penstock in a cluster: Gateways of both families, which the conformance suite lacks, and what goes wrong with an API server.

Whatever it is: nothing served goes away, and the statuses converge. Each fault is mended before its test ends."""
import json
import shutil
import signal
import time

import pytest

import cluster as clusters
from cluster import eventually
from edge import ROOT


def v4_of(cluster):
    return next(one for one in cluster.addresses("both") if ":" not in one)


def apply_route(cluster, name):
    """A route with a redirect of its own."""
    cluster.apply(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: lab}}
spec:
  parentRefs: [{{name: both, sectionName: http}}]
  hostnames: [{name}.lab.example]
  rules: [{{filters: [{{type: RequestRedirect, requestRedirect: {{hostname: moved.example}}}}]}}]
""")


def wait_told(cluster, name):
    eventually(lambda: cluster.condition("httproute", name, "Accepted", parent=True) == "True", f"route {name} has its status")


def new_route(cluster, name):
    """Makes a route and deletes it; the seconds until it serves, and until its status says so."""
    apply_route(cluster, name)
    begun = time.monotonic()
    eventually(lambda: cluster.ask(v4_of(cluster), f"{name}.lab.example") == 302, f"route {name} serves")
    served = time.monotonic() - begun
    wait_told(cluster, name)
    told = time.monotonic() - begun
    cluster.kubectl("-n", "lab", "delete", "httproute", name)
    return served, told


def ask_both_families(cluster):
    six, both = cluster.addresses("six"), cluster.addresses("both")
    assert [":" in one for one in six] == [True]
    assert sorted(":" in one for one in both) == [False, True]
    for address in six + both:
        for host in ("one.lab.example", "six.lab.example"):  # a backend of either family behind each
            eventually(lambda: cluster.ask(address, host) == 200, f"{host} on {address}", 10)
        assert cluster.ask(address, "other.lab.example") == 404
        eventually(lambda: cluster.ask(address, "anything", 3000) == 200, f"TCP on {address}", 10)
    for address in both:
        assert cluster.ask(address, "secure.lab.example", 443, "-k") == 200
    assert cluster.condition("tcproute", "six", "Accepted", parent=True) == "True"


def test_gateways_of_ipv6_and_of_both_families_serve_http_and_tcp(cluster):
    assert cluster.daemons[0].status()["datapath"]["in_use"] == "xdp"
    ask_both_families(cluster)


def test_gateways_of_both_families_serve_from_user_space_too(cluster):
    first = cluster.daemons[0]
    before = first.options
    try:
        first.end()
        first.options = [*before, "--datapath", "userspace"]
        first.start()
        eventually(lambda: first.serves() and first.status()["datapath"]["in_use"] == "userspace", "the daemon serves without BPF", 40)
        ask_both_families(cluster)
    finally:
        first.end()
        first.options = before
        first.start()
    eventually(first.writes, "the daemon writes again", 40)
    eventually(lambda: cluster.ask(v4_of(cluster), "one.lab.example") == 200, "the Gateway is back")


def test_the_api_server_is_killed_and_comes_back(cluster):
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    pid, command = cluster.api_server()
    clusters.run("kill", "-9", str(pid))
    time.sleep(15)
    cluster.start_api_server(command)
    served, told = new_route(cluster, "after-restart")
    answers = steady.stop()
    print(f"a new route served {served:.1f} s after it was made, its status {told:.1f} s")
    assert set(answers) == {"200"} and len(answers) > 50


def test_the_api_server_cannot_be_reached_for_a_minute(cluster):
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    clusters.run("ip", "-n", "gwrig-cp", "link", "set", "node", "down")
    time.sleep(60)
    clusters.run("ip", "-n", "gwrig-cp", "link", "set", "node", "up")
    served, told = new_route(cluster, "after-silence")
    answers = steady.stop()
    print(f"a new route served {served:.1f} s after it was made, its status {told:.1f} s")
    assert set(answers) == {"200"} and len(answers) > 200


def test_the_api_server_is_slow(cluster):
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    cluster.order("delay 0.5")  # each 4 KiB
    try:
        served, told = new_route(cluster, "by-and-by")
    finally:
        cluster.order("")
        answers = steady.stop()
    assert set(answers) == {"200"}
    print(f"a new route served {served:.1f} s after it was made, its status {told:.1f} s")
    new_route(cluster, "fast-again")


def test_the_api_server_refuses_much_of_what_it_is_asked(cluster):
    """Too many requests, and errors of its own, for half of them and then for all."""
    first = cluster.daemons[0]
    first.end()
    before, first.kubeconfig = first.kubeconfig, cluster.refuser()
    first.start()
    try:
        eventually(first.writes, "the daemon writes through the other way")
        eventually(lambda: cluster.ask(v4_of(cluster), "one.lab.example") == 200, "the Gateway is back")
        for code in (429, 500):
            steady = cluster.steady(v4_of(cluster), "one.lab.example")
            cluster.refuse(f"{code} 0.5")
            served, told = new_route(cluster, f"half-{code}")
            print(f"half are answered {code}: a new route served {served:.1f} s after it was made, its status {told:.1f} s")
            cluster.refuse(f"{code} 1")
            requests = first.status()["cluster"]["requests"]
            time.sleep(20)
            asked = first.status()["cluster"]["requests"] - requests
            cluster.refuse("")
            served, told = new_route(cluster, f"after-{code}")
            print(f"after 20 s of {code}, in which it asked {asked} times: a new route served {served:.1f} s after it was made, its status {told:.1f} s")
            assert asked < 600  # 30 a second, with sixteen kinds and their statuses
            answers = steady.stop()
            assert set(answers) == {"200"} and len(answers) > 50
    finally:
        cluster.refuse("")
        first.end()
        first.kubeconfig = before
        first.start()
    eventually(first.writes, "the daemon writes again", 40)


def test_the_clock_jumps(cluster, tmp_path):
    """Forward and back, under a daemon that writes; another one with the right time sees no reason to take over."""
    shift = tmp_path / "shift"
    set_shift = lambda seconds: shift.write_bytes(seconds.to_bytes(8, "little", signed=True))  # noqa: E731
    set_shift(0)
    clusters.run("cc", "-shared", "-fPIC", "-O1", "-o", str(tmp_path / "clock.so"), str(ROOT / "hwtests" / "clock_shift.c"), "-ldl")
    first = cluster.daemons[0]
    first.end()
    first.environment = {"LD_PRELOAD": str(tmp_path / "clock.so"), "PST_CLOCK_SHIFT": str(shift)}
    first.start()
    second = None
    try:
        eventually(first.writes, "the daemon writes", 40)
        eventually(lambda: cluster.ask(v4_of(cluster), "one.lab.example") == 200, "the Gateway is back")
        second = cluster.daemon("steady", namespace=cluster.second_node("steady", "10.249.0.6"), options=["--datapath", "userspace"])
        eventually(second.serves, "the second daemon serves")
        steady = cluster.steady(v4_of(cluster), "one.lab.example")
        for number, seconds in enumerate((5 * 3600, -50 * 60, 0)):  # as far back as the API server's certificate is valid
            set_shift(seconds)
            served, told = new_route(cluster, f"jump-{number}")
            print(f"the clock is {seconds} s ahead: a new route served {served:.1f} s after it was made, its status {told:.1f} s")
            time.sleep(16)  # longer than the Lease of who writes
            assert first.writes() and not second.writes()
        answers = steady.stop()
        assert set(answers) == {"200"} and len(answers) > 200
    finally:
        if second:
            cluster.daemons.remove(second)
            second.close()
        first.end()
        first.environment = {}
        first.start()
    eventually(first.writes, "the daemon writes again", 40)


def test_watches_are_cut_in_the_middle_of_an_object(cluster):
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    for number, after in enumerate((0, 1, 100, 700, 3000)):
        cluster.order(f"cut {after}")
        cluster.apply(f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: junk-{number}, namespace: lab}}
data: {{text: "{'x' * 5000}"}}
""")
        time.sleep(1)
        cluster.order("")
        served, told = new_route(cluster, f"after-cut-{number}")
        print(f"cut after {after} bytes: a new route served {served:.1f} s after it was made, its status {told:.1f} s")
    assert set(steady.stop()) == {"200"}


def test_the_daemon_that_writes_is_killed(cluster):
    """Its keeper and its workers live on."""
    first = cluster.daemons[0]
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    pid = first.process_of("penstockd")
    clusters.run("kill", "-9", str(pid))
    eventually(lambda: first.process_of("penstockd") not in (None, pid), "the keeper has started another")
    eventually(first.writes, "it writes", 40)
    new_route(cluster, "after-the-daemon")
    time.sleep(1)  # all of that may be over sooner than the client has asked often enough
    answers = steady.stop()
    assert set(answers) == {"200"} and len(answers) > 5


def test_two_daemons_one_writer_and_the_leader_is_killed(cluster):
    """First the one that serves no client: only its statuses can be missed. Then the one that serves them all."""
    first = cluster.daemons[0]
    second = cluster.daemon("two", namespace=cluster.second_node("two", "10.249.0.4"), options=["--datapath", "userspace"])
    eventually(second.serves, "the second daemon serves")
    assert first.writes() and not second.writes()
    new_route(cluster, "of-two")
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    cluster.hand_writing_to("two")
    eventually(lambda: second.writes() and not first.writes(), "the second daemon writes")
    new_route(cluster, "of-the-second")
    second.end(signal.SIGKILL)
    served, told = new_route(cluster, "after-the-second")
    print(f"the writer is killed: a new route served {served:.1f} s after it was made, its status {told:.1f} s")
    assert first.writes()
    answers = steady.stop()
    assert set(answers) == {"200"} and len(answers) > 50

    second.start()
    eventually(second.serves, "the second daemon is back")
    first.end(signal.SIGKILL)  # the whole node
    eventually(second.writes, "the second daemon writes", 40)
    first.start()
    eventually(first.serves, "the first daemon is back")
    apply_route(cluster, "of-two-again")
    wait_told(cluster, "of-two-again")
    assert second.writes() and not first.writes()
    second.end()  # its addresses with it, which it has since the first died
    eventually(first.writes, "the first daemon writes again", 40)
    eventually(lambda: cluster.ask(v4_of(cluster), "of-two-again.lab.example") == 302, "the addresses are back")
    cluster.kubectl("-n", "lab", "delete", "httproute", "of-two-again")
    cluster.daemons.remove(second)
    second.close()


def test_a_node_that_joins_leaves_the_way_to_the_api_server_as_it_is(cluster):
    """The rig's bridge keeps its MAC, which kubectl's next connection goes to."""
    mac = lambda: json.loads(clusters.run("ip", "-n", "gwrig-cp", "-j", "link", "show", "mgmt"))[0]["address"]  # noqa: E731
    before = mac()
    cluster.second_node("low", "10.249.0.7", mac="00:00:5e:00:53:01")
    assert mac() == before
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"


NODE = """
apiVersion: v1
kind: Node
metadata: {{name: {name}}}
"""


def goes_with_its_node(cluster, name):
    """Whether the PenstockNode of that name is the property of the Node of that name that there is now."""
    node, told = (json.loads(cluster.kubectl("get", kind, name, "-o", "json", check=False) or "{}").get("metadata", {}) for kind in ("node", "penstocknode"))
    return "uid" in node and [one["uid"] for one in told.get("ownerReferences", [])] == [node["uid"]]


@pytest.mark.parametrize("absent", [0, 10])
def test_the_node_is_registered_anew(cluster, absent):
    """Seconds later: the garbage collector takes the PenstockNode away before there is a Node again."""
    first = cluster.daemons[0]
    eventually(lambda: goes_with_its_node(cluster, first.name), "the PenstockNode goes with its Node")
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    before = cluster.kubectl("get", "penstocknode", first.name, "-o", "jsonpath={.metadata.uid}")
    cluster.kubectl("delete", "node", first.name)
    time.sleep(absent)
    cluster.apply(NODE.format(name=first.name))
    eventually(lambda: goes_with_its_node(cluster, first.name), "the PenstockNode goes with the new Node")
    assert cluster.kubectl("get", "penstocknode", first.name, "-o", "jsonpath={.metadata.uid}") != before
    new_route(cluster, f"node-{absent}")
    time.sleep(1)
    answers = steady.stop()
    assert set(answers) == {"200"} and len(answers) > 10


OF_OTHERS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: of-others}
spec: {controllerName: example.com/others}"""


def test_what_configs_deploy_allows_is_enough(cluster):
    """A daemon with the service account's token, which does all that one does: it is the writer, and gives a Gateway its Service."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "configs" / "deploy" / "base"))
    may = ("auth", "can-i", "--as=system:serviceaccount:penstock:penstock", "-A")
    assert cluster.kubectl(*may, "patch", "httproutes", "--subresource=status").strip() == "yes"
    assert cluster.kubectl(*may, "patch", "httproutes", check=False).strip() == "no"
    assert cluster.kubectl(*may, "get", "nodes").strip() == "yes"
    assert cluster.kubectl(*may, "list", "nodes", check=False).strip() == "no"
    assert cluster.kubectl("auth", "can-i", "--as=system:serviceaccount:penstock:penstock", "-n", "penstock", "delete", "leases.coordination.k8s.io").strip() == "yes"
    token = cluster.kubectl("-n", "penstock", "create", "token", "penstock").strip()
    kubeconfig = clusters.STATE / "kubeconfig-account"
    admin = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    admin["users"] = [{"name": "account", "user": {"token": token}}]
    admin["contexts"] = [{"name": "account", "context": {"cluster": admin["clusters"][0]["name"], "user": "account", "namespace": "penstock"}}]
    kubeconfig.write_text(json.dumps({**admin, "current-context": "account"}))
    of_class = lambda name: cluster.kubectl("-n", "lab", "patch", "gateway", "six", "--type=merge", "-p", json.dumps({"spec": {"gatewayClassName": name}}))  # noqa: E731
    ours = cluster.get("gateway", "six")["spec"]["gatewayClassName"]
    cluster.daemons[0].end()
    account = cluster.daemon("account", namespace=cluster.second_node("account", "10.249.0.5"), kubeconfig=kubeconfig, options=["--datapath", "userspace"])
    try:
        eventually(account.writes, "the service account's daemon writes", 40)
        cluster.kubectl("-n", "lab", "delete", "service", "six-penstock")
        eventually(lambda: cluster.kubectl("-n", "lab", "get", "service", "six-penstock", "-o", "name", check=False), "the Gateway's Service is back")
        cluster.kubectl("-n", "lab", "annotate", "gateway", "six", "lab/edit=1")
        cluster.kubectl("-n", "lab", "patch", "gateway", "six", "--type=merge", "-p", '{"spec":{"infrastructure":{"labels":{"lab":"1"}}}}')
        eventually(lambda: cluster.condition("gateway", "six", "Programmed") == "True", "the edited Gateway has its status")
        cluster.apply(OF_OTHERS)
        made = ("-n", "lab", "get", "services,endpointslices", "-l", "gateway.networking.k8s.io/gateway-name=six", "-o", "name")
        before = set(cluster.kubectl(*made).split())
        assert len(before) == 3  # a Service, and slices of both families
        of_class("of-others")
        eventually(lambda: cluster.kubectl(*made) == "", "what was made for the Gateway goes when another controller takes it")
        of_class(ours)
        eventually(lambda: set(cluster.kubectl(*made).split()) == before, "and is there again")
        eventually(lambda: cluster.condition("gateway", "six", "Programmed") == "True", "the Gateway that came back is served")
        cluster.apply(NODE.format(name="account"))  # the owner of what was there before it
        eventually(lambda: goes_with_its_node(cluster, "account"), "the PenstockNode goes with its Node")
        assert [one for one in account.status()["errors"] if not one["solved"]] == []
        assert "forbidden" not in account.log.read_text().lower()
    finally:
        of_class(ours)
        cluster.daemons.remove(account)
        account.close()
        cluster.kubectl("delete", "node/account", "gatewayclass/of-others", "--ignore-not-found")
        cluster.daemons[0].start()
    eventually(cluster.daemons[0].writes, "the first daemon writes again", 40)


def test_the_components_of_configs_deploy_fit_in(cluster, tmp_path):
    shutil.copytree(ROOT / "configs" / "deploy", tmp_path / "deploy")
    file = tmp_path / "deploy" / "kustomization.yaml"
    assert "\n# components: [" in file.read_text()
    file.write_text(file.read_text().replace("\n# components: [", "\ncomponents: ["))
    made = cluster.kubectl("kustomize", str(tmp_path / "deploy")).split("\n---\n")
    assert sum("kind: PodMonitor" in one for one in made) == 1
    assert any("kind: DaemonSet" in one and "localhostProfile: penstock.json" in one for one in made)
    known = [one for one in made if "kind: PodMonitor" not in one]  # whose CRD is not here
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-", input="\n---\n".join(known))


def test_a_secret_is_deleted_and_restored(cluster):
    address = v4_of(cluster)
    steady = cluster.steady(address, "one.lab.example")
    cluster.kubectl("-n", "lab", "delete", "secret", "secure")
    listener = lambda: next(one for one in cluster.get("gateway", "both")["status"]["listeners"] if one["name"] == "https")  # noqa: E731
    resolved = lambda: next(one for one in listener()["conditions"] if one["type"] == "ResolvedRefs")  # noqa: E731
    eventually(lambda: resolved()["status"] == "False", "the listener lacks its certificate")
    assert resolved()["reason"] == "InvalidCertificateRef"
    cluster.apply(cluster.secret)
    eventually(lambda: resolved()["status"] == "True", "the listener has its certificate again")
    eventually(lambda: cluster.ask(address, "secure.lab.example", 443, "-k") == 200, "HTTPS is served again", 10)
    assert set(steady.stop()) == {"200"}  # its neighbours go on


def test_a_thousand_routes_are_deleted_at_once(cluster):
    cluster.kubectl("create", "namespace", "bulk")
    routes = "\n---\n".join(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r{number}, namespace: bulk}}
spec:
  parentRefs: [{{name: both, namespace: lab, sectionName: http}}]
  hostnames: [r{number}.bulk.example]
  rules: [{{filters: [{{type: RequestRedirect, requestRedirect: {{hostname: moved.example}}}}]}}]""" for number in range(1000))
    cluster.apply(routes)
    attached = lambda: next(one for one in cluster.get("gateway", "both")["status"]["listeners"] if one["name"] == "http")["attachedRoutes"]  # noqa: E731
    before = eventually(lambda: attached() >= 1000 and attached(), "a thousand routes are attached", 120)
    steady = cluster.steady(v4_of(cluster), "one.lab.example")
    cluster.kubectl("-n", "bulk", "delete", "httproutes", "--all", "--wait=false")
    begun = time.monotonic()
    eventually(lambda: attached() == before - 1000, "none is attached any more", 120)
    print(f"none was attached {time.monotonic() - begun:.1f} s after the last was deleted")
    assert cluster.ask(v4_of(cluster), "r7.bulk.example") == 404
    assert set(steady.stop()) == {"200"}
    cluster.kubectl("delete", "namespace", "bulk", "--wait=false")
