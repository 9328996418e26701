# SPDX-License-Identifier: Apache-2.0
"""The processes themselves: what the worker may do, and how daemon and keeper take signals, state and each other."""
import pathlib

import pytest

import lab
from conftest import QUICKSTART
from edge import VIP4, VIP6


def facts(pid, thread=None):
    """/proc/PID/status as a dictionary."""
    path = pathlib.Path(f"/proc/{pid}/task/{thread or pid}/status")
    return dict(line.split(":", 1) for line in path.read_text().splitlines())


# ---- the worker's privileges ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ring", ["io_uring", "epoll"])
def test_the_worker_serves_every_listener_confined_and_without_privileges(make_edge, ring):
    edge = make_edge({"quickstart.yaml": QUICKSTART}, options=["--datapath", "userspace", "--ring", ring])
    lab.wait_for("a standby", lambda: edge.processes("penstock-worker", "standby"))
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
    edge.wait_taken()
    assert "later" in edge.curl("https://shop.example.com:443/", "-k", "-i", host="shop.example.com")
    assert f"{ring}, confined by seccomp" in edge.gwctl("status").stdout
