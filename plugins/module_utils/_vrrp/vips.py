# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users say of a virtual address, and what must not be said of two of them."""

from __future__ import annotations

import typing as t
import zlib
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

Interface = t.Union[IPv4Interface, IPv6Interface]

# A silent node is replaced three intervals and a small skew after its last advert: in 0.5 s to 0.8 s. A virtual
# machine that stands still for less than that keeps its addresses. 0.2 s was seen to fail over for nothing with five
# times more load than processors, 0.25 s was not; 0.3 s leaves no room below one second.
DEFAULT_ADVERT_INT = 0.25

ROUTER_IDS = range(1, 256)


@dataclass(frozen=True)
class Vip:
    """One or more virtual addresses that move together, for each address family."""

    name: str
    addresses: tuple[Interface, ...]
    interface: str
    virtual_router_id: int | None = None
    advert_int: float = DEFAULT_ADVERT_INT
    hosts: tuple[str, ...] = ()
    """The nodes that are to have it before all others, the preferred one first."""
    sync_group: str = ""

    def of_version(self, version: int) -> list[Interface]:
        return [address for address in self.addresses if address.version == version]

    def instances(self) -> dict[str, int]:
        """The names of its instances, with their versions of IP."""
        named = {self.name: 4, f"{self.name}_ipv6": 6}
        return {name: version for name, version in named.items() if self.of_version(version)}

    def router_ids(self, number: int) -> set[tuple[int, int]]:
        """What it occupies with a router id; RFC 9568 keeps those of IPv4 and IPv6 apart."""
        return {(version, number) for version in self.instances().values()}


def with_router_ids(vips: t.Sequence[Vip]) -> list[Vip]:
    """Every VIP with a router id.

    One that is not given follows from the name, so it stays when VIPs come and go, and it is seldom one that a router
    or another cluster in this network has, as 1 and 10 are. Only where it is taken is the next free one used, on
    whichever interface: nodes may have other interfaces, and all must come to the same number.
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
                    f"all {len(ROUTER_IDS)} router ids are taken: put several addresses into the cidr of one VIP, or"
                    " give VIPs on other interfaces the same virtual_router_id"
                )
                raise VrrpError([Problem(f"VIP {vip.name}", "", why)])
            vip = replace(vip, virtual_router_id=number)
            taken |= vip.router_ids(number)
        found.append(vip)
    return found


def mistakes(vips: t.Sequence[Vip], hosts: t.Sequence[str]) -> list[Problem]:
    """What is wrong with one VIP, or with two of them together."""
    errors = []
    groups: dict[str, Vip] = {}
    for index, vip in enumerate(vips):
        place = f"VIP {vip.name}"
        if vip.virtual_router_id is not None and vip.virtual_router_id not in ROUTER_IDS:
            why = f"virtual_router_id {vip.virtual_router_id} is not within 1 to 255"
            errors.append(Problem(place, shown(vip.virtual_router_id), why))
        if not 0.01 <= vip.advert_int <= 40:
            why = f"advert_int {vip.advert_int} is not within 0.01 to 40 seconds"
            errors.append(Problem(place, shown(vip.advert_int), why))
        errors += [
            Problem(place, shown(host), f"{host} in hosts is none of the keepalived hosts ({', '.join(hosts)})")
            for host in vip.hosts
            if host not in hosts
        ]
        first = groups.setdefault(vip.sync_group, vip) if vip.sync_group else vip
        if vip.hosts != first.hosts:
            why = f"VIPs {first.name} and {vip.name} are in the sync group {vip.sync_group}, so they move together"
            errors.append(Problem("", "", f"{why}: give both the same hosts"))
        for other in vips[:index]:
            errors += _clashes(other, vip)
    return errors


def _clashes(one: Vip, other: Vip) -> t.Iterator[Problem]:
    if one.name == other.name:
        yield Problem("", "", f"VIP {other.name} is defined twice")
    number = other.virtual_router_id
    same = number is not None and (number, other.interface) == (one.virtual_router_id, one.interface)
    if same and set(one.instances().values()) & set(other.instances().values()):
        why = f"VIPs {one.name} and {other.name} share virtual_router_id {number} on interface {other.interface}"
        yield Problem("", "", f"{why}: give each its own, or leave it out")
    for address in sorted({a.ip for a in one.addresses} & {a.ip for a in other.addresses}, key=int):
        yield Problem("", "", f"Address {address} belongs to both VIPs {one.name} and {other.name}")


def vip_from_dict(entry: t.Mapping[str, t.Any]) -> Vip | None:
    """One item of ``keepalived_vips``; None when it names no address, which is how a VIP is left out."""
    name = str(entry.get("name") or "")
    texts = _texts(entry.get("cidr"))
    if not texts:
        return None
    errors = []
    addresses = []
    for text in texts:
        if why := flaw(str(text)):
            errors.append(Problem(f"VIP {name}", shown(text), f"{text!r} {why}"))
        else:
            addresses.append(ip_interface(str(text).strip()))
    numbers: dict[str, float] = {}
    for key in ("virtual_router_id", "advert_int"):
        value = entry.get(key)
        if value in (None, ""):
            continue
        try:
            numbers[key] = float(value)
        except (TypeError, ValueError):
            errors.append(Problem(f"VIP {name}", shown(value), f"{key} must be a number, not {value!r}"))
    if not name:
        errors.append(Problem("", "", f"A VIP with the addresses {', '.join(map(str, texts))} has no name"))
    if not entry.get("interface"):
        why = "no interface is set, and the facts, if gathered, name no default route to take one from"
        errors.append(Problem(f"VIP {name}", "", why))
    if errors:
        raise VrrpError(errors)
    return Vip(
        name=name,
        addresses=tuple(addresses),
        interface=str(entry["interface"]),
        virtual_router_id=int(numbers["virtual_router_id"]) if "virtual_router_id" in numbers else None,
        advert_int=numbers.get("advert_int", DEFAULT_ADVERT_INT),
        hosts=tuple(map(str, _texts(entry.get("hosts")))),
        sync_group=str(entry.get("sync_group") or ""),
    )


def flaw(text: str, prefix_needed: bool = True) -> str:
    """Why a text cannot be a virtual address; empty when it can.

    Without a prefix length keepalived takes the address alone, /32 or /128: then the node answers nobody's ARP in a
    network that it has no other address in, so it is only for those who write keepalived's own lines.
    """
    text = text.strip()
    try:
        address = ip_interface(text)
    except ValueError:
        return "is not an address with a prefix length, such as 192.0.2.10/24"
    if prefix_needed and "/" not in text:
        return f"has no prefix length; write that of its network, such as {text}/{24 if address.version == 4 else 64}"
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        return "is no address that moves between nodes"
    return reserved(address)


def reserved(address: Interface) -> str:
    """Why a network keeps an address for itself; empty when a node can have it.

    RFC 1122, section 3.2.1.3, and RFC 3021 for networks of two; RFC 4291, section 2.6.1, and RFC 6164.
    """
    network = address.network
    if network.prefixlen >= network.max_prefixlen - 1:
        return ""
    if address.ip == network.network_address:
        return f"is the address of the network {network} itself"
    if address.version == 4 and address.ip == network.broadcast_address:
        return f"is the broadcast address of the network {network}"
    return ""


def _texts(value: t.Any) -> list[t.Any]:
    return [value] if value and isinstance(value, str) else list(value or [])
