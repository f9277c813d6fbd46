# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Priorities that stay legal and ordered whatever the trackers report.

A tracker with a weight moves the priority of its node: a negative weight while it fails, a positive one while it
succeeds. Every sum of weights must stay within 1..254, because keepalived clips values outside, and two nodes with the
same clipped number tie. 255 means "owner of the address" and cannot be lowered, so it is never used.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

LOWEST = 1
HIGHEST = 254

# After a planned stop the next node waits for its skew, (256 - priority) / 256 of an advert interval: the closer it is
# to the top, the shorter the gap. Four apart keeps it near 5 ms and still lets one node hear the other in time.
WIDEST_STEP = 4


@dataclass(frozen=True)
class Ranking:
    """The priorities of the nodes, best node first, and the weight of each soft tracker; 0 means no room for any."""

    priorities: list[int]
    soft_weight: int


def spread_limit(weights: t.Sequence[int]) -> int:
    """The maximum distance between first and last node, so that one failing tracker outweighs any rank."""
    moving = [abs(weight) for weight in weights if weight]
    return min(moving) - 1 if moving else HIGHEST - LOWEST


def priorities(count: int, weights: t.Sequence[int] = ()) -> list[int]:
    """The priorities of ``count`` nodes, best node first, each tracked with all of ``weights``.

    - Strictly falling, so nodes in the same condition have one order.
    - Any combination of trackers leaves every node within 1..254.
    - A node where one tracker fails ranks below every node where all trackers are content.
    """
    drop = -sum(weight for weight in weights if weight < 0)
    rise = sum(weight for weight in weights if weight > 0)
    room = min(HIGHEST - rise - LOWEST - drop, spread_limit(weights))
    if room < count - 1:
        message = (
            f"{count} nodes with tracker weights {', '.join(map(str, weights))} do not fit into the priorities"
            f" {LOWEST} to {HIGHEST}, where every weight must outrank all nodes and their sum must fit as well:"
            " use other or fewer weights; weight 0 (FAULT) needs no room."
        )
        raise VrrpError([Problem("", "", message)])
    step = min(WIDEST_STEP, room // (count - 1)) if count > 1 else 0
    top = HIGHEST - rise
    return [top - rank * step for rank in range(count)]


def ranking(count: int, weights: t.Sequence[int], soft: int) -> Ranking:
    """The same with as many soft trackers, each with the smallest weight that ranks its node behind all others.

    Nodes move closer together to make room for them. If that is not enough they are left out, so a legal set stays
    legal.
    """
    levels = priorities(count, weights)
    if not soft or count < 2:
        return Ranking(levels, 0)
    top, widest = levels[0], levels[0] - levels[1]
    drop = -sum(weight for weight in weights if weight < 0)
    for step in range(widest, 0, -1):
        span = step * (count - 1)
        if top - span - drop - soft * (span + 1) >= LOWEST:
            return Ranking([top - rank * step for rank in range(count)], -(span + 1))
    return Ranking(levels, 0)
