# SPDX-License-Identifier: Apache-2.0
"""The part of the soak that fits: PST_SOAK_SECONDS (20), by `./dev soak` half an hour."""
import os
import shutil

import pytest

from soak import soak

SECONDS = int(os.environ.get("PST_SOAK_SECONDS", "20"))


@pytest.mark.parametrize("ring", os.environ.get("PST_SOAK_RINGS", "io_uring epoll").split())
def test_no_request_is_lost_and_nothing_grows(ring):
    if not shutil.which("h2load"):
        pytest.skip("h2load is not installed")
    done = soak(SECONDS, ring)
    print(done.report())
    assert done.spliced > 0
    assert done.faults == []
    assert done.steady["errors"] == {} and done.steady["closed"] == 0 and list(done.steady["status"]) == ["200"]
    assert done.changes > SECONDS / 3 and done.deaths > 0 and done.restarts == 0
    first, last = done.samples[0][1], done.samples[-1][1]
    for name in last:
        assert last[name][1] <= first[name][1] + 8, name  # descriptors: what was there before the load
        if SECONDS >= 600:  # caches fill first
            assert done.growth(name) < 2048 and done.growth(name, 1) <= 16, name
