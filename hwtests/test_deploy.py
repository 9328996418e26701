# SPDX-License-Identifier: Apache-2.0
"""What the Dockerfile and configs/deploy give to Penstock is enough for it; without a container runtime."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

import contained
import lab
from conftest import QUICKSTART
from edge import ROOT, VIP4, VIP6, binaries, outcome

PROGRAMS = ("penstockd", "penstock-keeper", "penstock-worker", "gwctl")


# ---- the image --------------------------------------------------------------------------------------------------------
def installed():
    """{package: (whether every image has it, {packages that it depends on})}, of this machine."""
    out = {}
    listed = lab.run("dpkg-query", "-W", "-f=${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n")
    for line in listed.splitlines():
        name, essential, depends = line.split("\t")
        needs = {one.split()[0].split(":")[0] for one in re.split(r"[,|]", depends) if one.strip()}
        out[name] = (essential == "yes" or name == "apt", needs)
    return out


def closure(names, packages):
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += packages[name][1] if name in packages else []
    return found


def owner(library):
    """The package of a library, which dpkg may know by its path before /lib became a link."""
    for path in (library, os.path.realpath(library), os.path.realpath(library).removeprefix("/usr")):
        told = lab.run("dpkg-query", "-S", path, check=False)
        if told:
            return told.split(":")[0]
    raise AssertionError(f"no package has {library}")


def test_the_image_has_every_library_of_the_programs_and_no_other():
    text = (ROOT / "Dockerfile").read_text()
    system, version = re.search(r"^FROM (\w+):(\w+)-slim$", text, re.MULTILINE).groups()
    here = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    if (here.get("ID"), here.get("VERSION_ID", "").strip('"')) != (system, version):
        pytest.skip(f"the image is of {system} {version}, this machine is not")
    listed = set(re.search(r"apt-get install -y --no-install-recommends ((?:[\w.+-]+ )+)", text).group(1).split())
    used = set()
    for program in PROGRAMS:
        libraries = re.findall(r"=> (/\S+) \(", lab.run("ldd", str(binaries() / program)))
        assert libraries
        used |= {owner(one) for one in libraries}
    packages = installed()
    there = closure(listed | {name for name, (always, _) in packages.items() if always}, packages)
    assert used - there == set()
    assert {one for one in listed if one.startswith("lib")} - used == set()


# ---- the DaemonSet ----------------------------------------------------------------------------------------------------
def test_the_daemonset_is_what_contained_py_takes_it_for():
    text = (ROOT / "configs" / "deploy" / "base" / "daemonset.yaml").read_text()
    for line in ("readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "hostNetwork: true"):
        assert line in text
    assert re.findall(r"mountPath: ([\w/-]+)", text) == ["/sys/fs/bpf", "/run/penstock", "/etc/penstock/session-keys"]
    assert not re.search(r"hostPID|privileged:", text)


def processes_of(launcher):
    """Every process in the container, by its id outside."""
    (first,) = pathlib.Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    inside = os.readlink(f"/proc/{first}/ns/pid")
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "ns" / "pid") == inside:
                found[int(path.name)] = dict(line.split(":\t", 1) for line in (path / "status").read_text().splitlines())
        except OSError:
            pass  # it has ended
    return found


def serves(edge):
    for vip in (VIP4, VIP6):
        assert "200" in edge.curl("http://shop.example.com:80/", "-i", host="shop.example.com", vip=vip).splitlines()[0]
        assert "200" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com", vip=vip).splitlines()[0]
        assert edge.tcp(vip).endswith("hello")
        assert edge.udp(vip).endswith("hello")


def contain(folder, *options):
    """Programs of which penstockd runs in a container; those of before are replaced."""
    real = binaries().resolve()
    if not (folder / "gwctl").exists():
        (folder / "gwctl").symlink_to(real / "gwctl")
    (folder / "penstockd").write_text(f'#!/bin/sh\nexec {sys.executable} {contained.__file__} {" ".join(options)} {real}/penstockd "$@"\n')
    (folder / "penstockd").chmod(0o755)
    return folder


@pytest.mark.parametrize("ring", ["io_uring", "epoll"])
def test_what_the_daemonset_allows_is_enough(make_edge, tmp_path, ring):
    """Capabilities, seccomp profile and mounts, for every process and for one pod that follows another."""
    edge = make_edge({"quickstart.yaml": QUICKSTART}, bin_dir=contain(tmp_path), options=["--hand-over", "--datapath", "auto", "--ring", ring, "--metrics-address", "10.90.1.1:9650"])
    assert edge.status()["datapath"]["in_use"] == "xdp"
    lab.wait_for("a standby that tells", lambda: [one for one in edge.processes("penstock-worker", "standby") if one["ring"] == ring])

    names = subprocess.run(["setpriv", "--list-caps"], capture_output=True, text=True, check=True).stdout.split()
    allowed = sum(1 << names.index(one.lower()) for one in contained.capabilities())
    inside = processes_of(edge.daemon.pid)
    assert sorted(one["Name"] for one in inside.values()) == ["penstock-keeper", "penstock-worker", "penstock-worker", "penstockd"]
    for pid, facts in inside.items():
        assert facts["Seccomp"] == "2" and facts["NoNewPrivs"] == "1"
        assert int(facts["CapBnd"], 16) == allowed and int(facts["CapPrm"], 16) & ~allowed == 0
        mounted = {line.split()[4]: line.split()[5].split(",")[0] for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}
        assert (mounted["/"], mounted["/proc/sys"], mounted["/sys"], mounted[edge.state], mounted["/sys/fs/bpf"]) == ("ro", "ro", "ro", "rw", "rw")
    serves(edge)

    workers = {pid for pid, facts in inside.items() if facts["Name"] == "penstock-worker"}
    edge.kill(min(workers), signal.SIGKILL)  # another is made there, too
    lab.wait_for("another worker", lambda: processes_of(edge.daemon.pid).keys() - inside.keys() and edge.processes("penstock-worker", "standby"))
    edge.put("quickstart.yaml", QUICKSTART.replace("value: penstock\n", "value: later\n"))
    lab.wait_for("the new snapshot", lambda: "later" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com"))
    serves(edge)

    first, load = edge.daemon, edge.load(3000, 6)
    edge.start_daemon(wait=False)
    lab.wait_for("the hand-over", lambda: "this keeper serves" in edge.read("penstock.log"), 30)
    first.send_signal(signal.SIGTERM)
    assert first.wait(40) == 0
    counts = outcome(load)
    assert counts["errors"] == {} and counts["closed"] == 0 and counts["status"] == {"200": 3000}
    edge.wait_taken()
    assert edge.status()["datapath"]["in_use"] == "xdp"
    serves(edge)
    edge.daemon.send_signal(signal.SIGTERM)
    assert edge.daemon.wait(40) == 0


def a_standby_outlives_the_worker(edge):
    """It serves nothing, and the keeper, which runs as somebody else, ends it when that one drains."""
    workers = lambda: {one["state"]: one["pid"] for one in edge.processes("penstock-worker")}  # noqa: E731
    pids = lab.wait_for("a worker and its standby", lambda: workers() if workers().keys() == {"active", "standby"} else None)
    ids = {int(facts["NSpid"].split()[-1]): pid for pid, facts in processes_of(edge.daemon.pid).items()}
    active, standby = ids[pids["active"]], ids[pids["standby"]]
    edge.daemon.send_signal(signal.SIGTERM)
    lab.wait_for("the worker to drain", lambda: not os.path.exists(f"/proc/{active}"), 20)
    time.sleep(0.5)
    return os.path.exists(f"/proc/{standby}")


def in_user_space(edge):
    datapath = edge.status()["datapath"]
    return datapath["in_use"] == "userspace" and "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed" in datapath["reason"]


def cannot_become_another_user(edge):
    return "exit 126" in edge.read("penstock.log")


# What goes wrong without each. The last one ends the daemon.
LACKS = {
    "BPF": in_user_space,
    "PERFMON": in_user_space,
    "NET_ADMIN": in_user_space,
    "NET_RAW": lambda edge: "addresses are not announced" in edge.read("penstock.log"),
    "NET_BIND_SERVICE": lambda edge: any("CAP_NET_BIND_SERVICE" in one["hint"] for one in edge.status()["errors"]),
    "SETUID": cannot_become_another_user,
    "SETGID": cannot_become_another_user,
    "KILL": a_standby_outlives_the_worker,
}


def test_what_the_daemonset_allows_is_not_too_much(make_edge, tmp_path):
    """Without any of its capabilities something is not done."""
    edge = make_edge({"quickstart.yaml": QUICKSTART}, bin_dir=contain(tmp_path), options=["--hand-over", "--datapath", "auto"])
    serves(edge)
    assert set(contained.capabilities()) == LACKS.keys()
    assert [name for name, lacks in LACKS.items() if lacks(edge)] == []
    for name, lacks in LACKS.items():
        for first in pathlib.Path(f"/proc/{edge.daemon.pid}/task/{edge.daemon.pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):  # it was ending
                os.kill(int(first), signal.SIGKILL)  # and all that run in it
        edge.daemon.wait(40)
        edge.write("penstock.log", "")
        contain(tmp_path, "--without", name)
        edge.start_daemon(wait=False)
        lab.wait_for("the control socket", lambda: edge.get("/v1/version"), 20)
        lab.wait_for(f"what goes wrong without {name}", lambda lacks=lacks: lacks(edge), 20)
