# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break a node in every way, and compare what its clients miss with what the configuration promises.

Figures and picture are .cache/bench/failover-NAME.json and .svg, whatever becomes of the nodes.
"""

from __future__ import annotations

import pytest
from cluster import Cluster
from conftest import RESULTS
from faults import FAULTS, Fault
from trial import attempt

# Other work on this machine can spoil a measurement, and a request on its way at the very moment of a move is lost
# with its node; neither does so three times in a row.
TRIES = 3


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_clients_miss_no_more_than_promised(cluster: Cluster, fault: Fault) -> None:
    """Both nodes that have an address take turns."""
    in_turn = cluster.owners[FAULTS.index(fault) % len(cluster.owners)]
    victim = cluster.holder(fault.instance) if fault.instance else in_turn
    assert cluster.settled(), "the cluster has not recovered from what was before"
    for tries in range(1, TRIES + 1):
        result = attempt(cluster, fault, victim)
        result.tries = tries
        if not result.too_much:
            break
    RESULTS.append(result)
    assert not result.too_much, result
