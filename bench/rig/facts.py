# SPDX-License-Identifier: Apache-2.0
"""What figures were taken on and of: machine, kernel, commit."""
import os
import platform
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def facts():
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty", "--exclude", "*"], capture_output=True, text=True, check=False)
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    return {"machine": f"{model}, {os.cpu_count()} CPUs", "kernel": platform.release(), "commit": commit.stdout.strip() or "?"}
