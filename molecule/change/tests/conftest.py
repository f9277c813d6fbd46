# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from bench import CACHE, Bench, Node, until
from cluster import Clients, Cluster


@pytest.fixture(scope="session")
def bench() -> Bench:
    bench = Bench.load("lbfc")
    assert until(bench.settled, 40), "the cluster is not in good health, so there is nothing to test"
    return bench


@pytest.fixture(scope="session")
def holder(bench: Bench) -> Node:
    (holder,) = bench.holders(bench.external_vip)
    return holder


@pytest.fixture(scope="session")
def clients(bench: Bench) -> t.Iterator[Clients]:
    """They ask from before the first change until after the last."""
    clients = Clients(bench)
    yield clients
    clients.process.kill()


@pytest.fixture(scope="session")
def cluster(bench: Bench, clients: Clients) -> t.Iterator[Cluster]:
    cluster = Cluster(bench)
    yield cluster
    table = {"changes": cluster.made, "clients": clients.report}
    (CACHE / f"change-{bench.name}.json").write_text(json.dumps(table, indent=2) + "\n")
