# SPDX-License-Identifier: Apache-2.0
"""Runs a program as a container runtime would for configs/deploy: contained.py [--without CAPABILITY] PROGRAM [ARGUMENT...]

It has the DaemonSet's capabilities, its component's seccomp profile, file systems that it cannot write to but those that the DaemonSet mounts
(the folder after --state-dir stands for /run/penstock), and process ids of its own; the network is that of who starts it, as with hostNetwork."""
import ctypes
import os
import pathlib
import re
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent / "configs" / "deploy"
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x08000000, 0x20000000


def capabilities():
    """Names as the DaemonSet has them: all that it adds after it has dropped all."""
    found = re.search(r"drop: \[ALL\]\s+add: \[([A-Z_, ]+)\]", (DEPLOY / "base" / "daemonset.yaml").read_text())
    return found.group(1).split(", ")


def mounts():
    return [fields[4:5] + fields[fields.index("-") + 1:][:1] for fields in map(str.split, open("/proc/self/mountinfo", encoding="utf-8"))]


def mount(*argv):
    subprocess.run(["mount", *argv], check=True)


def make_read_only(state):
    mount("--make-rslave", "/")
    mount("-t", "proc", "proc", "/proc")
    os.makedirs(state, exist_ok=True)  # DirectoryOrCreate
    for folder in (state, "/proc/sys"):
        mount("--bind", folder, folder)
    writable = (state, "/sys/fs/bpf", "/proc")
    for folder, kind in mounts():
        if folder not in writable and not folder.startswith("/dev") and kind not in ("nsfs", "autofs"):
            mount("-o", "remount,bind,ro", folder)


def run(argv):
    without = None
    if argv[0] == "--without":
        without, argv = argv[1], argv[2:]
    make_read_only(argv[argv.index("--state-dir") + 1])
    allowed = ",".join(["-all"] + ["+" + one.lower() for one in capabilities() if one != without])
    os.execvp("setpriv", ["setpriv", f"--bounding-set={allowed}", "--inh-caps=-all", "--no-new-privs", sys.executable, str(HERE / "confined.py"),
                          str(DEPLOY / "components" / "seccomp" / "penstock.json"), *argv])


def main(argv):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID) != 0:
        raise SystemExit(f"unshare: {os.strerror(ctypes.get_errno())}")
    child = os.fork()
    if child == 0:
        run(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
