# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual IP address (VIP): what clients connect to, HAProxy binds and keepalived moves between the nodes. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

Interface = t.Union[IPv4Interface, IPv6Interface]

# A silent node is replaced three intervals and a small skew after its last advert: in 0.5 s to 0.8 s. A virtual
# machine that stands still for less than that keeps its addresses. 0.2 s was seen to fail over for nothing with five
# times more load than processors, 0.25 s was not; 0.3 s leaves no room below one second.
DEFAULT_ADVERT_INT = 0.25
TYPES = ("external", "internal")
WILDCARDS = ("*", "0.0.0.0", "::")
HINT = "Write an address that a node can have, with the prefix length of its network."


class UserCertificate(t.NamedTuple):
    """A certificate of the user's: paths on the setup host."""

    cert: str
    key: str
    ca_cert: str = ""

    @classmethod
    def of(cls, entry: t.Mapping[str, t.Any], prefix: str = "user_ssl_") -> UserCertificate | None:
        """Read it from keys that begin with ``prefix``; None where certificate or key is missing."""
        return cls.of_paths(*(entry.get(f"{prefix}{name}") for name in ("cert", "key", "ca_cert")))

    @classmethod
    def of_paths(cls, cert: str | None, key: str | None, ca_cert: str | None) -> UserCertificate | None:
        return cls(cert, key, ca_cert or "") if cert and key else None


class Address(t.NamedTuple):
    """An address as in a variable: with the prefix length of its network if keepalived moves it."""

    text: str
    path: str = ""
    """Where it is written."""

    @property
    def plain(self) -> str:
        """The address alone, without what ``ip address add`` takes behind it, such as ``dev eth0``."""
        first = (self.text.split() or [""])[0].partition("/")[0]
        return str(ip_address(first)) if is_ip(first) else first

    @property
    def interface(self) -> Interface:
        """The address with its network; raises ValueError for anything else."""
        return ip_interface((self.text.split() or [""])[0])

    def mistake(self, *, needs_prefix: bool = True, name: str = "") -> Problem | None:
        """The reason why it cannot be an address that moves."""
        why = flaw((self.text.split() or [""])[0], needs_prefix)
        hint = "" if "such as" in why else HINT
        return Problem(self.path, shown(self.text), f"{self.text!r} {why}", hint, name) if why else None


@dataclasses.dataclass(frozen=True)
class Vip:
    """One or more addresses that move together and are known by the same names."""

    addresses: tuple[Address, ...]
    name: str = ""
    path: str = ""
    """The variable, or its item, that says it."""
    type: str = "external"
    names: tuple[str, ...] = ()
    """By which clients know it, beside its addresses."""
    tls: bool | None = None
    """Whether services with TLS speak it here; None leaves that to the service and the place in the list."""
    certificate: UserCertificate | None = None
    letsencrypt: str = ""
    """The name of a certificate by ACME that is not the first."""
    bind_address: str = ""
    """What HAProxy binds in place of the addresses."""
    bind_interface: str = ""
    interface: str = ""
    """Which carries the addresses; empty where only the node's facts can tell."""
    virtual_router_id: int | None = None
    advert_int: float = DEFAULT_ADVERT_INT
    hosts: tuple[str, ...] = ()
    """The nodes that are to have it before all others, the preferred one first."""
    sync_group: str = ""
    is_bound: bool = True
    is_moved: bool = True

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The addresses without prefix lengths."""
        return tuple(address.plain for address in self.addresses)

    @property
    def known_as(self) -> str:
        """The name for clients: its first name, or else its first address."""
        return (*self.names, *self.plain)[0]

    @cached_property
    def bound(self) -> tuple[str, ...]:
        """The addresses that HAProxy binds."""
        return (self.bind_address,) if self.bind_address else self.plain

    def of_version(self, version: int) -> list[Interface]:
        """Its addresses of one family, with their networks."""
        return [one for address in self.addresses if (one := address.interface).version == version]

    def instances(self) -> dict[str, int]:
        """The names of its VRRP instances, with their IP versions."""
        named = {self.name: 4, f"{self.name}_ipv6": 6}
        return {name: version for name, version in named.items() if self.of_version(version)}

    def router_ids(self, number: int) -> set[tuple[int, int]]:
        """The router ids that it occupies, by family; RFC 9568 separates IPv4 and IPv6."""
        return {(version, number) for version in self.instances().values()}

    def subject_alternative_names(self) -> dict[str, list[str]]:
        """The names on a certificate of this VIP: its own, and no other VIP's."""
        names = list(dict.fromkeys(name for name in (*self.plain, *self.names) if name != "*"))
        return {"dns": [name for name in names if not is_ip(name)], "ip": [name for name in names if is_ip(name)]}


def duplicates(vips: t.Sequence[Vip]) -> t.Iterator[Problem]:
    """Names and addresses that two VIPs share."""
    for (one, own), (other, theirs) in itertools.combinations([(vip, set(vip.plain)) for vip in vips], 2):
        if one.name == other.name:
            why = f"VIP {other.name} is defined twice"
            yield Problem(other.path, shown(other.name), why, "Give each its own name.")
        for address in sorted(own & theirs):
            why = f"Address {address} belongs to both VIPs {one.name} and {other.name}"
            yield Problem(other.path, shown(address), why, "Remove it from one of them.")


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
