# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one reader of all variables that define VIPs. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips import older
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import read_entries
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import TYPES, Vip
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

Variables = t.Mapping[str, t.Any]

#: the variables that say which addresses keepalived moves
MOVED = ("haproxy_vips", "keepalived_vips", *(name for kind in TYPES for name in older.of_keepalived(kind).values()))


def read(variables: Variables, *, needs_prefix: bool = True) -> tuple[list[Vip], list[Problem]]:
    """Every VIP, and every mistake.

    ``variables`` are those of HAProxy, of keepalived, or of both; of HAProxy's older ones all or none are present. With
    ``haproxy_vips`` the older ones must agree. ``needs_prefix`` is for addresses that keepalived moves.
    """
    entries = variables.get("haproxy_vips")
    if not entries:
        moved, problems = older.moved(variables)
        return [*older.bound(variables), *moved], problems
    vips, problems = read_entries("haproxy_vips", entries, needs_prefix=needs_prefix)
    if problems:
        return vips, problems
    filled_in, _none = read_entries("haproxy_vips", list(_filled_in(entries, variables)), needs_prefix=needs_prefix)
    return filled_in, older.disagreements(vips, variables)


def of_type(kind: str, vips: t.Sequence[Vip]) -> Vip | None:
    """The first VIP of a type, or the first of all if there is none."""
    return next((vip for vip in vips if vip.type == kind), vips[0] if vips else None)


def public_names(vips: t.Sequence[Vip]) -> dict[str, str]:
    """The variables of OpenStack-Ansible that name VIPs, as ``haproxy_vips`` has them."""
    return {f"{kind}_lb_vip_address": vip.known_as for kind in TYPES if (vip := of_type(kind, vips))}


def addresses_of_names(vips: t.Sequence[Vip]) -> dict[str, str]:
    """The address for each name that clients know: the first one of the first VIP with that name."""
    return {name: vip.plain[0] for vip in reversed(vips) for name in vip.names if is_ip(vip.plain[0])}


def _filled_in(entries: t.Sequence[t.Mapping[str, t.Any]], variables: Variables) -> t.Iterator[dict[str, t.Any]]:
    """The entries, completed by other variables for keepalived's keys."""
    seen: set[str] = set()
    for entry in entries:
        kind = str(entry.get("type") or TYPES[0])
        names = {"interface": "default_interface", "advert_int": "keepalived_advert_int"}
        if kind not in seen:
            names |= {key: name for key, name in older.of_keepalived(kind).items() if key != "address"}
        seen.add(kind)
        defaults = {key: variables.get(name) for key, name in names.items()}
        yield {**defaults, **{key: value for key, value in entry.items() if value not in (None, "")}}
