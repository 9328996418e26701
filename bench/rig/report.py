# SPDX-License-Identifier: Apache-2.0
"""The tables of a session: one per kind of figure, a row per measure, a column per proxy, the best of a row marked.

Costs are CPU time of the proxy's processes, as the generator can be what limits the rate; what all of CPU 0 did meanwhile (interrupts that met
no process, other programs) has a table of its own. A point during which foreign programs used more than a quarter of a CPU is noisy: it counts
only where there is no other.
"""
import statistics
from typing import NamedTuple

FOREIGN_MAX = 0.25
PER_GB = 1e-6 * 1e9 / (1 << 20)  # from microseconds per MiB to seconds per GB


class Kind(NamedTuple):
    title: str
    key: str
    measures: tuple
    scale: float = 1
    more_is_better: bool = False
    summed: bool = False  # over all points, and not their median


ROUTES = ("routes_1", "routes_5000")
UNITS = ("h1", "h1_one", "tls_1k", "h2", "tls_new", "tls_resumed", "pass_new", *ROUTES)
BULK = ("tls_1m", "pass_1m")
KINDS = [
    Kind("CPU us per request or connection", "cpu_us", UNITS),
    Kind("CPU s per GB", "cpu_us", BULK, PER_GB),
    Kind("All of CPU 0, us per request or connection", "busy0_us", UNITS),
    Kind("All of CPU 0, s per GB", "busy0_us", BULK, PER_GB),
    Kind("Requests or connections per second", "per_s", UNITS, more_is_better=True),
    Kind("MB per second", "per_s", BULK, (1 << 20) / 1e6, more_is_better=True),
    Kind("us to the answer, median (of a handshake: to its end; of pass_new: to the end of the server's flight)", "p50_us",
         ("h1_one", "tls_new", "tls_resumed", "pass_new")),
    Kind("KiB of memory per idle connection", "kib_per_connection", ("idle",)),
    Kind("MiB of memory with routes, after the load", "pss_kib", ROUTES, 1 / 1024),
    Kind("Seconds from start to ready", "ready_s", ROUTES),
    Kind("ms from a change to the first new answer, median", "ms", ("switch",)),
    Kind("ms from a change to the first new answer, worst", "worst_ms", ("switch",)),
    Kind("Connections that were closed", "closed", ("switch",), summed=True),
    Kind("Errors", "errors", (*UNITS, *BULK, "idle", "switch"), summed=True),
]


def short(figure):
    return f"{figure:,.0f}" if figure == int(figure) or abs(figure) >= 100 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


class Cell:
    def __init__(self, kind, records):
        self.figure, self.text = None, "-"
        self.clean = bool(records) and not any(r.get("failed") or r.get("errors") for r in records)
        taken = [r for r in records if r.get(kind.key) is not None]
        if not taken:
            self.text = "failed" if records else "-"
            return
        quiet = taken if kind.summed else [r for r in taken if r["foreign"] <= FOREIGN_MAX]
        figures = [r[kind.key] * kind.scale for r in quiet or taken]
        self.figure = sum(figures) if kind.summed else statistics.median(figures)
        self.text = short(self.figure) + ("" if quiet else " ~")
        if len(figures) > 1 and not kind.summed:
            self.text += f" ({short(min(figures))}-{short(max(figures))})"


def row(kind, cells):
    """Whoever made errors may not be best, except in the count of these."""
    rated = [c for c in cells if c.figure is not None and (c.clean or kind.key == "errors")]
    figures = {c.figure for c in rated}
    if not figures or len({c.figure for c in cells if c.figure is not None}) == 1:
        return [c.text for c in cells]
    best = max(figures) if kind.more_is_better else min(figures)
    return [f"**{c.text}**" if c in rated and c.figure == best else c.text for c in cells]


def table(kind, records, measures, versions):
    says = {m.name: m.says for m in measures if any(r["measure"] == m.name for r in records)}
    lines = []
    for name in (n for n in kind.measures if n in says):
        cells = [Cell(kind, [r for r in records if (r["peer"], r["measure"]) == (peer, name)]) for peer in versions]
        lines.append(f"| {name}: {says[name]} | " + " | ".join(row(kind, cells)) + " |")
    if not lines:
        return []
    heads = [f"{peer} {version}".strip() for peer, version in versions.items()]
    return ["", kind.title, "", f"| measure | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads), *lines]


def tables(records, measures, versions):
    noisy = sum(r.get("foreign", 0) > FOREIGN_MAX for r in records)
    lines = ["", "Median (least-most) of the quiet points, bold: the best that made no error; -: it lacks the feature; ~: there were noisy points only, "
             f"which are {noisy} of {len(records)}."]
    for kind in KINDS:
        lines += table(kind, records, measures, versions)
    return "\n".join(lines)
