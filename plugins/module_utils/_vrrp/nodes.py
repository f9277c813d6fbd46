# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes that share virtual addresses, and the addresses of their adverts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Interface, Vip
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.advert import TTL
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem


@dataclass(frozen=True)
class Node:
    """A load balancer as the inventory and its facts know it."""

    name: str
    inventory_addresses: tuple[str, ...] = ()
    """Literal addresses from the inventory, the preferred ones first."""
    chosen_addresses: tuple[str, ...] = ()
    """Addresses that the user named for VRRP; they are taken without questions."""
    links: t.Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    """Interface name to its addresses, oldest first; empty as long as the node's facts are not known."""

    def addresses(self, version: int, taken: set[str], interface: str | None = None) -> list[Interface]:
        """The candidates for the node's own address, the likeliest first.

        Facts also contain virtual addresses that a change is about to remove, which are in no list.
        keepalived adds them to an interface that has its own address already, and often without a network.
        """
        links = self.links.values() if interface is None else [self.links.get(interface, ())]
        own = [
            address
            for link in links
            for address in link
            if address.version == version and not address.is_link_local and str(address.ip) not in taken
        ]
        return sorted(own, key=lambda address: address.network.prefixlen == address.max_prefixlen)


def node_from_vars(name: str, variables: t.Mapping[str, t.Any]) -> Node:
    """A node from its inventory variables and, if gathered, its facts."""
    chosen = variables.get("keepalived_unicast_address") or []
    links: dict[str, tuple[Interface, ...]] = {}
    # Facts spell interface names their own way (br-mgmt becomes br_mgmt); `device` holds the real one.
    for fact in (variables.get("ansible_facts") or {}).values():
        if isinstance(fact, t.Mapping) and isinstance(fact.get("device"), str):
            links[fact["device"]] = tuple(_link_addresses(fact))
    return Node(
        name=name,
        inventory_addresses=(str(variables.get("ansible_host") or name), name),
        chosen_addresses=(chosen,) if isinstance(chosen, str) else tuple(chosen),
        links=links,
    )


def _link_addresses(fact: t.Mapping[str, t.Any]) -> t.Iterator[Interface]:
    first = fact.get("ipv4")
    for ipv4 in [*([first] if isinstance(first, t.Mapping) else first or []), *(fact.get("ipv4_secondaries") or [])]:
        if ipv4.get("address"):
            yield ip_interface(f"{ipv4['address']}/{ipv4.get('netmask') or 32}")
    # Linux lists the IPv4 addresses of an interface as they came, and the IPv6 addresses the other way round.
    for ipv6 in reversed(fact.get("ipv6") or []):
        if ipv6.get("address"):
            yield ip_interface(f"{ipv6['address']}/{ipv6.get('prefix') or 128}")


def interface_of(vip: Vip, node: Node, nodes: t.Sequence[Node]) -> str:
    """The interface of ``node`` that carries the VIP.

    Its name may differ from the one in the VIP: then it is the interface in the same network.
    """
    if not node.links or vip.interface in node.links:
        return vip.interface
    own = [address.interface for address in vip.addresses]
    near = {address.network for address in own if address.network.prefixlen < address.max_prefixlen}
    near |= {address.network for other in nodes for address in other.links.get(vip.interface, ())}
    for name, addresses in node.links.items():
        if any(address.ip in network for address in addresses for network in near):
            return name
    return vip.interface


def interfaces_to(servers: t.Iterable[str], node: Node, otherwise: t.Collection[str]) -> set[str]:
    """The interfaces by which ``node`` reaches these addresses, as far as its facts tell.

    A server in no network of the node is behind a router, and one in the networks of two interfaces behind either: for
    these, and for names, it may be any of ``otherwise``.
    """
    found: set[str] = set()
    if not node.links:
        return found
    own = {address.ip for addresses in node.links.values() for address in addresses}
    for server in servers:
        try:
            address = ip_address(server)
        except ValueError:  # a name
            found.update(otherwise)
            continue
        if address in own or address.is_loopback:
            continue
        near = {
            name: max(link.network.prefixlen for link in links if address in link.network)
            for name, links in node.links.items()
            if any(address in link.network for link in links)
        }
        nearest = [name for name, length in near.items() if length == max(near.values())]
        found.update(nearest if len(nearest) == 1 else otherwise)
    return found


