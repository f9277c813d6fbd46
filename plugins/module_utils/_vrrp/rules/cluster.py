# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that compare the nodes of a cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Subject


# keepalived logs "expected N addresses" or "ip address associated with VRID … not present" and drops the advert.
@rule(
    "error",
    "Each node drops the other's adverts, because they list other addresses: both become master.",
    "Give the instance the same virtual_ipaddress block on all nodes.",
)
def addresses_unequal(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.ips != other.ips:
                odd = ", ".join(sorted(map(str, instance.ips ^ other.ips)))
                found = f"Instance {instance.name} differs from the one of {node} in {odd}."
                yield Hit(instance.at("virtual_ipaddress"), found)


@rule(
    "error",
    "Each node ignores the other's adverts, because they have another router id: both become master.",
    "Give the instance the same virtual_router_id on all nodes.",
)
def router_ids_unequal(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.router_id != other.router_id:
                found = (
                    f"Instance {instance.name} has router id {instance.router_id} here and {other.router_id} on {node}."
                )
                yield Hit(instance.at("virtual_router_id"), found)


@rule(
    "error",
    "With version 2 each node drops the other's adverts and both become master; with version 3 the time to fail over"
    " depends on who is master.",
    "Set the same advert_int on all nodes.",
)
def adverts_unequal(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.advert != other.advert:
                found = f"Instance {instance.name}: every {instance.advert:g} s here and {other.advert:g} s on {node}."
                yield Hit(instance.at("advert_int"), found)


@rule(
    "error",
    "Each node drops the other's adverts, because their version differs: both become master.",
    "Set the same version on all nodes.",
)
def versions_unequal(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.version != other.version:
                found = f"Instance {instance.name} has version {instance.version} here and {other.version} on {node}."
                yield Hit(instance.at("version"), found)


@rule(
    "warning",
    "The node with the higher address wins.",
    "Give each node its own priority.",
)
def priorities_equal(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.priority == other.priority:
                found = f"Instance {instance.name} has priority {instance.priority:g} here and on {node}."
                yield Hit(instance.at("priority"), found)


@rule(
    "error",
    "A node that is not listed gets no adverts, and takes the addresses as well.",
    "List the unicast_src_ip of every other node in unicast_peer; or use multicast on all nodes.",
)
def peers_incomplete(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if (instance.peers or other.peers) and other.source and other.source not in instance.peers:
                found = f"{other.source} of {node} is no unicast peer of instance {instance.name}."
                yield Hit(instance.at("unicast_peer"), found)


@rule(
    "warning",
    "Both take the addresses at their start, before they hear each other's adverts.",
    "Set state BACKUP on all nodes; the priorities decide.",
)
def masters_many(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for node, other in subject.others(instance.name):
            if instance.state == other.state == "MASTER":
                yield Hit(instance.at("state"), f"Instance {instance.name} starts as MASTER here and on {node}.")
