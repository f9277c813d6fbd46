# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From virtual addresses and nodes to the ``keepalived_instances`` of one node."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.priorities import priorities

Interface = t.Union[IPv4Interface, IPv6Interface]

# A silent node is replaced three intervals and a small skew after its last advert: in 0.5 s to 0.8 s. A virtual
# machine that stands still for less than that keeps its addresses. 0.2 s was seen to fail over for nothing with five
# times more load than processors, 0.25 s was not; 0.3 s leaves no room below one second.
DEFAULT_ADVERT_INT = 0.25

_NO_HOSTS = (
    "keepalived_hosts is empty: set it to all nodes that share the VIPs, such as \"{{ groups['lbs'] }}\"."
    " There is no group haproxy to take them from, and with --limit the hosts of the play are not all of them."
)


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
        """What may be the node's own address, the likeliest first.

        Facts also hold the virtual addresses that a change is about to remove, which no list names any more.
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


@dataclass(frozen=True)
class Vip:
    """One or more virtual addresses that move together, for each address family."""

    name: str
    addresses: tuple[Interface, ...]
    interface: str
    virtual_router_id: int
    advert_int: float = DEFAULT_ADVERT_INT

    def of_version(self, version: int) -> list[Interface]:
        return [address for address in self.addresses if address.version == version]


def vrrp_instances(
    vips: t.Sequence[Vip],
    nodes: t.Sequence[Node],
    this: str,
    scripts: t.Mapping[str, t.Mapping[str, t.Any]],
    track_files: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, dict[str, t.Any]]:
    """The instances of the node called ``this``; the order of ``nodes`` is the order of preference.

    Every instance starts as BACKUP: the priorities decide, and a node that boots takes nothing before it has
    listened. A script or track file with the key ``instance`` belongs to the VIP of that name, others to all.
    """
    names = [node.name for node in nodes]
    if not names:
        raise VrrpError([_NO_HOSTS])
    if this not in names:
        raise VrrpError([f"Host {this} is none of the keepalived hosts ({', '.join(names)})."])
    taken = {str(address.ip) for vip in vips for address in vip.addresses}
    errors = _clashes(vips)
    instances: dict[str, dict[str, t.Any]] = {}
    for vip in vips:
        try:
            tracked = {name: script for name, script in scripts.items() if script.get("instance", vip.name) == vip.name}
            files = {name: file for name, file in track_files.items() if file.get("instance", vip.name) == vip.name}
            weights = [int(tracker.get("weight") or 0) for tracker in tracked.values()]
            priority = priorities(len(nodes), weights)[names.index(this)]
            for version, suffix in ((4, ""), (6, "_ipv6")):
                addresses = vip.of_version(version)
                if not addresses:
                    continue
                instance = {
                    "interface": vip.interface,
                    "state": "BACKUP",
                    # RFC 9568 keeps the router ids of IPv4 and IPv6 apart, so both families share the number.
                    "virtual_router_id": vip.virtual_router_id,
                    "priority": priority,
                    "advert_int": vip.advert_int,
                    **_unicast(nodes, this, vip.interface, version, taken),
                    "vips": [f"{address} dev {vip.interface}" for address in addresses],
                    "track_scripts": list(tracked),
                    "track_files": list(files),
                }
                instances[vip.name + suffix] = instance
        except VrrpError as error:
            errors += [f"VIP {vip.name}: {message}" for message in error.details["errors"]]
    if errors:
        raise VrrpError(errors)
    return instances


def _clashes(vips: t.Sequence[Vip]) -> list[str]:
    errors = []
    for index, vip in enumerate(vips):
        if not 1 <= vip.virtual_router_id <= 255:
            errors.append(f"VIP {vip.name}: virtual_router_id {vip.virtual_router_id} is not within 1 to 255.")
        if not 0.01 <= vip.advert_int <= 40:
            errors.append(f"VIP {vip.name}: advert_int {vip.advert_int} is not within 0.01 to 40 seconds.")
        for other in vips[:index]:
            if other.name == vip.name:
                errors.append(f"VIP {vip.name} is defined twice.")
            if (other.interface, other.virtual_router_id) == (vip.interface, vip.virtual_router_id):
                errors.append(
                    f"VIPs {other.name} and {vip.name} share virtual_router_id {vip.virtual_router_id}"
                    f" on interface {vip.interface}: give each its own."
                )
            for address in {a.ip for a in other.addresses} & {a.ip for a in vip.addresses}:
                errors += [f"Address {address} belongs to both VIPs {other.name} and {vip.name}."]
    return errors


def _unicast(nodes: t.Sequence[Node], this: str, interface: str, version: int, taken: set[str]) -> dict[str, t.Any]:
    """Source and peers, or nothing for a node that is alone."""
    if len(nodes) < 2:
        return {}
    own = next(node for node in nodes if node.name == this)
    source, network = _source(own, interface, version, taken)
    errors, peers = [], []
    for node in nodes:
        if node is own:
            continue
        try:
            peers.append(_peer(node, network, version, taken))
        except VrrpError as error:
            errors += error.details["errors"]
    if errors:
        raise VrrpError(errors)
    return {"unicast_src_ip": source, "unicast_peers": peers}


def _source(node: Node, interface: str, version: int, taken: set[str]) -> tuple[str, Interface | None]:
    """This node's address on ``interface`` and, where known, with its network.

    keepalived binds its sockets to the interface of the instance: an address of another interface would be sent
    from but never answered.
    """
    chosen = _of_version(node.chosen_addresses, version)
    if node.links and interface not in node.links:
        raise VrrpError([f"host {node.name} has no interface {interface}; it has {', '.join(sorted(node.links))}."])
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
    """A peer's address in this node's network: who shares a virtual address shares its link."""
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


def _missing(node: Node, version: int, where: str) -> str:
    hint = "" if node.links else " and its facts are not gathered"
    return (
        f"host {node.name} has no IPv{version} address {where}{hint}:"
        " gather facts of all keepalived hosts first or set keepalived_unicast_address for the host."
    )


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


def vip_from_dict(entry: t.Mapping[str, t.Any]) -> Vip | None:
    """One item of ``keepalived_vips``; None when it names no address, which is how a VIP is left out."""
    name = str(entry.get("name") or "")
    raw = entry.get("cidr") or []
    texts = [raw] if isinstance(raw, str) else list(raw)
    if not texts:
        return None
    errors = []
    addresses = []
    for text in texts:
        try:
            addresses.append(ip_interface(str(text).strip()))
        except ValueError:
            errors.append(f"VIP {name}: {text!r} is not an address with a prefix length, such as 192.0.2.10/24.")
    numbers: dict[str, float] = {}
    for key, default in (("virtual_router_id", None), ("advert_int", DEFAULT_ADVERT_INT)):
        value = entry.get(key, default)
        try:
            numbers[key] = float(value)
        except (TypeError, ValueError):
            errors.append(f"VIP {name}: {key} must be a number, not {value!r}.")
    if not name:
        errors.append(f"A VIP with the addresses {', '.join(map(str, texts))} has no name.")
    if not entry.get("interface"):
        errors.append(
            f"VIP {name}: no interface is set, and the facts, if gathered, name no default route to take one from."
        )
    if errors:
        raise VrrpError(errors)
    return Vip(
        name=name,
        addresses=tuple(addresses),
        interface=str(entry["interface"]),
        virtual_router_id=int(numbers["virtual_router_id"]),
        advert_int=numbers["advert_int"],
    )


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
