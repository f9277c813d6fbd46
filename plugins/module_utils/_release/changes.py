# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes of a running HAProxy without a reload, each with its commands and its proof.

HAProxy Management Guide, section 9.3, "Unix Socket commands".
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates, crtlists, patterns
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import (
    ServerState,
    add,
    parse_server_stats,
    parse_servers,
    remove,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session

States = t.Mapping[tuple[str, str], ServerState]

RUNNING = 2  # srv_op_state
GOODBYE = 3.0  # seconds for the last connections of a removed server; a reload allows more


class UnprovedError(LbforgeError):
    """HAProxy accepted a command, but does not show its effect."""


class Change(t.Protocol):
    """One change."""

    @property
    def commands(self) -> list[str]:
        """The commands, without payloads."""

    def run(self, session: Session) -> None:
        """Send the commands. Effects outside the server states are read back here."""


@dataclass(frozen=True)
class SwapCertificate:
    """Another certificate under the name of a loaded one."""

    path: str
    pem: bytes

    @property
    def commands(self) -> list[str]:
        """The transaction."""
        return [f"set ssl cert {self.path}", f"commit ssl cert {self.path}"]

    def run(self, session: Session) -> None:
        """HAProxy shows the fingerprint of what it serves."""
        certificates.swap(session, self.path, self.pem.decode())


@dataclass(frozen=True)
class EditCrtList:
    """Other entries in a loaded list of certificates."""

    path: str
    before: str
    after: str

    @property
    def commands(self) -> list[str]:
        """The list only: its entries are in the diff of the file."""
        return [f"add, del ssl crt-list {self.path}"]

    def run(self, session: Session) -> None:
        """The list is read back."""
        crtlists.apply(session, self.path, self.before, self.after)


@dataclass(frozen=True)
class ReplacePatterns:
    """Other entries in a loaded map or ACL file, all at the same moment."""

    kind: t.Literal["map", "acl"]
    path: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The transaction."""
        return [f"{verb} {self.kind} {self.path}" for verb in ("prepare", "add", "commit")]

    def run(self, session: Session) -> None:
        """The entries are read back."""
        entries = patterns.parse_map(self.text) if self.kind == "map" else patterns.parse_acl(self.text)
        patterns.replace(session, self.kind, self.path, entries)


def _serves(session: Session, pool: str) -> bool:
    """Whether a server of the pool takes requests; in one that does not, waiting for good checks helps nobody."""
    states = session.read(f"show servers state {pool}", parse_servers)
    return any(state.operational == RUNNING and state.state == "ready" for state in states.values())


@dataclass(frozen=True)
class AddServer:
    """One more server. ``at_once``: it gets traffic before its first check, as after a reload."""

    pool: str
    server: Server
    at_once: bool

    @property
    def commands(self) -> list[str]:
        """The first command; enabling the server and its checks follows."""
        return [f"add server {self.pool}/{self.server.name} {self.server.endpoint} {' '.join(self.server.addition)}"]

    def run(self, session: Session) -> None:
        """Add it, then its checks, then traffic."""
        add(
            session,
            self.pool,
            self.server.name,
            self.server.endpoint,
            self.server.addition,
            ready=self.at_once or not _serves(session, self.pool),
        )

    def missing(self, states: States) -> str | None:
        """The part of this change that HAProxy's states lack; None once it is made."""
        state = states.get((self.pool, self.server.name))
        return None if state and (state.address, state.port) == self.server.address else "it is missing"


@dataclass(frozen=True)
class RemoveServer:
    """The removal of a server, once its connections are closed."""

    pool: str
    name: str

    @property
    def commands(self) -> list[str]:
        """Stop new traffic, then delete the server."""
        return [f"set server {self.pool}/{self.name} state maint", f"del server {self.pool}/{self.name}"]

    def run(self, session: Session) -> None:
        """Wait briefly for its connections; a reload waits longer."""
        remove(session, self.pool, self.name, GOODBYE)

    def missing(self, states: States) -> str | None:
        """The part of this change that HAProxy's states lack; None once it is made."""
        return "it still exists" if (self.pool, self.name) in states else None


@dataclass(frozen=True)
class SetServer:
    """New values of an existing server; None leaves a value as it is. ``rechecked``: its checks have a new target."""

    pool: str
    name: str
    address: tuple[str, int] | None = None
    check_port: int | None = None
    weight: int | None = None
    maxconn: int | None = None
    disabled: bool | None = None
    rechecked: bool = False

    @property
    def commands(self) -> list[str]:
        """The commands, ordered so that no check goes to an unintended address."""
        server = f"{self.pool}/{self.name}"
        address = "addr {} port {}".format(*self.address) if self.address else None
        state = {True: "maint", False: "ready"}.get(t.cast("bool", self.disabled))
        return [
            command
            for value, command in (
                (self.address, f"set server {server} {address}"),
                (self.check_port, f"set server {server} check-port {self.check_port}"),
                (self.weight, f"set server {server} weight {self.weight}"),
                (self.maxconn, f"set maxconn server {server} {self.maxconn}"),
                (self.disabled, f"set server {server} state {state}"),
            )
            if value is not None
        ]

    def run(self, session: Session) -> None:
        """Send what differs. In a pool that is down, the server serves before its first check, as after a reload."""
        for command in self.commands:
            session.run(command)
        if self.rechecked and not _serves(session, self.pool):
            session.run(f"set server {self.pool}/{self.name} health up")

    def missing(self, states: States) -> str | None:
        """The part of this change that HAProxy's states lack; None once it is made."""
        state = states.get((self.pool, self.name))
        if state is None:
            return "it is missing"
        found = (
            (self.address, (state.address, state.port), "its address is"),
            (self.check_port, state.check_port, "its checks go to port"),
            (self.weight, state.weight, "its weight is"),
            (self.disabled, state.state == "maint", "its maintenance is"),
        )
        wrong = [f"{what} {value}" for wanted, value, what in found if wanted is not None and wanted != value]
        return " and ".join(wrong) or None


OF_SERVERS = (AddServer, SetServer, RemoveServer)
# New targets come before the rules that send requests there, and removals come last.
_ORDER: tuple[type, ...] = (SwapCertificate, EditCrtList, AddServer, SetServer, ReplacePatterns, RemoveServer)


def in_order(changes: t.Iterable[Change]) -> list[Change]:
    """The changes in the required order."""
    return sorted(changes, key=lambda change: _ORDER.index(type(change)))


def execute(changes: t.Iterable[Change], session: Session) -> None:
    """Make the changes and prove them. The first failure is an error; earlier changes remain."""
    changes = in_order(changes)
    for change in changes:
        change.run(session)
    of_servers = [change for change in changes if isinstance(change, OF_SERVERS)]
    if not of_servers:
        return
    states = session.read("show servers state", parse_servers)
    for change in of_servers:
        if what := change.missing(states):
            raise UnprovedError(f"HAProxy accepted '{change.commands[0]}', but {what}.")
    limited = [change for change in of_servers if isinstance(change, SetServer) and change.maxconn is not None]
    stats = session.read("show stat -1 4 -1", parse_server_stats) if limited else {}
    for change in limited:
        if stats[change.pool, change.name].maxconn != change.maxconn:
            raise UnprovedError(f"HAProxy accepted '{change.commands[-1]}', but does not show the result.")
