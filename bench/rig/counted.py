# SPDX-License-Identifier: Apache-2.0
"""A program's report with one table more: what callgrind counted."""
import json
import os
import subprocess
import tempfile

from facts import HERE, facts


def program(name):
    return os.path.join(HERE, "..", "..", "build", "release", "bin", "bench_" + name)


def callgrind(command, *options):
    """What valgrind said, and callgrind's list of functions."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        said = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *options, *command], capture_output=True, text=True, check=True)
        listed = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", out], capture_output=True, text=True, check=True)
    return said.stderr, listed.stdout


def report(name, what, count):
    """`count` takes what the program measured and gives {row: instructions}."""
    env = {**os.environ, "PST_COMMIT": facts()["commit"]}
    *text, result = subprocess.run([program(name)], capture_output=True, text=True, check=True, env=env).stdout.splitlines()
    result = json.loads(result)
    counts = count(result)
    print("\n".join(text).rstrip())
    print(f"\n| {what} | instructions |\n| --- | ---: |")
    for row, instructions in counts.items():
        print(f"| {row} | {instructions} |")
    print("\n" + json.dumps({**result, "instructions": counts}))
