# SPDX-License-Identifier: Apache-2.0
"""Runs a program under a container runtime's seccomp profile, as the runtime would: confined.py PROFILE PROGRAM [ARGUMENT...]"""
import ctypes
import errno
import json
import os
import sys

ACTIONS = {"SCMP_ACT_ALLOW": 0x7fff0000, "SCMP_ACT_ERRNO": 0x00050000}
COMPARISONS = {"SCMP_CMP_NE": 1, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
PR_SET_NO_NEW_PRIVS = 38


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_uint), ("datum_a", ctypes.c_uint64), ("datum_b", ctypes.c_uint64)]


def action_of(name, errno_value):
    return ACTIONS[name] | (errno_value if name == "SCMP_ACT_ERRNO" else 0)


def confine(profile):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(action_of(profile["defaultAction"], profile.get("defaultErrnoRet", errno.EPERM)))))
    for rule in profile["syscalls"]:
        action = ctypes.c_uint32(action_of(rule["action"], rule.get("errnoRet", errno.EPERM)))
        arguments = rule.get("args", [])
        compared = (Comparison * len(arguments))(*(Comparison(one["index"], COMPARISONS[one["op"]], one["value"], one.get("valueTwo", 0)) for one in arguments))
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                raise SystemExit(f"no system call is called {name}")
            done = library.seccomp_rule_add_array(context, action, number, len(arguments), compared)
            if done != 0 and number >= 0:  # below: one that this architecture lacks
                raise SystemExit(f"{name}: {os.strerror(-done)}")
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if done := library.seccomp_load(context):
        raise SystemExit(f"seccomp_load: {os.strerror(-done)}")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        confine(json.load(file))
    os.execv(sys.argv[2], sys.argv[2:])
