# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subject of the linter's rules: the text in VRRP's terms, its host, and its peers.

Unknown parts (a host without facts, a file still to be written) are empty, and rules ignore them.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, is_whole, number, parse

Address = t.Union[IPv4Address, IPv6Address]
Interface = t.Union[IPv4Interface, IPv6Interface]
# The instances of each node by their names, in the form of keepalived_instances.
Nodes = t.Mapping[str, t.Mapping[str, t.Mapping[str, t.Any]]]

# keepalived's defaults.
DEFAULT_PRIORITY = 100
DEFAULT_ADVERT = 1.0
DEFAULT_VERSION = 2
DEFAULT_SCRIPT_INTERVAL = 1.0

TRACKERS = {
    "track_script": ("vrrp_script",),
    "track_file": ("track_file", "vrrp_track_file"),
    "track_process": ("vrrp_track_process",),
    "track_bfd": ("bfd_instance",),
}

# Keywords whose value is a command line, which may have a user and a group behind it.
_NOTIFIERS = (
    *("notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted"),
    *("notify_master_rx_lower_pri", "notify_up", "notify_down", "quorum_up", "quorum_down"),
    *("notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script", "startup_script", "shutdown_script"),
)
_CHECKS = ("script", "misc_path")


@dataclass(frozen=True)
class File:
    """What a path leads to."""

    is_found: bool = True
    is_executable: bool = True
    flaw: str = ""
    """Why others than root may change it."""
    link: str = ""
    """The first directory of the path that is a symbolic link."""


@dataclass(frozen=True)
class Host:
    """The host that will run the text."""

    version: tuple[int, ...] = ()
    links: t.Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    cpus: int = 0
    is_container: bool = False
    can_balance: bool = True
    """Whether its kernel has, or can load, the IP virtual server."""
    has_script_user: bool = True
    """Whether there is the account that keepalived runs scripts as when nothing else is set."""
    files: t.Mapping[str, File] = field(default_factory=dict)
    virtual: frozenset[Address] = frozenset()
    """Addresses that the configuration in service already names, which are its own doing where a link has them."""


@dataclass(frozen=True)
class Tracker:
    """One line of a tracking block of an instance or a group."""

    kind: str
    name: str
    weight: int
    statement: Statement


@dataclass(frozen=True)
class Command:
    """A command line of keepalived's, and its user if the text sets one."""

    statement: Statement
    words: tuple[str, ...]
    user: str


@dataclass(frozen=True)
class Instance:
    """A VRRP instance: of this node, from its text, or of another, from its data."""

    name: str
    interface: str
    state: str
    router_id: str
    priority: float
    advert: float
    version: int
    addresses: tuple[Interface, ...]
    source: Address | None
    peers: tuple[Address, ...]
    statement: Statement = field(default_factory=lambda: Statement((), 0))

    @property
    def family(self) -> int:
        """IPv4 or IPv6, which the first virtual address decides."""
        return self.addresses[0].version if self.addresses else 4

    @property
    def ips(self) -> frozenset[Address]:
        return frozenset(address.ip for address in self.addresses)

    def at(self, *keywords: str) -> Statement:
        """The place in the text that a finding is about."""
        found = (self.statement.last(keyword) for keyword in keywords)
        return next((statement for statement in found if statement), self.statement)


def from_statement(statement: Statement, default_version: int) -> Instance:
    addresses = _interfaces(entry.keyword for entry in statement.entries("virtual_ipaddress"))
    version = int(statement.number("version", default_version))
    return Instance(
        name=statement.name,
        interface=statement.value("interface"),
        state=statement.value("state", "BACKUP"),
        router_id=statement.value("virtual_router_id"),
        priority=statement.number("priority", DEFAULT_PRIORITY),
        advert=statement.number("advert_int", DEFAULT_ADVERT),
        version=3 if addresses and addresses[0].version == 6 else version,
        addresses=addresses,
        source=to_address(statement.value("unicast_src_ip")),
        peers=_addresses(entry.keyword for entry in statement.entries("unicast_peer")),
        statement=statement,
    )


def from_dict(name: str, data: t.Mapping[str, t.Any], default_version: int) -> Instance:
    """An instance in the form of ``keepalived_instances``."""
    addresses = _interfaces(str(entry) for entry in data.get("vips") or ())
    version = int(number(str(data.get("version", "")), default_version))
    return Instance(
        name=name,
        interface=str(data.get("interface", "")),
        state=str(data.get("state", "BACKUP")),
        router_id=str(data.get("virtual_router_id", "")),
        priority=number(str(data.get("priority", "")), DEFAULT_PRIORITY),
        advert=number(str(data.get("advert_int", "")), DEFAULT_ADVERT),
        version=3 if addresses and addresses[0].version == 6 else version,
        addresses=addresses,
        source=to_address(str(data.get("unicast_src_ip", ""))),
        peers=_addresses(str(entry) for entry in data.get("unicast_peers") or ()),
    )


