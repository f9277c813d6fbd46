# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the addresses of an instance: virtual, source and peer addresses."""

from __future__ import annotations

import typing as t
from ipaddress import ip_interface
from itertools import combinations

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import reserved
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import (
    Address,
    Instance,
    Interface,
    Subject,
    from_dict,
    to_address,
)

# keepalived creates interfaces with these words, so they do not have the addresses of their base.
_MADE = ("use_vmac", "use_ipvlan")


def _own(subject: Subject) -> list[Interface]:
    """The addresses that this node has itself."""
    return [a for link in subject.host.links.values() for a in link if a.ip not in subject.host.virtual]


def _links(subject: Subject) -> t.Iterator[tuple[Instance, tuple[Interface, ...]]]:
    """The instances whose interface is known, with the addresses of their family that it has itself."""
    for instance in subject.instances:
        link = subject.host.links.get(instance.interface)
        if link is not None:
            ours = subject.host.virtual | instance.ips
            yield instance, tuple(a for a in link if a.version == instance.family and a.ip not in ours)


@rule(
    "error",
    "keepalived exits, or does not start, and all its virtual addresses are gone.",
    "Use an interface of this node, or set dynamic_interfaces if it may appear later.",
)
def interface_missing(subject: Subject) -> t.Iterator[Hit]:
    links = subject.host.links
    if not links or subject.settings.all("dynamic_interfaces"):
        return
    for instance in subject.instances:
        made = [statement.name for word in _MADE for statement in instance.statement.all(word)]
        places = [(instance.at("interface"), instance.interface)]
        places += [(entry, entry.keyword) for entry in instance.statement.entries("track_interface")]
        places += [
            (entry, entry.words[entry.words.index("dev") + 1])
            for entry in instance.statement.entries("virtual_ipaddress", "virtual_ipaddress_excluded")
            if "dev" in entry.words[:-1]
        ]
        for place, name in places:
            if name and name not in links and name not in (*made, "lo"):
                yield Hit(place, f"Instance {instance.name} uses interface {name}; there are {', '.join(links)}.")


# Measured: keepalived -t says 0, and the instance enters FAULT ("no IPv4 address for interface").
@rule(
    "error",
    "The instance stays in FAULT, because adverts need a source address.",
    "Give the interface an address of the family of the virtual addresses, or name another interface.",
)
def interface_without_address(subject: Subject) -> t.Iterator[Hit]:
    for instance, own in _links(subject):
        if not own and instance.addresses and not any(instance.statement.all(word) for word in _MADE):
            found = f"Interface {instance.interface} has no IPv{instance.family} address that is not virtual."
            yield Hit(instance.at("interface"), found)


