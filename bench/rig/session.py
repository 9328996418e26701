# SPDX-License-Identifier: Apache-2.0
"""One run over several proxies, interleaved: every measure of every proxy once, then all again."""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import accounting
import report
from facts import facts
from peers import NotReady
from rig import Rig

SHOWN = ("cpu_us", "per_s", "p50_us", "kib_per_connection", "ms", "worst_ms", "pss_kib", "ready_s", "closed", "errors", "foreign")
FAULTS = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)


def arguments(description, peer_names, measures):
    def some_of(known):
        def names(text):
            chosen = text.split(",")
            if unknown := [name for name in chosen if name not in known]:
                raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
            return chosen
        return names
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each load; one second before it warms up")
    parser.add_argument("--peers", type=some_of(peer_names), metavar="NAME,...", help=", ".join(peer_names))
    parser.add_argument("--only", type=some_of([m.name for m in measures]), metavar="MEASURE,...", help=", ".join(m.name for m in measures))
    parser.add_argument("--json", metavar="FILE", help="write the JSON there and not to the output")
    return parser.parse_args()


def here(peers):
    for peer in peers:
        if not peer.executable():
            print(f"left out: {peer.name} is not here ({peer.hint})", file=sys.stderr)
    return [peer for peer in peers if peer.executable()]


def point(measure, peer, seconds):
    if measure.fresh:
        peer.stop()
    if not peer.process:
        peer.start(measure.routes)
    foreign, since = accounting.foreign_seconds(), time.monotonic()
    record = measure.take(peer, seconds)
    record["foreign"] = (accounting.foreign_seconds() - foreign) / (time.monotonic() - since)
    if measure.fresh:
        peer.stop()
    return record


def turn(peer, measures, seconds):
    """Every measure of one peer. One that fails is told and costs no other, except that who does not start is not asked again."""
    records = []
    for measure in measures:
        fault = None
        try:
            record = point(measure, peer, seconds)
            said = "  ".join(f"{key} {record[key]:.4g}" for key in SHOWN if record.get(key) is not None)
        except FAULTS as caught:
            fault, record = caught, {"failed": str(caught)}
            said = "\n  ".join([f"failed: {fault}", *peer.last_words()])
            peer.stop()
        records.append({"peer": peer.name, "measure": measure.name, **record})
        print(f"{peer.name:17} {measure.name:11} {said}", file=sys.stderr, flush=True)
        if isinstance(fault, NotReady):
            break
    peer.stop()
    return records


def take(args, measures, peers):
    records = []
    for run in range(args.runs):
        for peer in peers:
            wanted = [m for m in measures if m.needs in peer.does and (not args.only or m.name in args.only)]
            records += [{"run": run, **record} for record in turn(peer, wanted, args.seconds)]
    return records


def run(description, make_peers, measures):
    """`make_peers` are functions that make a proxy's adapter of a rig, by name."""
    args = arguments(description, list(make_peers), measures)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started goes with it
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as work:
        os.chmod(work, 0o755)
        rig = Rig(work)
        try:
            peers = here([make(rig) for name, make in make_peers.items() if not args.peers or name in args.peers])
            versions = {peer.name: peer.version() for peer in peers}
            records = take(args, measures, peers)
        finally:
            rig.close()
    result = {**facts(), "peers": versions, "records": records}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    print("\n".join(f"{key}: {result[key]}" for key in ("machine", "kernel", "commit")))
    print(report.tables(records, measures, versions))
    if not args.json:
        print("\n" + json.dumps(result))
