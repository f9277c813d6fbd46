# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import product

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.priorities import priorities

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
