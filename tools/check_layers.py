#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the layer table of ARCHITECTURE.md against the includes of the tree.

A file may include its own layer, the layers and libraries that its row names, the C and C++ standard libraries, and system headers
where its row says so ("libc" is allowed everywhere). Prints every include that the table does not allow; exits 1 if there is one.
Tests (*_test.cpp, *_fuzz.cpp) may also use tools/test. It is itself tested: `check_layers.py --self-test`.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = {  # name in the table: pattern of its includes
    "fmt": r"fmt/",
    "liburing": r"liburing",
    "OpenSSL": r"openssl/",
    "nghttp2": r"nghttp2/",
    "RE2": r"re2/",
    "flatbuffers": r"flatbuffers/",
    "json": r"nlohmann/",
    "yaml": r"yaml-cpp/",
    "xxHash": r"xxhash\.h",
    "libbpf": r"bpf/(libbpf|bpf|btf|bpf_helpers|bpf_endian|bpf_core_read)",
    "netlink": r"libmnl/|linux/(rtnetlink|netlink|if_link|if_addr|neighbour|pkt_sched|pkt_cls)",
    "httplib": r"httplib\.h",
    "CLI11": r"CLI/",
    "seccomp": r"seccomp\.h",
    "curl": r"curl/",
    "spdlog": r"spdlog/",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def read_table(text):
    """Rows of the table under "## Layers": {layer: set of what it may use}."""
    section = text.split("## Layers", 1)[1].split("\n## ", 1)[0]
    table = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 2 or cells[0] in ("layer", "---") or set(cells[0]) <= {"-"}:
            continue
        table[cells[0].strip("`")] = {word.strip("` ") for word in cells[1].split(",") if word.strip("` ")}
    return table


def layer_of(path, layers):
    found = [layer for layer in layers if path == layer or path.startswith(layer + "/")]
    return max(found, key=len) if found else None


def allowed_layers(layer, table):
    uses = {word for word in table[layer] if word in table}
    if layer.startswith("bpf/") or layer == "schema":
        return uses | {layer}
    return uses | {layer}


def library_of(include):
    for name, pattern in LIBRARIES.items():
        if re.match(pattern, include):
            return name
    return None


def faults_of(path, text, table):
    layer = layer_of(path, table)
    if layer is None:
        return [f"{path}: its folder has no row in the layer table"]
    faults = []
    is_test = bool(re.search(r"_(test|fuzz)\.cpp$|/test/|/testing\.hpp$|/test_\w+\.hpp$|/fake_main\.cpp$", path))
    for _, include in INCLUDE.findall(text):
        library = library_of(include)
        generated = re.match(r"(schema|bpf)/\w+(_generated\.h|\.skel\.h)$", include)
        target = ("schema" if include.startswith("schema/") else "bpf/progs") if generated else layer_of(include, table)
        if is_test and target and target.endswith("/test"):
            continue
        if target and target not in allowed_layers(layer, table):
            faults.append(f"{path}: {layer} may not include {include} ({target})")
        elif not target and library and library not in table[layer] and not is_test:
            faults.append(f"{path}: {layer} may not use {library} ({include})")
        elif include.startswith("tools/") and not is_test:
            faults.append(f"{path}: only tests may include {include}")
    return faults


def self_test():
    table = read_table("## Layers\n| layer | may use |\n| --- | --- |\n| a | fmt |\n| a/b | a, OpenSSL |\n| schema | |\n## Next\n")
    assert set(table) == {"a", "a/b", "schema"}, table
    assert not faults_of("a/x.cpp", '#include <fmt/core.h>\n#include "a/y.hpp"\n#include <vector>\n', table)
    assert faults_of("a/x.cpp", '#include "a/b/z.hpp"\n', table), "an edge upwards must be found"
    assert faults_of("a/x.cpp", "#include <openssl/ssl.h>\n", table), "a foreign library must be found"
    assert not faults_of("a/b/x.cpp", '#include <openssl/ssl.h>\n#include "a/y.hpp"\n', table)
    assert faults_of("a/x.cpp", '#include "schema/keeper_generated.h"\n', table)
    assert faults_of("elsewhere/x.cpp", "", table)
    assert faults_of("a/x.cpp", '#include "tools/test/catch.hpp"\n', table)
    assert not faults_of("a/x_test.cpp", '#include "tools/test/catch.hpp"\n', table)


def main():
    self_test()
    if "--self-test" in sys.argv:
        return 0
    table = read_table((ROOT / "ARCHITECTURE.md").read_text())
    faults, seen = [], set()
    for top in ("bpf", "schema", "userspace", "ctl", "dpdk"):
        for file in sorted((ROOT / top).rglob("*")):
            if file.suffix in (".c", ".h", ".cpp", ".hpp"):
                path = file.relative_to(ROOT).as_posix()
                seen.add(layer_of(path, table))
                faults += faults_of(path, file.read_text(errors="replace"), table)
    faults += [f"ARCHITECTURE.md: the layer {layer} has no file" for layer in table if layer not in seen]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
