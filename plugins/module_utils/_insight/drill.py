# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drill: the node of the fault, its length, and whether the outage stayed within the budget."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

Data = t.Mapping[str, t.Any]
Budget = t.Mapping[str, t.Mapping[str, t.Optional[float]]]
"""Seconds by instance and fault, None where nothing ends the outage: what failover_budget returns."""

# Seconds that a fault lasts beyond its longest possible outage, so that the end of the outage is seen.
_MARGIN = 3
_HEADS = ("fault", "VIP", "struck", "outage", "budget", "lost", "verdict")
_ROW = "{:15}  {:39}  {:12}  {:>9}  {:>9}  {:>5}  {}"


class DrillError(LbforgeError):
    """A drill that cannot be prepared."""


@dataclass(frozen=True)
class Target:
    """The target of a fault: inventory name, interfaces of the VIP and towards the servers, and seconds to hold it."""

    node: str
    interface: str
    server_interface: str
    hold: int


def target(
    vips: t.Sequence[Data],
    views: t.Mapping[str, Data],
    cluster: t.Mapping[str, t.Mapping[str, Data]],
    sync_groups: t.Mapping[str, Data],
    budget: Budget,
    fault: str,
    address: str = "",
) -> Target:
    """The holder of the VIP ``address``, or of the first VIP.

    ``vips`` is what vip_holders returns, ``views`` the result of keepalived_info by host, ``cluster`` the instances of
    each host.
    """
    wanted = next((vip for vip in vips if address in ("", vip["address"])), None)
    if wanted is None or not wanted["holders"]:
        held = ", ".join(vip["address"] for vip in vips if vip["holders"])
        raise DrillError(f"keepalived_drill_vip: no node holds {address or 'a VIP'}; set one of {held or 'none'}.")
    node = wanted["holders"][0]
    view = next(one for one in views[node]["addresses"] if one["address"] == wanted["address"])
    # Without a tracked interface, the servers are behind that of the VIP.
    tracked = [
        line
        for tracker in (cluster[node][view["instance"]], *sync_groups.values())
        for line in _lines(tracker.get("track_interfaces"))
    ]
    # An entry may be followed by a weight.
    server_interface = (tracked or [view["interface"]])[0].split()[0]
    longest = max((bounds.get(fault) or 0 for bounds in budget.values()), default=0)
    return Target(node, view["interface"], server_interface, math.ceil(longest) + _MARGIN)


def _lines(value: t.Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def rows(
    vips: t.Sequence[Data], probed: Data, budget: Budget, fault: str, node: str, tolerance: float
) -> list[dict[str, t.Any]]:
    """The effect of the fault on ``node`` on each VIP, with a verdict; ``probed`` is the result of vip_probe.

    ``tolerance`` are the seconds over the budget that are attributed to the measurement.
    """
    seen = {one["address"]: one for one in probed["targets"]}
    found = []
    for vip in vips:
        measured = seen[vip["address"]]
        # A VIP of another node must not have an outage.
        bound = budget[vip["instances"][0]][fault] if vip["wanted"] == node else 0
        found.append(
            {
                "fault": fault,
                "address": vip["address"],
                "node": node,
                "outage": measured["longest"],
                "budget": bound,
                "lost": measured["lost"],
                "lag": probed["lag"],
                "verdict": _verdict(fault, measured, bound, tolerance),
            }
        )
    return found


def _verdict(fault: str, measured: Data, bound: float | None, tolerance: float) -> str:
    if bound is None:
        return "no budget"
    if fault == "planned_stop" and measured["lost"] > 0:
        return "lost"
    return "too long" if measured["longest"] > bound + tolerance else "ok"


def table(found: t.Sequence[Data]) -> list[str]:
    """The rows as lines of text."""
    return [_ROW.format(*_HEADS), *map(_line, found)]


def _line(row: Data) -> str:
    bound = "none" if row["budget"] is None else f"{row['budget']:.2f} s"
    outage = f"{row['outage']:.2f} s"
    return _ROW.format(row["fault"], row["address"], row["node"], outage, bound, row["lost"], row["verdict"])
