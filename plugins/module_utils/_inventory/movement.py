# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses that keepalived moves, in the terms of services, for the comparison with HAProxy's binds. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.static_files import holds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import is_marked, without_marks
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.vips import Movement
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.carried import carried

_WITH_ADDRESSES = ("", "address", "cidr", "vips", "vips_excluded", "raw")
_OF_ROLES = ("haproxy_", "keepalived_")
_OF_LVS = ("keepalived_virtual_servers", "keepalived_virtual_server_groups")
_WITHOUT_ADDRESSES = ("_interface", "_virtual_router_id")


def movement(
    variables: t.Mapping[str, t.Any],
    own_addresses: t.Iterable[str],
    has_facts: bool,
    elsewhere: t.Iterable[t.Any],
) -> Movement:
    """The addresses that keepalived moves with these variables of its role.

    ``own_addresses`` are those that stay with the load balancer, all of them if it ``has_facts``; ``elsewhere`` is what
    the inventory says of VIPs for other load balancers.
    """
    addresses, mistakes = carried(without_marks(variables))
    others = [entry["address"] if isinstance(entry, dict) else entry for entry in elsewhere]
    return Movement(
        addresses,
        mistakes,
        frozenset(own_addresses),
        has_facts,
        frozenset(map(str, others)),
        not holds(variables.get("keepalived_track_haproxy", True)) or any(map(variables.get, _OF_LVS)),
        is_whole=not hides_addresses(variables),
    )


def hides_addresses(value: t.Any, key: str = "") -> bool:
    """Whether an unresolved value may hide an address: interfaces, for example, are known only from facts."""
    if is_marked(value):
        return key in _WITH_ADDRESSES or (key.startswith(_OF_ROLES) and not key.endswith(_WITHOUT_ADDRESSES))
    if isinstance(value, dict):
        return any(hides_addresses(item, str(name)) for name, item in value.items())
    return isinstance(value, (list, tuple)) and any(hides_addresses(item, key) for item in value)
