# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what HAProxy binds and what moves between the load balancers are the same addresses."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.crosscheck import Item
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Address
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

_SHOWN = 4
_WILDCARDS = {"*": (4,), "0.0.0.0": (4,), "::": (4, 6)}


@dataclasses.dataclass(frozen=True)
class Movement:
    """All addresses that move, and what is known of this load balancer and the others."""

    moved: t.Sequence[Address]
    mistakes: t.Sequence[Problem] = ()
    """What should be such an address and cannot."""
    own: t.Collection[str] = ()
    """Addresses that stay on this load balancer."""
    own_is_whole: bool = False
    """Whether it has no others, as only its facts can tell."""
    elsewhere: t.Collection[str] = ()
    """What the inventory says of other load balancers' VIPs: an address that two bind belongs to neither."""
    others: bool = False
    """Whether something else than HAProxy uses addresses that move."""
    is_whole: bool = True
    """Whether no other addresses move."""


@dataclasses.dataclass(frozen=True)
class Bound:
    """An address that HAProxy binds, and where it is written."""

    address: str
    place: Place
    is_vip: bool
    """Whether a variable calls it a VIP."""


def check(items: t.Sequence[Item], settings: Settings, movement: Movement | None, problems: Problems) -> None:
    """Refuse VIPs that cannot be, that are bound and move nowhere, or that move and are not bound.

    ``items`` are the services of all load balancers, also those that this one does not have.
    """
    if movement is None:
        return
    for mistake in movement.mistakes:
        problems.add_error(mistake)
    bound = list(all_bound(items, settings, problems))
    if movement.mistakes or not bound:
        return
    lost = [one for one in bound if movement.is_whole and is_lost(one, movement)]
    for one in lost:
        if movement.moved:
            carried = words([(moved.text, moved.path) for moved in movement.moved])
            one.place.wrong(
                one.address,
                f"is bound by HAProxy, and no VRRP instance carries it; they carry {carried}",
                "Write one address in both places, or list it in keepalived_static_addresses if every node has it.",
            )
        else:
            one.place.warn(
                one.address,
                "is bound by several load balancers, and keepalived moves no address",
                "List it in haproxy_vips, or set haproxy_use_keepalived: false where something else moves it.",
            )
    if not lost and not movement.others:
        check_idle(bound, movement, problems)


def check_idle(bound: t.Sequence[Bound], movement: Movement, problems: Problems) -> None:
    """Addresses that move although nothing listens on them; a name may stand for any address."""
    if any(one.address not in _WILDCARDS and not is_ip(one.address) for one in bound):
        return
    addresses = {one.address for one in bound}
    families = {family for address in addresses for family in _WILDCARDS.get(address, ())}
    for moved in movement.moved:
        if moved.plain in addresses or ipaddress.ip_address(moved.plain).version in families:
            continue
        place = Place(problems, moved.path)
        # Others may be for something beside HAProxy.
        tell = place.wrong if moved.path.startswith("haproxy_keepalived_") else place.warn
        named = [one for one in bound if one.is_vip] or list(bound)
        tell(
            moved.text,
            f"moves between the nodes, and HAProxy does not bind it; it binds"
            f" {words([(one.address, one.place.path) for one in named])}",
            "Write one address in both places, or remove this one.",
        )


def is_lost(one: Bound, movement: Movement) -> bool:
    """Whether it is certain that nobody brings the address to this load balancer."""
    if not is_ip(one.address) or one.address in _WILDCARDS:
        return False
    address = ipaddress.ip_address(one.address)
    if address.is_loopback or address.is_link_local:
        return False
    if one.address in movement.own or any(one.address == moved.plain for moved in movement.moved):
        return False
    return movement.own_is_whole or (one.is_vip and one.address in movement.elsewhere)


def all_bound(items: t.Sequence[Item], settings: Settings, problems: Problems) -> t.Iterator[Bound]:
    """Each address that a service or the statistics page binds, once."""
    known = {address: vip.path for vip in reversed(settings.vips) for address in vip.bound}
    seen: set[str] = set()
    for item in items:
        for index, bind in enumerate(item.service.binds):
            address = bind.address
            if address in seen:
                continue
            seen.add(address)
            if address in known:
                yield Bound(address, Place(problems, known[address]), is_vip=True)
            else:
                yield Bound(address, item.place.key("haproxy_bind").item(index), is_vip=False)
    address = settings.stats_bind_address
    if settings.stats_enabled and address not in seen:
        yield Bound(address, Place(problems, "haproxy_stats_bind_address"), is_vip=False)


def words(values: t.Sequence[tuple[str, str]]) -> str:
    """Values with their variables."""
    shown = [f"{value} ({path})" for value, path in values[:_SHOWN]]
    rest = len(values) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
