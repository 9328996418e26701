# SPDX-License-Identifier: Apache-2.0
"""One run over several proxies, interleaved, and its table: CPU time per request.

The figure is CPU time of the proxy's processes, as the generator can be the bottleneck of requests per second; all that CPU 0 did meanwhile
(interrupts that met no process, and other programs) is told beside it. A point with more than a quarter
of a CPU used by foreign programs is noisy: it counts only where there is no other.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

import accounting
from facts import facts
from rig import Rig

FOREIGN_MAX = 0.25


def arguments(description):
    def names(text):
        return text.split(",")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each point; one second before it warms up")
    parser.add_argument("--peers", type=names, metavar="NAME,...")
    parser.add_argument("--only", type=names, metavar="MEASURE,...")
    parser.add_argument("--json", metavar="FILE", help="write the JSON there and not to the output")
    return parser.parse_args()


def choose(peers, names):
    chosen = [peer for peer in peers if not names or peer.name in names]
    for peer in chosen:
        if not peer.executable():
            print(f"left out: {peer.name} is not here ({peer.hint})", file=sys.stderr)
    chosen = [peer for peer in chosen if peer.executable()]
    for peer in chosen:
        peer.version_text = peer.version()
    return chosen


def take(rig, args, measures, chosen):
    records = []
    for run in range(args.runs):
        for peer in list(chosen):
            try:
                peer.start()
                for name, url, connections in measures:
                    if args.only and name not in args.only:
                        continue
                    rig.wrk(url(peer), connections, 1)  # warm-up
                    record = accounting.measured(peer, rig.wrk, url(peer), connections, args.seconds)
                    records.append({"peer": peer.name, "measure": name, "run": run, **record})
                    print(f"{run} {peer.name:18} {name:7} {record['cpu_us']:7.1f} us CPU  {record['per_s']:8.0f}/s  p50 {record['p50_us']:.0f} us"
                          f"  errors {record['errors']}  foreign {record['foreign']:.2f}", file=sys.stderr, flush=True)
            except RuntimeError as error:
                print(f"left out: {peer.name}: {error}", *peer.last_words(), sep="\n  ", file=sys.stderr)
                chosen.remove(peer)
            finally:
                peer.stop()
    return records


def cell(records):
    if not records:
        return "-"
    quiet = [r for r in records if r["foreign"] <= FOREIGN_MAX]
    used = quiet or records
    figures = [r["cpu_us"] for r in used]
    text = f"{min(figures):.1f} / {statistics.median(figures):.1f}"
    text += f" ({min(r['busy0_us'] for r in quiet):.1f})" if quiet else ""
    text += f"; {max(r['per_s'] for r in used):.0f}/s; " + (f"{len(quiet)} of {len(records)}" if quiet else "noisy")
    errors = sum(r["errors"] for r in records)
    return text + (f"; {errors} errors" if errors else "")


def table(records, measures, chosen):
    names = [m[0] for m in measures if any(r["measure"] == m[0] for r in records)]
    lines = ["CPU us per request, min / median of the quiet points (all of CPU 0, min); requests per second at best; quiet points of all", "",
             "| proxy | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 1)]
    for peer in chosen:
        cells = [cell([r for r in records if r["peer"] == peer.name and r["measure"] == name]) for name in names]
        lines.append(f"| {' '.join(filter(None, (peer.name, peer.version_text)))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(description, make_peers, measures):
    """`make_peers` gives the proxies of a rig; a measure is its name, the URL for a proxy, and how many connections ask."""
    args = arguments(description)
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as work:
        os.chmod(work, 0o755)
        rig = Rig(work)
        try:
            chosen = choose(make_peers(rig), args.peers)
            records = take(rig, args, measures, chosen)
        finally:
            rig.close()
    result = {**facts(), "records": records}
    print("\n".join(f"{key}: {result[key]}" for key in ("machine", "kernel", "commit")) + "\n")
    print(table(records, measures, chosen))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    else:
        print("\n" + json.dumps(result))
