# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about virtual servers, which the kernel balances."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Subject, to_address

# These forward packets unchanged; only NAT can change a port.
_UNCHANGED = ("DR", "TUN")


def _title(server: Statement) -> str:
    return f"Virtual server {' '.join(server.words[1:])}"


# Measured with 2.2 and 2.3: keepalived -t says 0; the daemon says "Can't initialize ipvs" and ends, with its VRRP
# instances, and with lvs_sync_daemon its VRRP process dies of a segmentation fault.
@rule(
    "error",
    "keepalived exits, and its VRRP instances end with it.",
    "Load the module ip_vs (in a container, on its host), or remove the virtual servers.",
)
def balancing_without_kernel(subject: Subject) -> t.Iterator[Hit]:
    for place in (*subject.servers, *subject.settings.all("lvs_sync_daemon")):
        if not subject.host.can_balance:
            yield Hit(place, "The kernel of this node has no ip_vs.")


@rule(
    "error",
    "keepalived uses the port of the virtual server, because direct routing and tunnels cannot change it.",
    "Write the same port twice, or lb_kind NAT.",
)
def port_changed_without_nat(subject: Subject) -> t.Iterator[Hit]:
    for server in subject.servers:
        kind = server.value("lb_kind", server.value("lvs_method", "NAT"))
        for real in server.all("real_server"):
            ports = [*server.words[2:3], *real.words[2:3]]
            if (
                real.value("lvs_method", kind) in _UNCHANGED
                and len(ports) == 2
                and ports[0] != ports[1]
                and to_address(server.name)
            ):
                yield Hit(real, f"{_title(server)} goes to port {ports[1]} without NAT.")


# keepalived -t says 0.
@rule(
    "warning",
    "The server always counts as healthy, and gets its share of connections even when it is dead.",
    "Add a checker, such as TCP_CHECK.",
)
def server_without_checker(subject: Subject) -> t.Iterator[Hit]:
    for server in subject.servers:
        for real in server.all("real_server"):
            if not any("_CHECK" in inner.keyword or "_GET" in inner.keyword for inner in real.body):
                yield Hit(real, f"{_title(server)} never checks {' '.join(real.words[1:])}.")


@rule(
    "error",
    "keepalived lowers the quorum to what the servers can reach.",
    "Set a quorum up to the sum of the weights of all real servers.",
)
def quorum_too_high(subject: Subject) -> t.Iterator[Hit]:
    for server in subject.servers:
        weight = server.number("weight", 1)
        reachable = sum(real.number("weight", weight) for real in server.all("real_server"))
        if reachable and server.number("quorum", 1) > reachable:
            quorum = server.value("quorum")
            found = (
                f"{_title(server)} needs a quorum of {quorum}, but the weights of its servers add up to {reachable:g}."
            )
            yield Hit(server.last("quorum") or server, found)


@rule(
    "error",
    "keepalived ignores the virtual server.",
    "Add a real_server, or remove the virtual server.",
)
def virtual_server_empty(subject: Subject) -> t.Iterator[Hit]:
    for server in subject.servers:
        if subject.is_whole and not server.all("real_server"):
            yield Hit(server, f"{_title(server)} has no real server.")


# Measured: keepalived -t says 0.
@rule(
    "error",
    "The daemon never learns whether it is the master, and does not synchronise connections.",
    "Use the name of an instance of this text.",
)
def sync_daemon_without_instance(subject: Subject) -> t.Iterator[Hit]:
    names = {instance.name for instance in subject.instances}
    for statement in subject.settings.all("lvs_sync_daemon"):
        words = statement.words[2:]
        named = words[1:2] if words[:1] == ("inst",) else words[:1]
        if named and named[0] not in (*names, "id", "maxlen", "port", "ttl", "group") and subject.is_whole:
            yield Hit(statement, f"No instance has the name {named[0]}.")
