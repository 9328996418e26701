#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the repository that a reader should not have to check: licence lines, links and file names in documents, ADR form, file ends."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = {".c", ".h", ".cpp", ".hpp", ".py", ".fbs", ".cmake"}
ADR_PARTS = ("Context", "Decision", "Consequences", "Revisit when")


def tracked():
    # Outside a git checkout (a release archive) every file counts.
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [pathlib.Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file() and "build" not in p.parts and ".git" not in p.parts]


def licence_faults(path, text):
    wanted = "GPL-2.0-only OR BSD-2-Clause" if path.parts[0] == "bpf" else "Apache-2.0"
    head = "\n".join(text.splitlines()[:3])
    if path.suffix in SOURCE and f"SPDX-License-Identifier: {wanted}" not in head:
        yield f"{path}: its first lines lack SPDX-License-Identifier: {wanted}"


def link_faults(path, text):
    if path.suffix != ".md":
        return
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not (ROOT / path.parent / target).exists():
            yield f"{path}: link to {target}, which does not exist"


def name_faults(path, text):
    """Files that a document names in backquotes: `ctl/plan/diff.cpp`, `ctl/plan/`."""
    if path.suffix != ".md":
        return
    for name in re.findall(r"`((?:bench|bpf|cmake|configs|ctl|docs|hwtests|schema|tools|userspace)/[\w./-]*)`", text):
        if not (ROOT / name).exists():
            yield f"{path}: names {name}, which does not exist"


def adr_faults(path, text):
    if path.parts[:2] != ("docs", "adr") or not re.match(r"\d{4}-", path.name):
        return
    if len(text.splitlines()) > 60:
        yield f"{path}: longer than 60 lines"
    for part in ADR_PARTS:
        if f"{part}:" not in text:
            yield f"{path}: has no part '{part}:'"


def main():
    faults = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" in data:
            continue
        text = data.decode(errors="replace")
        if text and not text.endswith("\n"):
            faults.append(f"{path}: no newline at its end")
        for rule in (licence_faults, link_faults, name_faults, adr_faults):
            faults += rule(path, text)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
