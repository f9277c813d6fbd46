# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from bench import CACHE
from cluster import Cluster, name
from picture import picture
from trial import Result

# The results of this run, for the summary too.
RESULTS: list[Result] = []


@pytest.fixture(scope="session")
def cluster() -> t.Iterator[Cluster]:
    cluster = Cluster(name())
    with cluster.serving():
        assert cluster.settled(), "the cluster is not in good health, so there is nothing to test"
        yield cluster
    cluster.watcher.close()
    measured = {
        "name": cluster.name,
        "keepalived": cluster.version,
        "faults": [dataclasses.asdict(result) for result in RESULTS],
    }
    path = CACHE / f"failover-{cluster.name}.json"
    path.write_text(json.dumps(measured, indent=2) + "\n")
    path.with_suffix(".svg").write_text(picture(cluster.name, cluster.version, RESULTS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("outages by fault, seconds")
    columns = {
        "allowed": "limit",
        "outage": "outage",
        "lost": "lost",
        "absent": "absent",
        "doubled": "doubled",
        "return": "comeback",
        "doubled ": "comeback_doubled",
        "restored": "restored",
        "tries": "tries",
        "load": "load",
    }
    terminalreporter.line(f"{'':<18}" + "".join(f"{name:>9}" for name in columns))
    for result in RESULTS:
        values = (getattr(result, column) for column in columns.values())
        row = "".join(f"{value:>9.2f}" if isinstance(value, float) else f"{value:>9}" for value in values)
        terminalreporter.line(f"{result.fault:<18}{row}{'  MISSED' if result.too_much else ''}")
