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
    total = {"Rss": 0, "Pss": 0}
    for p in family(pid):
        with contextlib.suppress(OSError), open(f"/proc/{p}/smaps_rollup") as f:
            for line in f:
                k = line.split(":")[0]
                if k in total:
                    total[k] += int(line.split()[1])
    return {"rss_kib": total["Rss"], "pss_kib": total["Pss"], "processes": len(family(pid))}


def measured(peer, work, *args):
    pid = peer.process.pid if peer.process else None
    foreign = foreign_seconds()
    cpu, (idle, softirq), t = cpu_seconds(pid) if pid else 0, cpu0(), time.monotonic()
    r = work(*args)
    t = time.monotonic() - t
    after = cpu0()
    busy = t - (after[0] - idle)
    r["seconds"] = t
    n = r["done"] or float("nan")
    r["per_s"], r["busy0_us"], r["softirq0_us"], r["cpu0"] = n / t, busy / n * 1e6, (after[1] - softirq) / n * 1e6, busy / t
    if pid:
        r["cpu_us"] = (cpu_seconds(pid) - cpu) / n * 1e6
    r["foreign"] = (foreign_seconds() - foreign) / t
    return r
