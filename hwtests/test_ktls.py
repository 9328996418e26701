# SPDX-License-Identifier: Apache-2.0
"""TLS whose records the kernel makes and reads: the proxy's own tests, with kTLS allowed, on a kernel that has it."""
import os
import pathlib

import pytest

import vm

TESTS = pathlib.Path(os.environ.get("PST_TESTS", vm.ROOT / "build" / "dev" / "bin"))
FILES = ["ktls_test", "ports_test", "splice_test", "stream_test", "tls_parts_test"]
MODULES = ["tls", "cryptomgr", "gcm", "ctr", "ghash-generic", "ghash-clmulni-intel", "aesni-intel", "chacha20poly1305", "chacha-generic",
           "chacha-x86_64", "poly1305-generic", "poly1305-x86_64"]


def test_tls_on_a_kernel_with_ktls_in_a_vm():
    binary = TESTS / "test_proxy"
    if not binary.exists():
        pytest.skip(f"{binary} is not built: ninja -C build/dev test_proxy")
    files = ",".join(f"[#{name}]" for name in FILES)
    command = f"PST_TEST_KTLS=must ASAN_OPTIONS=detect_leaks=0 /program -# '{files}' -d yes --use-colour no"
    try:
        status, console = vm.run(binary, command, MODULES)
    except vm.Missing as missing:
        pytest.skip(str(missing))
    print(console[-20000:])
    assert status == 0
    assert "All tests passed" in console
