# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from cluster import Authority, Client, Cluster


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def client(authority: Authority) -> Client:
    return Client(authority.root())


@pytest.fixture(scope="session")
def cluster(authority: Authority) -> Cluster:
    return Cluster(authority)


@pytest.fixture(autouse=True)
def in_good_health(cluster: Cluster) -> t.Iterator[None]:
    """Every test leaves three nodes that serve the same, and the VIP where it was."""
    yield
    cluster.settle()
