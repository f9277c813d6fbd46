# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VIPs as keepalived moves them: their router ids, and contradictions between two of them."""

from __future__ import annotations

import typing as t
import zlib
from dataclasses import replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import Variables, read
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Vip, duplicates
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

ROUTER_IDS = range(1, 256)


def with_router_ids(vips: t.Sequence[Vip]) -> list[Vip]:
    """Every VIP with a router id.

    An id that is not set follows from the name, so it stays the same when VIPs come and go, and rarely collides with a
    router or another cluster, as 1 and 10 do. If it is taken on any interface, the next free one is used: nodes may
    have different interfaces, but must agree on the number.
    """
    taken = {
        each for vip in vips if vip.virtual_router_id is not None for each in vip.router_ids(vip.virtual_router_id)
    }
    found = []
    for vip in vips:
        if vip.virtual_router_id is None:
            first = zlib.crc32(vip.name.encode()) % len(ROUTER_IDS)
            free = (ROUTER_IDS[(first + step) % len(ROUTER_IDS)] for step in range(len(ROUTER_IDS)))
            number = next((number for number in free if not taken & vip.router_ids(number)), None)
            if number is None:
                why = (
                    f"all {len(ROUTER_IDS)} router ids are taken: put several addresses into one VIP, or set the same"
                    " virtual_router_id for VIPs on different interfaces"
                )
                raise VrrpError([Problem(f"VIP {vip.name}", "", why)])
            vip = replace(vip, virtual_router_id=number)
            taken |= vip.router_ids(number)
        found.append(vip)
    return found


def mistakes(vips: t.Sequence[Vip], hosts: t.Sequence[str]) -> list[Problem]:
    """The mistakes in one VIP, or in two of them together."""
    errors = list(duplicates(vips))
    groups: dict[str, Vip] = {}
    for index, vip in enumerate(vips):
        place = f"VIP {vip.name}"
        if vip.virtual_router_id is not None and vip.virtual_router_id not in ROUTER_IDS:
            why = f"virtual_router_id {vip.virtual_router_id} is out of range; use 1 to 255"
            errors.append(Problem(place, shown(vip.virtual_router_id), why))
        if not 0.01 <= vip.advert_int <= 40:
            why = f"advert_int {vip.advert_int} is out of range; use 0.01 to 40 seconds"
            errors.append(Problem(place, shown(vip.advert_int), why))
        errors += [
            Problem(place, shown(host), f"{host} in hosts is not a keepalived host; use {', '.join(hosts)}")
            for host in vip.hosts
            if host not in hosts
        ]
        first = groups.setdefault(vip.sync_group, vip) if vip.sync_group else vip
        if vip.hosts != first.hosts:
            why = f"VIPs {first.name} and {vip.name} are in the sync group {vip.sync_group}, so they move together"
            errors.append(Problem("", "", f"{why}: set the same hosts for both"))
        for other in vips[:index]:
            errors += _clashes(other, vip)
    return errors


def _clashes(one: Vip, other: Vip) -> t.Iterator[Problem]:
    number = other.virtual_router_id
    same = number is not None and (number, other.interface) == (one.virtual_router_id, one.interface)
    if same and set(one.instances().values()) & set(other.instances().values()):
        why = f"VIPs {one.name} and {other.name} share virtual_router_id {number} on interface {other.interface}"
        yield Problem("", "", f"{why}: set different ids, or remove the key")


def moved(variables: Variables | t.Sequence[t.Any]) -> list[Vip]:
    """The VIPs that keepalived moves with these variables or a list of VIPs; raises VrrpError with every mistake."""
    given = variables if isinstance(variables, t.Mapping) else {"keepalived_vips": variables}
    vips, problems = read(given)
    vips = [vip for vip in vips if vip.is_moved]
    why = "no interface is set, and the facts name no default route: set interface, or gather facts"
    problems += [Problem(f"VIP {vip.name}", "", why) for vip in vips if not vip.interface]
    if problems:
        raise VrrpError(problems)
    return vips
