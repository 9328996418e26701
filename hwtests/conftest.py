# SPDX-License-Identifier: Apache-2.0
"""Skips what this machine cannot run, with the reason, and makes the edges that tests share.

A fixture of a test file's own has a name of its own, too: pytest 7 would keep one with parameters for as long as the one of that name here."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import cluster as clusters  # noqa: E402
import lab  # noqa: E402
from edge import Edge, ROOT  # noqa: E402

QUICKSTART = (ROOT / "configs" / "quickstart.yaml").read_text()


def pytest_collection_modifyitems(items):
    reason = lab.missing_capability()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module", params=["auto", "userspace"])
def edge(request):
    """The quickstart, served from a folder, on each data path."""
    with Edge({"quickstart.yaml": QUICKSTART}, options=["--datapath", request.param]) as made:
        made.datapath = request.param
        yield made
        if request.session.testsfailed:
            print(made.read("penstock.log")[-20000:])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := clusters.missing():
        pytest.skip(reason)
    with clusters.lab(tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture
def make_edge(request):
    """A function that starts an edge for one test; it is closed after the test."""
    made = []

    def make(*args, **options):
        made.append(Edge(*args, **options))
        return made[-1]
    yield make
    for one in made:
        if request.session.testsfailed:
            print(one.read("penstock.log")[-20000:])
        one.close()


def pytest_sessionfinish(session, exitstatus):
    # ctest reads 77 as "skipped": every test of the file was.
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and reporter.stats.get("skipped") and not reporter.stats.get("passed"):
        session.exitstatus = 77