def unicast(nodes: t.Sequence[Node], own: Node, interface: str, version: int, taken: set[str]) -> dict[str, t.Any]:
    """Source and peers of the node ``own``, or nothing for a node that is alone."""
    if len(nodes) < 2:
        return {}
    source, network = _source(own, interface, version, taken)
    errors: list[Problem] = []
    peers: list[str] = []
    for node in nodes:
        if node is own:
            continue
        try:
            peers.append(_peer(node, network, version, taken))
        except VrrpError as error:
            errors += error.problems
    if errors:
        raise VrrpError(errors)
    return {"unicast_src_ip": source, "unicast_peers": peers, **_hops(network, peers, version)}


def _hops(network: Interface | None, peers: t.Sequence[str], version: int) -> dict[str, int]:
    """The required hop limit of adverts from the peers.

    Each router lowers it by one, so an advert with the full limit comes from this network (RFC 5082). In IPv6, nodes
    with an older configuration send the kernel's default, mostly 64 (measured): rejecting that would make a node deaf
    to them, and both would take the address.
    """
    is_near = network is not None and all(ip_address(peer) in network.network for peer in peers)
    return {"unicast_min_ttl": TTL} if is_near and version == 4 else {}


def _source(node: Node, interface: str, version: int, taken: set[str]) -> tuple[str, Interface | None]:
    """This node's address on ``interface`` and, where known, with its network.

    keepalived binds its sockets to the interface of the instance: an address of another interface could send, but would
    never get answers.
    """
    chosen = _of_version(node.chosen_addresses, version)
    if node.links and interface not in node.links:
        why = f"host {node.name} has no interface {interface}; it has {', '.join(sorted(node.links))}"
        raise VrrpError([Problem("", "", why)])
    link = node.addresses(version, taken, interface)
    by_address = {str(address.ip): address for address in link}
    if chosen:
        return chosen[0], by_address.get(chosen[0])
    for address in _of_version(node.inventory_addresses, version):
        if address in by_address or not node.links:
            return address, by_address.get(address)
    if link:
        return str(link[0].ip), link[0]
    raise VrrpError([_missing(node, version, f"on interface {interface}")])


def _peer(node: Node, near: Interface | None, version: int, taken: set[str]) -> str:
    """A peer's address in this node's network: nodes that share a virtual address share its link."""
    chosen = _of_version(node.chosen_addresses, version)
    if chosen:
        return chosen[0]
    inventory = _of_version(node.inventory_addresses, version)
    if near and node.links:
        known = [str(address.ip) for address in node.addresses(version, taken) if address.ip in near.network]
        candidates = [address for address in inventory if address in known] + known
    else:
        candidates = [
            address
            for address in inventory
            if address not in taken and (near is None or ip_address(address) in near.network)
        ]
    if candidates:
        return candidates[0]
    raise VrrpError([_missing(node, version, f"in the network {near.network}" if near else "in the inventory")])


def _missing(node: Node, version: int, where: str) -> Problem:
    hint = "" if node.links else " and its facts are not gathered"
    why = (
        f"host {node.name} has no IPv{version} address {where}{hint}:"
        " gather facts of all keepalived hosts first or set keepalived_unicast_address for the host"
    )
    return Problem("", "", why)


def _of_version(addresses: t.Iterable[str], version: int) -> list[str]:
    found = []
    for address in addresses:
        try:
            parsed = ip_address(address)
        except ValueError:  # a host name: nothing keepalived can send to
            continue
        if parsed.version == version and not parsed.is_link_local:
            found.append(str(parsed))
    return found
