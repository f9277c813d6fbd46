# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's links with their hardware addresses and the addresses on them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from ipaddress import ip_address

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields, answer_of


@dataclass(frozen=True)
class Link:
    """A network interface."""

    interface: str
    mac: str
    addresses: tuple[str, ...]
    """With prefix lengths."""
    parent: str = ""
    """What a VLAN or a macvlan stands on."""

    @property
    def bare(self) -> tuple[str, ...]:
        return tuple(cidr.partition("/")[0] for cidr in self.addresses)


def links(text: str, *, loopback: bool = False) -> tuple[Link, ...]:
    """The links of ``ip -json address``; without lo, whose addresses are unreachable from outside."""
    with answer_of(lambda: "iproute2", "ip -json address"):
        shown: list[Fields[t.Any]] = [Fields(link) for link in json.loads(text or "[]") if link]
        return tuple(
            Link(
                interface=link["ifname"],
                mac=link.get("address", ""),
                addresses=tuple(
                    f"{ip_address(entry['local'])}/{entry['prefixlen']}"
                    for entry in map(Fields, link["addr_info"])
                    if entry.get("local")
                ),
                parent=link.get("link") or "",
            )
            for link in shown
            if loopback or "LOOPBACK" not in link["flags"]
        )


def holds(all_links: t.Iterable[Link], address: str, interface: str) -> bool:
    """Whether this node has an address. A link-local one only counts on the interface that it belongs on."""
    local = ip_address(address).is_link_local
    return any(address in link.bare for link in all_links if not local or interface in (link.interface, link.parent))