# Measured: keepalived -t says 0, and adverts come from the first address of the interface. With a second address there,
# which comes first depends on the order in which they were added.
@rule(
    "warning",
    "Adverts come from the first address of the interface. Peers that check the source, or a firewall, drop any other,"
    " and then every node takes the virtual addresses.",
    "Set unicast_src_ip to the address that the peers have in their unicast_peer blocks.",
)
def unicast_without_source(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.peers and not instance.source:
            yield Hit(instance.at("unicast_peer"), f"Instance {instance.name} has unicast peers and no unicast_src_ip.")


# keepalived -t says it, but the daemon runs on with multicast.
@rule(
    "error",
    "keepalived falls back to multicast, which unicast peers do not hear: every node takes the virtual addresses.",
    "List the other nodes in unicast_peer, or remove unicast_src_ip on all nodes.",
)
def unicast_without_peers(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.source and not instance.statement.entries("unicast_peer"):
            yield Hit(instance.at("unicast_src_ip"), f"Instance {instance.name} has a unicast_src_ip and no peers.")


# Measured: keepalived -t says 0; the master hears itself and logs "equal priority advert received from remote host with
# our IP address" at every advert.
@rule(
    "error",
    "The node sends its adverts to itself and takes them for those of a second router with the same address.",
    "List only the other nodes in unicast_peer.",
)
def unicast_peer_is_self(subject: Subject) -> t.Iterator[Hit]:
    held = {address.ip for address in _own(subject)}
    for instance in subject.instances:
        for entry in instance.statement.entries("unicast_peer"):
            peer = to_address(entry.keyword)
            if peer and (peer == instance.source or peer in held - instance.ips):
                yield Hit(entry, f"Peer {peer} of instance {instance.name} is this node itself.")


# Measured: 2.2 enters FAULT ("bind unicast_src … Cannot assign requested address"). Where processes may bind foreign
# addresses, as HAProxy needs it, and with 2.3, it becomes master instead, and so does every other node. The address of
# another interface works.
@rule(
    "error",
    "The instance stays in FAULT, or sends from an address that gets no answers, and takes the virtual addresses while"
    " another node has them.",
    "Set unicast_src_ip to an address of this node, preferably of the interface of the instance.",
)
def unicast_source_foreign(subject: Subject) -> t.Iterator[Hit]:
    own = {address.ip for address in _own(subject)}
    for instance in subject.instances:
        if own and instance.source and instance.source not in own | instance.ips:
            found = f"This node has no address {instance.source}."
            yield Hit(instance.at("unicast_src_ip"), found)


@rule(
    "warning",
    "Adverts pass a router, and a failure of that router causes a failover; the virtual address is useless in another"
    " network, unless its route moves too.",
    "Use the peer's address in the network of unicast_src_ip.",
)
def unicast_peer_elsewhere(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        networks = [address.network for address in _own(subject) if address.ip == instance.source]
        for entry in instance.statement.entries("unicast_peer"):
            peer = to_address(entry.keyword)
            if peer and networks and peer.version == instance.family and peer not in networks[0]:
                found = f"Peer {peer} is not in {networks[0]}, the network of {instance.source}."
                yield Hit(entry, found)


def _is_on(subject: Subject, instance: Instance, keyword: str) -> bool:
    """Whether an instance has a flag, or all have."""
    place = instance.statement.last(keyword) or subject.settings.last(f"vrrp_{keyword}")
    return place is not None and place.name not in ("off", "false", "no")


# Measured with forged adverts: the holder gives its addresses up as long as they come. A hop limit of a peer means the
# check.
@rule(
    "warning",
    "Anybody who can send to this node can take the virtual addresses away with an advert of a high priority.",
    "Set check_unicast_src, and min_ttl 255 behind the peers in the node's own network.",
)
def unicast_from_anyone(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        limits = (entry for entry in instance.statement.entries("unicast_peer") if len(entry.words) > 1)
        if instance.peers and not _is_on(subject, instance, "check_unicast_src") and not any(limits):
            found = f"Instance {instance.name} accepts adverts from hosts other than its peers."
            yield Hit(instance.at("unicast_peer"), found)


# Measured with 2.2 and 2.3: a refused advert puts the holder's next one off by a whole interval; with one every 20 ms
# there is none, and the next node becomes master as well.
@rule(
    "warning",
    "Frequent adverts, even rejected ones, keep the holder from sending its own, and the next node takes the virtual"
    " addresses as well.",
    "Set lower_prio_no_advert true.",
)
def unicast_silenced(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.peers and not _is_on(subject, instance, "lower_prio_no_advert"):
            found = f"Instance {instance.name} waits another interval after each advert that it hears."
            yield Hit(instance.at("unicast_peer"), found)


@rule(
    "error",
    "Each router lowers the hop limit by one, so this node drops the peer's adverts: both nodes take the virtual"
    " addresses.",
    "Use the peer's address in the network of unicast_src_ip, or remove min_ttl.",
)
def unicast_hops_missing(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        networks = [address.network for address in _own(subject) if address.ip == instance.source]
        for entry in instance.statement.entries("unicast_peer"):
            peer = to_address(entry.keyword)
            is_far = peer and networks and peer.version == instance.family and peer not in networks[0]
            if is_far and " min_ttl 255" in f" {' '.join(entry.words)}":
                yield Hit(entry, f"Peer {peer} of instance {instance.name} is behind a router and has min_ttl 255.")


# Measured: keepalived -t says 0 to both.
@rule(
    "error",
    "The address moves, so after a failover adverts come from, or go to, a different node or none.",
    "Use addresses that stay with their node for unicast_src_ip and unicast_peer.",
)
def unicast_over_virtual_address(subject: Subject) -> t.Iterator[Hit]:
    virtual = {ip for instance in subject.instances for ip in instance.ips}
    for instance in subject.instances:
        places = [*instance.statement.all("unicast_src_ip")]
        for place, address in [(place, to_address(place.name)) for place in places] + [
            (entry, to_address(entry.keyword)) for entry in instance.statement.entries("unicast_peer")
        ]:
            if address in virtual:
                yield Hit(place, f"{address} is a virtual address.")


@rule(
    "error",
    "keepalived ignores every address of another family than the first virtual address: it is never served, or never"
    " contacted.",
    "Define one instance for IPv4 and one for IPv6, or list the other family in virtual_ipaddress_excluded.",
)
def families_mixed(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        body = instance.statement
        entries = [(entry, entry.keyword) for entry in body.entries("virtual_ipaddress", "unicast_peer")]
        entries += [(place, place.name) for place in body.all("unicast_src_ip")]
        for place, text in entries:
            address = to_address(text)
            if address and instance.addresses and address.version != instance.family:
                yield Hit(place, f"{address} is in instance {instance.name}, which is IPv{instance.family}.")


@rule(
    "error",
    "keepalived exits, and the other instances end with it.",
    "List at least one address in virtual_ipaddress, or remove the instance.",
)
def address_missing(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        has_any = instance.statement.entries("virtual_ipaddress") or instance.statement.all("no_virtual_ipaddress")
        if subject.is_whole and not has_any:
            yield Hit(instance.at("virtual_ipaddress"), f"Instance {instance.name} has no virtual address.")


# Measured: keepalived -t says 0; at its start keepalived removes the address from the interface, and a node whose only
# address that was enters FAULT and is cut off.
@rule(
    "error",
    "keepalived removes the address from the interface whenever it is not the master, and cuts the node off.",
    "Choose a virtual address that no node has configured.",
)
def address_is_static(subject: Subject) -> t.Iterator[Hit]:
    held = {address.ip for address in _own(subject)}
    for instance in subject.instances:
        sources: set[Address] = {other.source for _node, other in subject.others(instance.name) if other.source}
        for entry in instance.statement.entries("virtual_ipaddress", "virtual_ipaddress_excluded"):
            address = to_address(entry.keyword)
            if address in held:
                yield Hit(entry, f"{address} is an address of this node, and no configuration in service moves it.")
            elif address in sources or (address and address == instance.source):
                yield Hit(entry, f"{address} is the address from which a node sends its adverts.")


# Measured: keepalived -t of 2.2 says 0, also within one instance; 2.3 minds only the latter.
@rule(
    "error",
    "When one of the instances gives the address up, it is removed although the other still announces it.",
    "Keep each address in one place.",
)
def address_twice(subject: Subject) -> t.Iterator[Hit]:
    seen: dict[Address, str] = {}
    for instance in subject.instances:
        for entry in instance.statement.entries("virtual_ipaddress", "virtual_ipaddress_excluded"):
            address = to_address(entry.keyword)
            if address and address in seen:
                yield Hit(entry, f"{address} also belongs to instance {seen[address]}.")
            elif address:
                seen[address] = instance.name


# Measured: keepalived -t says 0, and the kernel takes it; clients of that network do not speak to such an address.
@rule(
    "error",
    "No host can have the address: the first address is the network itself, and in IPv4 the last one is the broadcast"
    " address.",
    "Use another address of the network, or the right prefix length.",
)
def address_reserved(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for entry in instance.statement.entries("virtual_ipaddress", "virtual_ipaddress_excluded"):
            try:
                why = reserved(ip_interface(entry.keyword))
            except ValueError:
                continue  # keepalived reports that itself
            if why:
                yield Hit(entry, f"{entry.keyword} {why}.")


# keepalived -t says 0, for a routed address may be meant.
@rule(
    "warning",
    "Nobody on that link asks for the address by ARP or neighbour discovery, so only a route to the node reaches it.",
    "Use an address in a network of the interface, or another interface.",
)
def address_outside_networks(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for entry in instance.statement.entries("virtual_ipaddress"):
            address = to_address(entry.keyword)
            device = entry.words[entry.words.index("dev") + 1] if "dev" in entry.words[:-1] else instance.interface
            link = subject.host.links.get(device)
            networks = [
                a.network
                for a in link or ()
                if a.ip not in subject.host.virtual and a.ip != address and address and a.version == address.version
            ]
            # What keepalived added counts as a network too where it is more than the address alone.
            if address and networks and not any(address in network for network in networks):
                shown = ", ".join(sorted({str(network) for network in networks}))
                yield Hit(entry, f"{address} is in no network of {device} ({shown}).")


# keepalived -t says 5 where both stand in one text.
@rule(
    "error",
    "Each takes the other's adverts for its own, and the one with the lower priority never holds its addresses.",
    "Give each instance on a network its own virtual_router_id, the same on all nodes.",
)
def router_id_twice(subject: Subject) -> t.Iterator[Hit]:
    for first, second in combinations(subject.instances, 2):
        if first.router_id and _same_router(first, second) and _have_other_peers(first, second):
            found = f"Instances {first.name} and {second.name} both have router id {second.router_id}"
            yield Hit(second.at("virtual_router_id"), f"{found} on {second.interface}.")


def _same_router(first: Instance, second: Instance) -> bool:
    return (first.interface, first.router_id, first.family) == (second.interface, second.router_id, second.family)


def _have_other_peers(first: Instance, second: Instance) -> bool:
    """Whether unicast instances have different peers, so that they may share a router id."""
    return not (first.peers or second.peers) or bool({*first.peers} & {*second.peers})


@rule(
    "error",
    "The nodes take the adverts of a foreign instance for their own, so one of the two is nowhere or everywhere.",
    "Give the instances different router ids.",
)
def router_id_of_another(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, instances in subject.peers.items():
            for name, data in instances.items():
                other = from_dict(name, data, subject.version)
                if name != instance.name and _same_router(instance, other) and not instance.ips & other.ips:
                    found = f"Instance {name} of {node} has router id {other.router_id} as well"
                    yield Hit(instance.at("virtual_router_id"), f"{found}, with other addresses.")
