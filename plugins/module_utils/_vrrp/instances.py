# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From virtual addresses and nodes to ``keepalived_instances`` and ``keepalived_sync_groups``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Vip
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import (
    Node,
    interface_of,
    interfaces_to,
    unicast,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.priorities import Ranking, ranking
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.spread import spread
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import mistakes, with_router_ids
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

Entries = t.Mapping[str, t.Mapping[str, t.Any]]
Instances = dict[str, dict[str, t.Any]]

_NO_HOSTS = (
    "keepalived_hosts is empty: set it to all nodes that share the VIPs, such as \"{{ groups['lbs'] }}\"."
    " There is no group haproxy to take them from, and with --limit the play does not include them all."
)


@dataclass(frozen=True)
class Trackers:
    """What is tracked; an entry with the key ``instance`` belongs to the VIPs of that name or type, others to all."""

    scripts: Entries = field(default_factory=dict)
    track_files: Entries = field(default_factory=dict)
    track_processs: Entries = field(default_factory=dict)

    def of(self, *vips: Vip) -> Trackers:
        """Those that belong to any of these VIPs."""
        owners = (None, "", *(owner for vip in vips for owner in (vip.name, vip.type)))

        def own(entries: Entries) -> Entries:
            return {name: entry for name, entry in entries.items() if entry.get("instance") in owners}

        return Trackers(own(self.scripts), own(self.track_files), own(self.track_processs))

    def weights(self) -> list[int]:
        return [_weight(entry) for entry in self._entries() if not entry.get("soft")]

    def soft(self) -> int:
        """How many of them weigh no more than they have to."""
        return sum(1 for entry in self._entries() if entry.get("soft"))

    def lists(self, soft_weight: int = 0, interfaces: t.Collection[str] = ()) -> dict[str, list[str]]:
        """The keys of the instance or sync group that has these trackers and softly tracks these interfaces."""

        def names(entries: Entries) -> list[str]:
            soft = {name: f"{name} weight {soft_weight}" for name, entry in entries.items() if entry.get("soft")}
            return [soft.get(name, name) for name in entries if soft_weight or name not in soft]

        links = [f"{name} weight {soft_weight}" for name in sorted(interfaces) if soft_weight]
        return {
            "track_scripts": names(self.scripts),
            "track_files": names(self.track_files),
            "track_processs": names(self.track_processs),
            **({"track_interfaces": links} if links else {}),
        }

    def _entries(self) -> list[t.Mapping[str, t.Any]]:
        return [*self.scripts.values(), *self.track_files.values(), *self.track_processs.values()]


def _weight(entry: t.Mapping[str, t.Any]) -> int:
    """The weight of a tracker; a track file without one contains the number, which is unknown here."""
    number, *reverse = str(entry.get("weight") or 0).split()
    try:
        return -int(number) if reverse else int(number)
    except ValueError:  # the model names such a mistake
        return 0


@dataclass(frozen=True)
class Cluster:
    """VIPs and the nodes that share them.

    The order of the nodes is the order of preference. With ``spread`` it is so for the first VIP; others prefer other
    nodes, so that they are shared evenly whichever node is down. A VIP's own hosts take precedence.

    ``servers`` are the addresses to which the VIPs lead. A node without a link to them ranks behind the others.
    """

    vips: t.Sequence[Vip]
    nodes: t.Sequence[Node]
    trackers: Trackers = Trackers()
    spread: bool = False
    servers: t.Sequence[str] = ()

    def instances(self, this: str) -> Instances:
        """The instances of the node called ``this``."""
        names = [node.name for node in self.nodes]
        if names and this not in names:
            raise VrrpError([Problem("", "", f"Host {this} is not a keepalived host ({', '.join(names)})")])
        return self._instances([node for node in self.nodes if node.name == this])[this]

    def all_instances(self) -> dict[str, Instances]:
        """The instances of each node, as far as this node knows them.

        Interfaces may have different names on each node. Addresses are left out if they come from facts that are
        missing here.
        """
        return self._instances(self.nodes, from_afar=True)

    def sync_groups(self, this: str = "") -> Instances:
        """The sync groups of the node called ``this``, with what their members track.

        A member that tracks with a weight does not move its group: keepalived ignores the weight, or, with
        ``sync_group_tracking_weight``, the other members hold it back. A weight that the group tracks counts for
        all members, so whatever belongs to one of them is there.
        """
        nodes = [node for node in self.nodes if node.name == this]
        return {
            name: {
                "instances": [instance for vip in members for instance in vip.instances()],
                **self.trackers.of(*members).lists(
                    self._ranking(members).soft_weight, self._server_links(members, nodes[0]) if nodes else ()
                ),
            }
            for name, members in self._groups().items()
        }

    @cached_property
    def _taken(self) -> set[str]:
        return {address for vip in self.vips for address in vip.plain}

    def _groups(self) -> dict[str, list[Vip]]:
        """The members by group. keepalived rejects a group with a single instance, which is useless anyway."""
        groups: dict[str, list[Vip]] = {}
        for vip in self.vips:
            if vip.sync_group:
                groups.setdefault(vip.sync_group, []).append(vip)
        return {name: members for name, members in groups.items() if sum(len(vip.instances()) for vip in members) > 1}

    def _ranking(self, vips: t.Sequence[Vip]) -> Ranking:
        """The priorities of VIPs that move together, the same on whichever node they are computed."""
        trackers = self.trackers.of(*vips)
        links = max((len(self._server_links(vips, node)) for node in self.nodes), default=0)
        return ranking(len(self.nodes), trackers.weights(), trackers.soft() + links)

    def _server_links(self, vips: t.Sequence[Vip], node: Node) -> set[str]:
        """The interfaces that the servers need, without those whose loss is a fault of the VIPs already."""
        every = {interface_of(vip, node, self.nodes) for vip in self.vips}
        own = {interface_of(vip, node, self.nodes) for vip in vips}
        return interfaces_to(self.servers, node, every) - own

    def _orders(self) -> dict[str, list[str]]:
        """The names of the nodes for each VIP, the preferred one first."""
        names = [node.name for node in self.nodes]
        # VIPs of a group move together, so they are one thing to spread.
        movers = {vip.name: ("group", vip.sync_group) if vip.sync_group else ("VIP", vip.name) for vip in self.vips}
        free = list(dict.fromkeys(movers[vip.name] for vip in self.vips if not vip.hosts))
        orders = dict(zip(free, spread(len(free), names))) if self.spread else {}
        return {
            vip.name: list(
                dict.fromkeys([*(host for host in vip.hosts if host in names), *orders.get(movers[vip.name], names)])
            )
            for vip in self.vips
        }

    def _instances(self, wanted: t.Sequence[Node], from_afar: bool = False) -> dict[str, Instances]:
        names = [node.name for node in self.nodes]
        if not names:
            raise VrrpError([Problem("", "", _NO_HOSTS)])
        errors = mistakes(self.vips, names)
        groups, orders = self._groups(), self._orders()
        found: dict[str, Instances] = {node.name: {} for node in wanted}
        for vip in with_router_ids(self.vips):
            grouped = vip.sync_group in groups
            movers = groups.get(vip.sync_group, [vip])
            try:
                ranks = self._ranking(movers)
                levels = dict(zip(orders[vip.name], ranks.priorities))
                for node in wanted:
                    lists = Trackers().lists()
                    if not grouped:
                        links = self._server_links(movers, node)
                        lists = self.trackers.of(vip).lists(ranks.soft_weight, links)
                    found[node.name].update(self._of_vip(vip, node, levels[node.name], lists, from_afar))
            except VrrpError as error:
                errors += [Problem(f"VIP {vip.name}", "", str(problem)) for problem in error.problems]
        if errors:
            raise VrrpError(errors)
        return found

    def _of_vip(
        self, vip: Vip, node: Node, priority: int, trackers: dict[str, list[str]], from_afar: bool
    ) -> Instances:
        """One instance for each address family.

        Every instance starts as BACKUP: the priorities decide, and a booting node takes nothing before it has listened.
        """
        interface = interface_of(vip, node, self.nodes) if from_afar else vip.interface
        found: Instances = {}
        for name, version in vip.instances().items():
            # A node drops adverts with other addresses than its own, so while one is added on node after node two of
            # them would serve. Adverts name the first address only.
            first, *others = [f"{address} dev {interface}" for address in vip.of_version(version)]
            addressing: dict[str, t.Any] = {}
            try:
                addressing = unicast(self.nodes, node, interface, version, self._taken)
            except VrrpError:
                if not from_afar:
                    raise
            found[name] = {
                "interface": interface,
                "state": "BACKUP",
                "virtual_router_id": vip.virtual_router_id,
                "priority": priority,
                "advert_int": vip.advert_int,
                **addressing,
                "vips": [first],
                **({"vips_excluded": others} if others else {}),
                **trackers,
            }
        return found