@dataclass(frozen=True)
class Subject:
    """Everything that a rule may inspect."""

    root: Statement
    is_whole: bool = True
    """Whether a line that is not in the text is nowhere else either."""
    host: Host = field(default_factory=Host)
    peers: Nodes = field(default_factory=dict)
    """The instances of the other nodes."""

    @cached_property
    def settings(self) -> Statement:
        """The lines of all ``global_defs`` together."""
        return Statement(("global_defs",), 0, tuple(self.root.entries("global_defs")))

    @cached_property
    def version(self) -> int:
        return int(self.settings.number("vrrp_version", DEFAULT_VERSION))

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(from_statement(statement, self.version) for statement in self.root.all("vrrp_instance"))

    @cached_property
    def groups(self) -> list[Statement]:
        return self.root.all("vrrp_sync_group")

    @cached_property
    def servers(self) -> list[Statement]:
        return self.root.all("virtual_server")

    @cached_property
    def grouped(self) -> frozenset[str]:
        """The names of the instances that are in a group."""
        return frozenset(name for group in self.groups for name in members(group))

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        return tuple(command for statement in self.root.walk() for command in _commands(statement))

    def others(self, name: str) -> t.Iterator[tuple[str, Instance]]:
        """The same instance on the other nodes."""
        for node, instances in self.peers.items():
            if name in instances:
                yield node, from_dict(name, instances[name], self.version)

    def definition(self, tracker: Tracker) -> Statement | None:
        found = (s for s in self.root.all(*TRACKERS.get(tracker.kind, ())) if s.name == tracker.name)
        return next(found, None)

    def trackers(self, holder: Statement) -> list[Tracker]:
        """The trackers of an instance or a group."""
        return [
            Tracker(kind, entry.keyword, self._weight(kind, entry), entry)
            for kind in (*TRACKERS, "track_interface")
            for entry in holder.entries(kind)
        ]

    def moving(self, instance: Instance) -> list[Tracker]:
        """The trackers that move the priority of an instance: in a group, only those of the group."""
        groups = [group for group in self.groups if instance.name in members(group)]
        holders = groups or [instance.statement]
        return [tracker for holder in holders for tracker in self.trackers(holder) if tracker.weight]

    def _weight(self, kind: str, entry: Statement) -> int:
        words: tuple[str, ...] = entry.words[1:]
        if "weight" not in words:
            definitions = (s for s in self.root.all(*TRACKERS.get(kind, ())) if s.name == entry.keyword)
            definition = next(definitions, None)
            weight = definition.last("weight") if definition else None
            words = weight.words if weight else ("weight", "1" if kind == "track_file" else "0")
        position = words.index("weight") + 1
        value = int(number(words[position] if position < len(words) else "", 0))
        return -value if "reverse" in words else value


def subject_of(text: str, nodes: Nodes | None = None, node: str = "") -> Subject:
    """The subject of the rules, still without a host."""
    peers = {name: instances for name, instances in (nodes or {}).items() if name != node}
    return Subject(Statement((), 0, parse(text)), is_whole(text), peers=peers)


def members(group: Statement) -> tuple[str, ...]:
    return tuple(word for entry in group.entries("group") for word in entry.words)


def to_address(text: str) -> Address | None:
    try:
        return ip_address(text.partition("/")[0])
    except ValueError:
        return None


def _addresses(texts: t.Iterable[str]) -> tuple[Address, ...]:
    found = (to_address((text.split() or [""])[0]) for text in texts)
    return tuple(address for address in found if address)


def _interfaces(texts: t.Iterable[str]) -> tuple[Interface, ...]:
    found = []
    for text in texts:
        try:
            found.append(ip_interface((text.split() or [""])[0]))
        except ValueError:
            continue  # keepalived reports that itself
    return tuple(found)


def _commands(section: Statement) -> t.Iterator[Command]:
    for statement in section.body:
        if not statement.name or statement.body:
            continue
        if statement.keyword in _CHECKS:
            yield Command(statement, _split(statement.name), section.value("user"))
        elif statement.keyword in _NOTIFIERS:
            yield Command(statement, _split(statement.name), "".join(statement.words[2:3]))


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())
