# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the election of the master, and its speed."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import number
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.priorities import HIGHEST, LOWEST
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Subject

OWNER = 255
LONGEST_ADVERT = {2: 255.0, 3: 40.95}
SHORTEST_ADVERT = 0.01

# How the bound was chosen: a backup takes over when it has heard nothing for three intervals, so a master that is not
# given a processor for that long loses its addresses for nothing. With one processor and five busy processes for each,
# 0.2 s failed over and 0.25 s did not (both measured). More processors shorten the wait for a turn, which is taken to
# be in proportion; but not the pauses of the virtual machine itself, which 0.1 s leaves room for.
_BUSY_ADVERT = 0.25
_PAUSE_ADVERT = 0.1


def shortest_advert(cpus: int) -> float:
    """The shortest interval that a busy node with so many processors keeps up."""
    return max(_BUSY_ADVERT / cpus, _PAUSE_ADVERT)


@rule(
    "error",
    "keepalived uses 100 instead, as on every other node with this mistake, and the order is left to chance.",
    f"Set a priority from {LOWEST} to {HIGHEST}, different on each node.",
)
def priority_invalid(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        for statement in instance.statement.all("priority"):
            if statement.name.isdigit() and not LOWEST <= int(statement.name) <= OWNER:
                yield Hit(statement, f"Priority {statement.name} of instance {instance.name} is not within 1 to 255.")


# Measured: keepalived -t says 0; trackers with a weight are then ignored ("due to address_owner").
@rule(
    "warning",
    "255 means that the node owns the address: no tracker with a weight can lower it, and it takes over at once when it"
    " comes back.",
    f"Set a priority up to {HIGHEST}.",
)
def priority_of_owner(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.priority == OWNER:
            yield Hit(instance.at("priority"), f"Instance {instance.name} has priority 255.")


@rule(
    "error",
    "keepalived ignores nopreempt in an instance that starts as MASTER, so a node that comes back takes the address.",
    "Set state BACKUP on all nodes.",
)
def nopreempt_with_master(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.state == "MASTER" and (place := instance.statement.last("nopreempt")):
            yield Hit(place, f"Instance {instance.name} has nopreempt and state MASTER.")


# Measured: keepalived -t says 0; with weight -60 the address did not move within 25 s, with weight 0 after 1.9 s.
@rule(
    "error",
    "The address never moves when the tracker fails: its node goes on as master with a lower priority, and nopreempt"
    " forbids the others to take over from a living master.",
    "Give the trackers weight 0, which means FAULT, or remove nopreempt.",
)
def nopreempt_with_weight(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.statement.all("nopreempt"):
            for tracker in subject.moving(instance):
                found = f"{tracker.name} moves the priority of instance {instance.name} by {tracker.weight:+d}"
                yield Hit(tracker.statement, f"{found}, which has nopreempt.")


@rule(
    "error",
    "keepalived ignores preempt_delay with nopreempt and in an instance that starts as MASTER.",
    "Set state BACKUP on all nodes and remove nopreempt, or remove preempt_delay.",
)
def preempt_delay_ignored(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        place = instance.statement.last("preempt_delay")
        if place and (instance.state == "MASTER" or instance.statement.all("nopreempt")):
            yield Hit(place, f"Instance {instance.name} has preempt_delay with nopreempt or state MASTER.")


@rule(
    "error",
    "VRRP version 3 has no authentication: keepalived ignores the block, and nothing is authenticated.",
    "Remove the block and use unicast peers, or set version 2 on all nodes.",
)
def authentication_in_version_3(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.version == 3 and (place := instance.statement.last("authentication")):
            yield Hit(place, f"Instance {instance.name} has version 3 and an authentication block.")


@rule(
    "error",
    "VRRP version 2 counts whole seconds: keepalived rounds the interval, and failover takes longer than was planned.",
    "Set vrrp_version 3 in global_defs on all nodes, or whole seconds.",
)
def advert_fraction_in_version_2(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if instance.version == 2 and instance.advert % 1:
            yield Hit(instance.at("advert_int"), f"Instance {instance.name} has version 2 and {instance.advert:g} s.")


@rule(
    "error",
    "keepalived takes the nearest interval that the version of the protocol has, on each node for itself.",
    "Set 0.01 s to 40.95 s with version 3, 1 s to 255 s with version 2.",
)
def advert_out_of_range(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        if not SHORTEST_ADVERT <= instance.advert <= LONGEST_ADVERT.get(instance.version, 255.0):
            yield Hit(instance.at("advert_int"), f"Instance {instance.name} has an interval of {instance.advert:g} s.")


@rule(
    "warning",
    "A busy node, or a virtual machine that pauses for a moment, misses three adverts and loses its addresses for no"
    " reason.",
    f"Set {_BUSY_ADVERT} s for a node with one processor; {_BUSY_ADVERT} s divided by the number of processors, and no"
    f" less than {_PAUSE_ADVERT} s, for others.",
)
def advert_too_short(subject: Subject) -> t.Iterator[Hit]:
    cpus = subject.host.cpus
    for instance in subject.instances:
        if cpus and instance.advert < shortest_advert(cpus):
            found = f"Instance {instance.name} has an interval of {instance.advert:g} s on {cpus} processors"
            yield Hit(instance.at("advert_int"), f"{found}; at least {shortest_advert(cpus):.3g} s would be safe.")


@rule(
    "error",
    "The macvlan interface has no address of the network, so adverts to unicast peers do not leave.",
    "Add vmac_xmit_base to the instance.",
)
def vmac_with_unicast(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        place = instance.statement.last("use_vmac")
        if place and instance.peers and not instance.statement.all("vmac_xmit_base"):
            yield Hit(place, f"Instance {instance.name} has use_vmac and unicast peers without vmac_xmit_base.")


# Measured: keepalived -t says 0; the master then logs "setting firewall drop rule" for its virtual addresses.
@rule(
    "error",
    "The master drops every packet to its virtual addresses, so nobody can reach a service there; and strict VRRP"
    " forbids unicast peers, which another version may reject.",
    "Remove vrrp_strict or strict_mode; without unicast, add accept to the instance.",
)
def strict_mode(subject: Subject) -> t.Iterator[Hit]:
    everywhere = subject.settings.last("vrrp_strict")
    for instance in subject.instances:
        own = instance.statement.last("strict_mode")
        is_strict = own.name not in ("off", "false", "no") if own else everywhere is not None
        place = own or everywhere
        if place and is_strict and (instance.peers or not instance.statement.all("accept")):
            yield Hit(place, f"Instance {instance.name} is strict.")


# Measured: where IP is lost on the way and ARP is not, the refresh took the clients back 20 s after the failover.
@rule(
    "warning",
    "A master that the other nodes no longer hear does not know that another node has its addresses: every refresh"
    " draws clients to it, and it does not serve them.",
    "Remove the refresh. A new master announces its addresses several times: see garp_master_repeat and"
    " garp_master_delay.",
)
def garp_refresh(subject: Subject) -> t.Iterator[Hit]:
    everywhere = subject.settings.last("vrrp_garp_master_refresh")
    for instance in subject.instances:
        place = instance.statement.last("garp_master_refresh") or everywhere
        if place and number(place.name, 0):
            yield Hit(place, f"Instance {instance.name} announces its addresses again and again.")
