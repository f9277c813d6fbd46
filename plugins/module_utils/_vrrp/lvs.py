# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements of LVS services for their director. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Data = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Director:
    """The VIPs and real servers of a director, and whether it rewrites addresses."""

    vips: tuple[str, ...]
    real_servers: tuple[str, ...]
    uses_nat: bool


def director(servers: t.Sequence[Data], groups: t.Sequence[Data]) -> Director:
    """Of ``keepalived_virtual_servers`` and ``keepalived_virtual_server_groups``.

    A VIP of a group may be a range, such as ``192.0.2.10-20``; a firewall mark has no address.
    """
    services = [*servers, *groups]
    real_servers = [one for service in services for one in service.get("real_servers") or ()]
    vips = [service.get("ip") for service in servers]
    vips += [vip.get("ip") for group in groups for vip in group.get("vips") or ()]
    return Director(
        tuple(dict.fromkeys(vip for vip in vips if vip)),
        tuple(one["ip"] for one in real_servers),
        any(str(one.get("lvs_method", "")).startswith("NAT") for one in [*services, *real_servers]),
    )
