# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory, from /proc."""
import contextlib
import os
import time

TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        out.append(p)
        with contextlib.suppress(OSError):
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    todo += map(int, f.read().split())
    return out


def cpu_seconds(pid):                # of all threads that live, in ns resolution
    total = 0
    for p in family(pid):
        with contextlib.suppress(OSError):
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/schedstat") as f:
                    total += int(f.read().split()[0])
    return total / 1e9


def cpu0():                          # seconds of CPU 0: (idle, interrupts and softirqs); the latter is sampled by the tick
    with open("/proc/stat") as f:
        fields = [int(x) / TICK for x in f.read().split("\n")[1].split()[1:]]
    return fields[3] + fields[4], fields[5] + fields[6]


def foreign_seconds():               # CPU time of everything that is not ours, finished children included
    ours, total = set(family(os.getpid())), 0
    for p in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{p}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            if int(p) not in ours and "2" not in (p, fields[1]):  # 2: kernel threads, which may be working for us
                total += sum(map(int, fields[11:15]))
    return total / TICK


def memory(pid):                     # KiB; Pss counts pages shared by a peer's processes once
    total, by_program = {"Rss": 0, "Pss": 0}, {}
    for p in family(pid):
        with contextlib.suppress(OSError), open(f"/proc/{p}/smaps_rollup") as f, open(f"/proc/{p}/comm") as name:
            fields = dict(line.split(":") for line in f.read().splitlines()[1:])
            for k in total:
                total[k] += int(fields[k].split()[0])
            by_program.setdefault(name.read().strip(), []).append(int(fields["Pss"].split()[0]))
    return {"rss_kib": total["Rss"], "pss_kib": total["Pss"], "pss_kib_by_program": by_program}


def measured(peer, work, *args):     # what the peer's processes and all of CPU 0 spent on each unit that the work got done
    pid = peer.process.pid
    cpu, (idle, softirq), t = cpu_seconds(pid), cpu0(), time.monotonic()
    r = work(*args)
    t = time.monotonic() - t
    after = cpu0()
    busy = t - (after[0] - idle)
    if not r["done"]:
        raise RuntimeError(f"nothing got done: {r}")
    n = r["done"]
    r["seconds"], r["per_s"], r["cpu_us"] = t, n / t, (cpu_seconds(pid) - cpu) / n * 1e6
    r["busy0_us"], r["softirq0_us"], r["cpu0"] = busy / n * 1e6, (after[1] - softirq) / n * 1e6, busy / t
    return r
