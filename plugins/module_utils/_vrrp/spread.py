# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of nodes for each VIP, so that all share the load whichever node is down."""

from __future__ import annotations

import typing as t
from functools import cache

Node = t.TypeVar("Node")


def spread(count: int, nodes: t.Sequence[Node]) -> list[list[Node]]:
    """The nodes of each of ``count`` VIPs, the preferred one first.

    - Every node is the first choice of as many VIPs as any other, give or take one.
    - So is every node that is left the next choice of the VIPs of a node that is gone: not all go to one neighbour.
    - A VIP at the end of the list changes nothing for those before it.
    - A node at the end of the list takes its share, and up to five nodes hardly any other VIP moves.
    """
    if count < 2 or len(nodes) < 2:
        return [list(nodes)] * count
    shares = _shares(count, len(nodes))
    found: list[list[Node]] = [[]] * count
    for index, node in enumerate(nodes):
        own = [vip for vip, share in enumerate(shares) if share == index]
        # The VIPs of one node are spread over the others in turn, beginning behind it.
        others = [*nodes[index + 1 :], *nodes[:index]]
        for vip, order in zip(own, spread(len(own), others)):
            found[vip] = [node, *order]
    return found


@cache
def _shares(count: int, nodes: int) -> tuple[int, ...]:
    """The index of the first choice of each VIP.

    Every row of as many VIPs as there are nodes has each node once, so any number of VIPs is shared evenly. The rows
    of N nodes come from those of N - 1: who stands in a row twice gives the second place to a node that is missing.
    """
    # The last row is complete for every number of nodes, so that later VIPs change nothing.
    shares = [0] * (count + nodes * nodes)
    for size in range(2, nodes + 1):
        for start in range(0, len(shares) - size + 1, size):
            row = shares[start : start + size]
            missing = sorted(set(range(size)).difference(row))
            seen: set[int] = set()
            for place, node in enumerate(row, start):
                if node in seen:
                    shares[place] = missing.pop()
                seen.add(node)
    return tuple(shares[:count])
