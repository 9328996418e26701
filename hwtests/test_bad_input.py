# SPDX-License-Identifier: Apache-2.0
"""Bad input, as users meet it: each gives an error or a condition that names the object, and what ran before goes on."""
import base64
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

import lab
from conftest import QUICKSTART
from edge import VIP4

GATEWAY = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"


def not_good(edge, name):
    return [c for c in edge.status()["not_good"] if c["object"]["name"] == name]


def unsolved(edge, part=""):
    return [e for e in edge.status()["errors"] if not e["solved"] and part in e["message"]]


def quickstart_serves(edge, vip=VIP4):
    """Every listener of the quickstart."""
    assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com", vip=vip).splitlines()[0]
    assert "200" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com", vip=vip).splitlines()[0]
    assert edge.curl("https://vault.example.com:8443/", "--cacert", edge.vault_cert, host="vault.example.com", vip=vip)
    assert edge.tcp(vip).endswith("hello")
    assert edge.udp(vip).endswith("hello")


# ---- files ------------------------------------------------------------------------------------------------------------
def test_files_that_cannot_be_read_are_named_and_hide_nobody(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    folder = pathlib.Path(edge.manifests)
    (folder / "dangling.yaml").symlink_to("nowhere")
    (folder / "folder.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    edge.put("huge.yaml", "#" * (16 << 20) + "\n")
    edge.put("binary.yaml", "x")
    (folder / "binary.yaml").write_bytes(b"kind: \xff\xfe\x00\n")

    def told():
        return {d["file"]: d["message"] for d in edge.status()["sources"][0]["diagnostics"] if d["severity"] == "error"}
    lab.wait_for("five complaints", lambda: len(told()) == 5)
    said = told()
    assert "No such file" in said["dangling.yaml"]
    assert "regular file" in said["folder.yaml"] and "regular file" in said["pipe.yaml"]
    assert "larger than" in said["huge.yaml"]
    assert "UTF-8" in said["binary.yaml"]
    assert edge.gwctl("status", check=False).returncode == 1
    quickstart_serves(edge)
    # And the good one among them still changes what is served.
    edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: edited\n"))
    lab.wait_for("the edit", lambda: "edited" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com"))


def test_a_file_of_a_million_documents_is_bounded(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    edge.put("many.yaml", "a: 1\n---\n" * 1_000_000)
    said = lab.wait_for("the complaint", lambda: [d for d in edge.status()["sources"][0]["diagnostics"] if d["file"] == "many.yaml"], 60)
    assert len(said) <= 101 and "more are not shown" in said[-1]["message"]
    quickstart_serves(edge)
    started = time.monotonic()
    edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: edited\n"))
    lab.wait_for("the edit", lambda: "edited" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com"))
    assert time.monotonic() - started < 5  # a file that did not change is not read again


def test_a_folder_that_goes_and_comes_back(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    os.rename(edge.manifests, edge.manifests + ".away")
    lab.wait_for("the complaint", lambda: edge.status()["sources"][0]["state"] == "failed")
    assert edge.manifests in edge.gwctl("status", check=False).stderr
    quickstart_serves(edge)
    os.mkdir(edge.manifests)
    edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: restored\n"))
    lab.wait_for("the folder", lambda: "restored" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com"))
    assert edge.status()["sources"][0]["state"] == "ok"


def test_a_folder_as_a_configmap_volume_swaps_it(make_edge):
    edge = make_edge({})
    folder = pathlib.Path(edge.manifests)

    def swap(version, text):
        (folder / f"..{version}").mkdir()
        (folder / f"..{version}" / "edge.yaml").write_text(text)
        (folder / "..data_tmp").symlink_to(f"..{version}")
        os.rename(folder / "..data_tmp", folder / "..data")
    swap("v1", QUICKSTART)
    (folder / "edge.yaml").symlink_to("..data/edge.yaml")
    lab.wait_for("the first version", lambda: "penstock" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com", check=False))
    swap("v2", QUICKSTART.replace("value: penstock\n", "value: swapped\n"))
    lab.wait_for("the second version", lambda: "swapped" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com"))
    assert edge.status()["sources"][0]["state"] == "ok"


# ---- objects ------------------------------------------------------------------------------------------------------------
def without(text, pattern):
    edited, count = re.subn(pattern, "", text, flags=re.M)
    assert count == 1
    return edited


def with_another_key(edge, text):
    _, key = edge.certificate("other", "shop.example.com")
    return re.sub(r"tls\.key: \S+", "tls.key: " + base64.b64encode(pathlib.Path(key).read_bytes()).decode(), text)


@pytest.mark.parametrize("spoil", [lambda edge, text: without(text, r"^  tls\.key: .*\n"), with_another_key], ids=["no key", "another key"])
def test_a_certificate_that_cannot_be_used_is_a_condition_of_its_listener(make_edge, spoil):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    edge.put("quickstart.yaml", spoil(edge, QUICKSTART))
    bad = lab.wait_for("the condition", lambda: [c for c in not_good(edge, "edge") if c["where"] == "listener https" and c["type"] == "ResolvedRefs"])
    assert bad[0]["reason"] == "InvalidCertificateRef" and "shop-certificate" in bad[0]["message"]
    assert "InvalidCertificateRef" in edge.gwctl("describe", "gateway", "edge").stdout
    # Its neighbours do not notice.
    assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com").splitlines()[0]
    assert edge.curl("https://vault.example.com:8443/", "--cacert", edge.vault_cert, host="vault.example.com")
    assert edge.tcp(VIP4).endswith("hello")


def test_a_port_that_two_gateways_ask_for_stays_with_the_older_one(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    time.sleep(1.1)  # ages are whole seconds
    edge.put("later.yaml", GATEWAY + f"""metadata: {{name: a-later-one}}
spec:
  gatewayClassName: penstock
  addresses: [{{value: {VIP4}}}]
  listeners:
  - {{name: web, port: 80, protocol: TCP}}
  - {{name: own, port: 8081, protocol: HTTP}}
""")
    bad = lab.wait_for("the condition", lambda: [c for c in not_good(edge, "a-later-one") if c["where"] == "listener web" and c["type"] == "Accepted"])
    assert bad[0]["reason"] == "PortUnavailable" and "Gateway default/edge" in bad[0]["message"]
    edge.wait_taken()
    quickstart_serves(edge)
    # No route: but it is we who say so.
    assert "404" in edge.curl("http://late.example.com:8081/", "-i", host="late.example.com").splitlines()[0]


def test_an_object_that_the_api_refuses_is_named_with_its_line_and_changes_nothing(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    edge.put("twins.yaml", GATEWAY + """metadata: {name: twins}
spec:
  gatewayClassName: penstock
  listeners:
  - {name: one, port: 8082, protocol: HTTP}
  - {name: two, port: 8082, protocol: HTTP}
""")
    said = lab.wait_for("the complaint", lambda: [d for d in edge.status()["sources"][0]["diagnostics"] if d["file"] == "twins.yaml"])
    assert said[0]["line"] == 8 and said[0]["path"] == "spec.listeners[1]" and "same port" in said[0]["message"]
    assert "twins.yaml:8: " in edge.gwctl("status", check=False).stderr
    quickstart_serves(edge)


# ---- limits -------------------------------------------------------------------------------------------------------------
EXTRA = "".join("""---
apiVersion: v1
kind: Service
metadata: {{name: extra-{n}}}
spec: {{ports: [{{port: 5432}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: extra-{n}, labels: {{kubernetes.io/service-name: extra-{n}}}}}
addressType: IPv4
ports: [{{port: 5432}}]
endpoints: [{{addresses: [192.0.2.11]}}, {{addresses: [192.0.2.12]}}, {{addresses: [192.0.2.13]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{name: extra-{n}}}
spec:
  parentRefs: [{{name: extra, sectionName: l{n}}}]
  rules: [{{backendRefs: [{{name: extra-{n}, port: 5432}}]}}]
""".format(n=n) for n in range(8))


def extra_gateway():
    listeners = "".join(f"  - {{name: l{n}, port: {7000 + n}, protocol: TCP}}\n" for n in range(8))
    return GATEWAY + f"metadata: {{name: extra}}\nspec:\n  gatewayClassName: penstock\n  addresses: [{{value: {VIP4}}}]\n  listeners:\n{listeners}" + EXTRA


def test_a_full_table_of_vips_leaves_the_youngest_gateway_out_and_says_so(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--vips-max", "12"])
    if edge.status()["datapath"]["in_use"] != "xdp":
        pytest.skip("no BPF here")
    time.sleep(1.1)
    edge.put("extra.yaml", extra_gateway())
    bad = lab.wait_for("the condition", lambda: [c for c in not_good(edge, "extra") if c["type"] == "Programmed" and not c["where"]])
    assert bad[0]["reason"] == "NoResources" and "12" in bad[0]["message"]
    edge.wait_taken()
    quickstart_serves(edge)
    os.unlink(os.path.join(edge.manifests, "quickstart.yaml"))
    edge.put("class.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\n"
                           "spec: {controllerName: penstock.dev/gateway-controller}\n")
    lab.wait_for("room for it", lambda: not not_good(edge, "extra"))
    assert edge.tcp(VIP4, 7003).endswith("hello")


@pytest.mark.parametrize("limit", ["--services-max", "--backends-max"])
def test_services_that_do_not_fit_the_core_are_served_by_the_worker(make_edge, limit):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=[limit, "8"])
    if edge.status()["datapath"]["in_use"] != "xdp":
        pytest.skip("no BPF here")
    edge.put("extra.yaml", extra_gateway())
    lab.wait_for("the routes", lambda: edge.tcp(VIP4, 7007, "served").endswith("served"))
    edge.wait_taken()
    for port in range(7000, 7008):
        assert edge.tcp(VIP4, port).endswith("hello")
    ways = {one["way"] for one in edge.status()["listeners"] if "/extra/" in one["name"]}
    assert "worker" in ways
    assert not unsolved(edge)
    quickstart_serves(edge)


# Opens connections in crowds, one crowd after the other, keeps those that are greeted, and asks each of them for an echo at the end.
# Prints "greeted answering" for each crowd.
CROWDS = """
import select, socket, sys, time
crowds = []
for count in map(int, sys.argv[2:]):
    crowd = [socket.socket() for _ in range(count)]
    for s in crowd:
        s.setblocking(False)
        s.connect_ex((sys.argv[1], 5432))
    poll = select.poll()
    for s in crowd:
        poll.register(s, select.POLLIN)
    greeted, end = set(), time.monotonic() + 2.5
    while time.monotonic() < end and len(greeted) < count:
        for fd, what in poll.poll(100):
            poll.unregister(fd)
            greeted |= {fd} if what == select.POLLIN else set()
    crowds.append([s for s in crowd if s.fileno() in greeted])
    for s in set(crowd) - set(crowds[-1]):
        s.close()
for crowd in crowds:
    whole = 0
    for s in crowd:
        s.settimeout(5)
        try:
            s.recv(4096)
            s.sendall(b"again\\n")
            whole += s.recv(4096) == b"again\\n"
        except OSError:
            pass
    print(len(crowd), whole)
"""


def crowded(edge):
    """Packets of flows that found no place among the proven ones: they may lose the one they have on trial."""
    return sum(v["count"] for v in edge.status()["counters"]["verdicts"] if v["name"] == "FORWARD_CROWDED")


def no_room(edge):
    line = next(row for row in edge.gwctl("status").stdout.splitlines() if row.startswith("DROP_NO_PORT"))
    assert int(line.split()[1]) > 0 and "no source port is free" in line


def test_a_full_flow_table_costs_no_flow_that_is_there(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--flows-max", "64"])
    if edge.status()["datapath"]["in_use"] != "xdp":
        pytest.skip("no BPF here")
    crowds = [tuple(map(int, line.split())) for line in edge.python(CROWDS, VIP4, "20", "100").splitlines()]
    lost = sum(greeted - whole for greeted, whole in crowds)
    assert crowds[0][0] > 0 and sum(greeted for greeted, _ in crowds) < 120 and lost <= crowded(edge)
    no_room(edge)


def test_nat_ports_that_run_out_are_counted_and_shown(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--nat-ports", "64000-64003"])
    if edge.status()["datapath"]["in_use"] != "xdp":
        pytest.skip("no BPF here")
    greeted, whole = map(int, edge.python(CROWDS, VIP4, "30").split())
    assert 0 < greeted < 30 and greeted - whole <= crowded(edge)
    no_room(edge)


# ---- the machine ----------------------------------------------------------------------------------------------------------
LOCAL = GATEWAY.replace("kind: Gateway", "kind: GatewayClass") + """metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
""" + GATEWAY + """metadata: {name: plain}
spec:
  gatewayClassName: penstock
  listeners:
  - {name: high, port: 8080, protocol: HTTP}
  - {name: low, port: 80, protocol: HTTP}
"""


def as_nobody(edge):
    """The daemon's command line without any privilege. Its programs are copied, as the build may lie where nobody may look."""
    programs = os.path.join(edge.folder, "bin")
    os.makedirs(programs, exist_ok=True)
    for name in ("penstockd", "penstock-keeper", "penstock-worker"):
        shutil.copy(edge.bin / name, programs)
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", os.path.join(programs, "penstockd")]


def unprivileged(edge, *options):
    """Starts penstockd as nobody, with a state folder of its own."""
    edge.state = os.path.join(edge.folder, "plain-run")
    os.mkdir(edge.state)
    os.chown(edge.state, 65534, 65534)
    return edge.start("edge", *as_nobody(edge), "--state-dir", edge.state, "--pin-dir", edge.pins, "--config", edge.manifests, *options, log="plain.log")


def test_without_privileges_auto_serves_in_user_space_and_says_why(make_edge):
    edge = make_edge({"plain.yaml": LOCAL}, backends=False)
    edge.stop(edge.daemon)
    edge.sysctl("edge", "net.ipv4.ip_unprivileged_port_start", "1024")
    plain = unprivileged(edge, "--address", lab.V4["client"][1])
    lab.wait_for("the control socket", lambda: edge.get("/v1/version"))
    lab.wait_for("the listener", lambda: "404" in edge.curl(f"http://{lab.V4['client'][1]}:8080/", "-i", check=False))
    status = edge.status()
    assert status["datapath"]["in_use"] == "userspace"
    assert "CAP_" in status["datapath"]["reason"] or "permitted" in status["datapath"]["reason"]
    low = lab.wait_for("the error", lambda: unsolved(edge, ":80"))
    assert low[0]["object"]["name"] == "plain" and low[0]["caused_by"] == "Permission denied" and "CAP_NET_BIND_SERVICE" in low[0]["hint"]
    shown = edge.gwctl("status", check=False)
    assert shown.returncode == 1 and "userspace (asked for: auto)" in shown.stdout
    edge.stop(plain)


def test_without_privileges_xdp_is_refused_with_its_reason(make_edge):
    edge = make_edge({"plain.yaml": LOCAL}, backends=False)
    edge.stop(edge.daemon)
    plain = unprivileged(edge, "--datapath", "xdp")
    assert plain.wait(20) == 3
    said = edge.read("plain.log")
    assert "error: --datapath=xdp: " in said and "hint: " in said


def test_a_state_folder_that_one_may_not_write_is_told(make_edge):
    edge = make_edge({"plain.yaml": LOCAL}, backends=False)
    done = subprocess.run([*as_nobody(edge), "--state-dir", "/run/pst-not-ours"],
                          capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 3
    assert "error: make the state folder /run/pst-not-ours" in done.stderr and "--state-dir" in done.stderr


def test_a_full_disk_refuses_loads_and_serves_the_folder(make_edge):
    edge = make_edge({"quickstart.yaml": QUICKSTART})
    edge.stop(edge.daemon)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", edge.state], check=True)
    try:
        edge.start_daemon()
        filler = pathlib.Path(edge.state, "filler")
        with open(filler, "wb", buffering=0) as file:
            with pytest.raises(OSError):
                while True:
                    file.write(b"x" * 4096)
        loaded = edge.gwctl("load", "-f", "-", check=False, text_in="apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}\n")
        assert loaded.returncode == 3
        assert "error: " in loaded.stderr and "No space left on device" in loaded.stderr
        edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: full\n"))
        lab.wait_for("the edit", lambda: "full" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com"))
        full = lab.wait_for("the error", lambda: unsolved(edge, "keep "))
        assert full[0]["caused_by"] == "No space left on device"
        quickstart_serves(edge)
        filler.unlink()
        lab.wait_for("the next try", lambda: not unsolved(edge), 40)
        assert edge.gwctl("load", "-f", "-", text_in="apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}\n").returncode == 0
    finally:
        edge.stop(edge.daemon)
        subprocess.run(["umount", edge.state], check=False)
