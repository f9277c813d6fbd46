# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.spread import spread

NODES = st.integers(1, 50)
VIPS = st.integers(0, 120)


def even(counts: Counter[int], nodes: list[int]) -> bool:
    shares = [counts[node] for node in nodes]
    return max(shares) - min(shares) <= 1


@settings(deadline=None, derandomize=True)
@given(count=VIPS, nodes=NODES)
def test_each_node_has_its_share_and_every_vip_every_node(count: int, nodes: int) -> None:
    everyone = list(range(nodes))
    orders = spread(count, everyone)

    assert len(orders) == count
    assert all(sorted(order) == everyone for order in orders)
    assert even(Counter(order[0] for order in orders), everyone)


@settings(deadline=None, derandomize=True)
@given(count=VIPS, nodes=st.integers(2, 50), data=st.data())
def test_the_vips_of_a_node_that_is_gone_are_shared_by_the_others(count: int, nodes: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, nodes - 1))
    moved = [order[1] for order in spread(count, range(nodes)) if order[0] == gone]

    assert even(Counter(moved), [node for node in range(nodes) if node != gone])


@settings(deadline=None, derandomize=True)
@given(count=VIPS, nodes=NODES, more=st.integers(1, 10))
def test_another_vip_at_the_end_changes_nothing(count: int, nodes: int, more: int) -> None:
    assert spread(count + more, range(nodes))[:count] == spread(count, range(nodes))


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("count", [2, 7, 20, 100])
def test_another_node_at_the_end_takes_its_share_and_moves_few_others(count: int, nodes: int) -> None:
    before = [order[0] for order in spread(count, range(nodes))]
    after = [order[0] for order in spread(count, range(nodes + 1))]
    moved = [new for old, new in zip(before, after) if new != old]
    share = after.count(nodes)

    assert len(moved) <= share + count / 8


def test_two_vips_on_three_nodes() -> None:
    assert spread(2, ["lb1", "lb2", "lb3"]) == [["lb1", "lb2", "lb3"], ["lb2", "lb3", "lb1"]]
