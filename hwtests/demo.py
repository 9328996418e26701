#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev demo: Penstock serves configs/quickstart.yaml to real clients; prints what was sent, what came back and which way it went."""
import argparse
import base64
import re
import sys

import lab
from edge import ROOT, VIP4, VIP6, Edge


def shop_certificate(edge, manifest):
    encoded = re.search(r"tls\.crt: (\S+)", manifest).group(1)
    return edge.write("shop.crt", base64.b64decode(encoded).decode())


def attempts(edge, manifest):
    """(listener, what is sent, function of a VIP that sends it and gives what came back)"""
    shop = shop_certificate(edge, manifest)
    return [
        ("http", "GET http://shop.example.com/", lambda vip: edge.curl("http://shop.example.com:80/", host="shop.example.com", vip=vip)),
        ("https", "GET https://shop.example.com/cart",
         lambda vip: edge.curl("https://shop.example.com:443/cart", "--cacert", shop, host="shop.example.com", vip=vip)),
        ("passthrough", "GET https://vault.example.com:8443/",
         lambda vip: edge.curl("https://vault.example.com:8443/", "--cacert", edge.vault_cert, host="vault.example.com", vip=vip)),
        ("database", "TCP 'hello' to port 5432", lambda vip: edge.tcp(vip)),
        ("dns", "UDP 'hello' to port 5353", lambda vip: edge.udp(vip)),
    ]


def totals(edge):
    """Connections that the worker took per listener, packets that the packet core forwarded, and those that XDP left to tc."""
    status = edge.status()
    worker = {item["name"].rsplit("/", 1)[1]: item["connections"] for item in status["listeners"] if item["way"] == "worker"}
    verdicts = {v["name"]: v["count"] for v in status["counters"]["verdicts"]}
    return worker, sum(count for name, count in verdicts.items() if name.startswith("FORWARD")), verdicts.get("PASS_TO_TC", 0)


def way_of(listener, before, after):
    if after[0].get(listener, 0) > before[0].get(listener, 0):
        return "worker"
    if after[1] == before[1]:
        return "?"
    return "tc" if after[2] > before[2] else "XDP"


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def show(title, text):
    print(f"\n== {title}")
    print(text.rstrip())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--datapath", default="auto")
    args = parser.parse_args()
    if reason := lab.missing_capability():
        print(f"error: the demo cannot run here: it {reason}", file=sys.stderr)
        return 3
    manifest = (ROOT / "configs" / "quickstart.yaml").read_text()
    print("starting backends on another host, in a pod and behind a bridge, and an edge that loads configs/quickstart.yaml ...")
    with Edge(None, bin_dir=args.bin, options=["--datapath", args.datapath]) as edge:
        edge.gwctl("load", "-f", str(ROOT / "configs" / "quickstart.yaml"), "--wait")
        show("gwctl get gateways,httproutes,tlsroutes,tcproutes,udproutes -A",
             edge.gwctl("get", "gateways,httproutes,tlsroutes,tcproutes,udproutes", "-A").stdout)
        rows, failed = [("listener", "family", "sent", "came back", "way")], 0
        for listener, sent, send in attempts(edge, manifest):
            for family, vip in (("IPv4", VIP4), ("IPv6", VIP6)):
                before = totals(edge)
                try:
                    answer = send(vip).splitlines()[0][:60]
                except (lab.LabError, IndexError) as error:
                    answer, failed = f"FAILED: {error}"[:80], failed + 1
                rows.append((listener, family, sent, answer, way_of(listener, before, totals(edge))))
        show("gwctl status", edge.gwctl("status").stdout)
        print("\n== what happened")
        table(rows)
        if failed:
            print(f"\n{failed} of {len(rows) - 1} attempts failed; the edge's log:\n" + edge.read("penstock.log")[-4000:], file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
