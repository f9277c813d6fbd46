# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.priorities import priorities, ranking

WEIGHTS: list[tuple[int, ...]] = [(), (0,), (-100,), (0, -100), (-100, -100), (-60, 60), (-51,), (120,)]


def effective(priority: int, weights: tuple[int, ...], failing: tuple[bool, ...]) -> int:
    """keepalived's rule: a negative weight counts while its tracker fails, a positive one while it succeeds."""
    return priority + sum(w for w, failed in zip(weights, failing) if (w < 0) == failed)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("count", range(1, 51))
def test_priorities(count: int, weights: tuple[int, ...]) -> None:
    found = priorities(count, weights)

    assert len(found) == count
    for failing in product((False, True), repeat=len(weights)):
        now = [effective(priority, weights, failing) for priority in found]
        assert all(1 <= priority <= 254 for priority in now)
        assert now == sorted(set(now), reverse=True), "the same trouble on all nodes must move nothing"
    content = (False,) * len(weights)
    for index, weight in enumerate(weights):
        if weight:
            failing = tuple(position == index for position in range(len(weights)))
            assert effective(found[0], weights, failing) < effective(found[-1], weights, content)


@settings(deadline=None, derandomize=True)
@given(count=st.integers(1, 50), weights=st.lists(st.integers(-254, 254), max_size=5))
def test_what_fits_is_in_order_whatever_fails(count: int, weights: list[int]) -> None:
    """The same as above for any weights: where they do not fit, there must be no room for them."""
    moving = [abs(weight) for weight in weights if weight]
    try:
        found = priorities(count, weights)
    except VrrpError:
        assert min(moving) <= count - 1 or 254 - sum(moving) < count
        return
    for failing in product((False, True), repeat=len(weights)):
        now = [effective(priority, tuple(weights), failing) for priority in found]
        assert all(1 <= priority <= 254 for priority in now)
        assert now == sorted(set(now), reverse=True)
    assert all(found[0] - weight < found[-1] for weight in moving)


# Maintenance and a ping check, as the role has them, with another one.
@pytest.mark.parametrize("count", range(2, 51))
def test_the_weights_of_the_role_fit(count: int) -> None:
    assert len(priorities(count, [0, 0, -100, -100])) == count


@pytest.mark.parametrize(
    "count, weights",
    [
        (3, (-2,)),  # a rank would outweigh the tracker
        (2, (-1,)),
        (50, (-10,)),
        (2, (-200, -100)),
        (2, (253,)),
        (255, ()),
    ],
)
def test_what_does_not_fit(count: int, weights: tuple[int, ...]) -> None:
    with pytest.raises(VrrpError, match=f"{count} nodes"):
        priorities(count, weights)


@settings(deadline=None, derandomize=True)
@given(count=st.integers(2, 50), weights=st.lists(st.sampled_from([0, -50, -60, -100, 20])), soft=st.integers(0, 4))
def test_soft_trackers_take_what_room_there_is(count: int, weights: list[int], soft: int) -> None:
    try:
        hard = priorities(count, weights)
    except VrrpError:
        with pytest.raises(VrrpError):
            ranking(count, weights, soft)
        return
    found = ranking(count, weights, soft)

    if not found.soft_weight:
        assert found.priorities == hard, "what was legal without them has to stay so"
        moving = sum(abs(weight) for weight in weights)
        # The closest ranks are 1 apart, and a soft tracker outweighs all of them.
        assert not soft or 254 - moving - (count - 1) - soft * count < 1
        return
    every = [*weights, *[found.soft_weight] * soft]
    for failing in product((False, True), repeat=len(every)) if len(every) < 9 else [(True,) * len(every)]:
        now = [effective(priority, tuple(every), failing) for priority in found.priorities]
        assert all(1 <= priority <= 254 for priority in now)
        assert now == sorted(set(now), reverse=True)
    # The best node with one of them failing is behind the last one.
    assert found.priorities[0] + found.soft_weight < found.priorities[-1]


# Maintenance and a ping check, HAProxy that has not settled, and a link to the servers.
@pytest.mark.parametrize("count, weight", [(2, -5), (3, -9), (5, -17), (6, -16), (10, -10), (18, -18), (19, 0)])
def test_the_soft_trackers_of_the_role(count: int, weight: int) -> None:
    assert ranking(count, [0, 0, -100, -100], 2).soft_weight == weight
