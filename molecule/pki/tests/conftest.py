# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from bench import until
from cluster import VIP, Cluster, SetupHost


@pytest.fixture(scope="session")
def setup_host() -> SetupHost:
    return SetupHost()


@pytest.fixture(scope="session")
def cluster(setup_host: SetupHost) -> Cluster:
    cluster = Cluster(setup_host)
    assert until(lambda: [node.name for node in cluster.nodes if node.holds(VIP)] == ["lb1"]), "nobody to talk to"
    return cluster
