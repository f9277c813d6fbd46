# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers of a running HAProxy: their states, and the commands that change them.

HAProxy Management Guide, section 9.3. Decisions are pure; ``Session`` does the I/O. Verified with 2.6 and 3.0.
"""

from __future__ import annotations

import csv
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import PAUSE, Session, escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import refuse_harmful, require
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version

Key = tuple[str, str]

# Bits of srv_admin_state that someone set for this very server; the others come from its configuration, from a server
# it tracks or from DNS.
_MAINT, _DRAIN = 1, 8
# Bits of srv_check_state and srv_agent_state.
_RUNNING, _CONFIGURED, _ENABLED = 1, 2, 4
_BETWEEN_DROPS = 0.5  # seconds; each makes two lines in HAProxy's log


@dataclass(frozen=True)
class ServerState:
    """A line of ``show servers state``."""

    backend: str
    name: str
    address: str  # empty for a unix socket
    port: int
    operational: int  # 0 stopped, 1 starting, 2 running, 3 stopping
    admin: int  # bits: 1 maint, 2 by tracking, 4 by configuration, 8 drain, 16 by tracking, 32 by DNS, 64 by name
    weight: int
    initial_weight: int  # that of the configuration
    check: int
    agent: int
    fqdn: str
    ssl: bool
    check_port: int
    check_address: str = ""  # that of the server
    agent_address: str = ""
    agent_port: int = 0

    @property
    def key(self) -> Key:
        """Its backend and name."""
        return self.backend, self.name

    @property
    def state(self) -> str:
        """The administrative state: ready, drain or maint."""
        if self.admin & _MAINT:
            return "maint"
        return "drain" if self.admin & _DRAIN else "ready"

    @property
    def has_check(self) -> bool:
        """Whether its configuration has a check, enabled or not."""
        return bool(self.check & _CONFIGURED)

    @property
    def check_enabled(self) -> bool:
        """Whether it is checked; maintenance only pauses a check."""
        return bool(self.check & _ENABLED)

    @property
    def check_running(self) -> bool:
        """Whether a check is under way, which may also be the last one of a disabled check."""
        return bool(self.check & _RUNNING)

    @property
    def has_agent(self) -> bool:
        """Whether its configuration has an agent check, enabled or not."""
        return bool(self.agent & _CONFIGURED)

    @property
    def agent_enabled(self) -> bool:
        """Whether its agent check is enabled."""
        return bool(self.agent & _ENABLED)


@dataclass(frozen=True)
class ServerStats:
    """The fields of a server that only ``show stat`` has."""

    status: str  # "UP", "UP 1/2", "DOWN", "MAINT (via b/s)", "no check" ...
    sessions: int  # running and queued
    maxconn: int  # 0 for no limit

    @property
    def is_up(self) -> bool:
        """Whether all its checks pass. ``UP 1/2`` has checks left to pass, or is about to go down."""
        return self.status in ("UP", "no check")


def parse_servers(text: str) -> dict[Key, ServerState]:
    """Read the answer to ``show servers state``."""
    names: list[str] = []
    found: dict[Key, ServerState] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        elif names and len(words := line.split()) >= len(names):
            row = Fields(zip(names, words))
            server = ServerState(
                backend=row["be_name"],
                name=row["srv_name"],
                address="" if row["srv_addr"] == "-" else row["srv_addr"],
                port=int(row["srv_port"]),
                operational=int(row["srv_op_state"]),
                admin=int(row["srv_admin_state"]),
                weight=int(row["srv_uweight"]),
                initial_weight=int(row["srv_iweight"]),
                check=int(row["srv_check_state"]),
                agent=int(row["srv_agent_state"]),
                fqdn="" if row["srv_fqdn"] == "-" else row["srv_fqdn"],
                ssl=row["srv_use_ssl"] == "1",
                check_port=int(row["srv_check_port"]),
                check_address=row["srv_check_addr"].replace("-", ""),
                agent_address=row["srv_agent_addr"].replace("-", ""),
                agent_port=int(row["srv_agent_port"]),
            )
            found[server.key] = server
    return found


def parse_server_stats(text: str) -> dict[Key, ServerStats]:
    """Read the needed columns of servers from the answer to ``show stat``, which has a hundred."""
    rows = csv.reader(line for line in text.splitlines() if line)
    header = next(rows, [])
    if not header:
        return {}
    header[0] = header[0].lstrip("# ")
    columns = Fields((column, at) for at, column in enumerate(header))
    backend, name, status, current, queued, limit = (
        columns[column] for column in ("pxname", "svname", "status", "scur", "qcur", "slim")
    )
    return {
        (row[backend], row[name]): ServerStats(
            row[status], int(row[current] or 0) + int(row[queued] or 0), int(row[limit] or 0)
        )
        for row in rows
        if row[name] not in ("FRONTEND", "BACKEND")
    }


def read_servers(session: Session) -> tuple[dict[Key, ServerState], dict[Key, ServerStats]]:
    """All servers in one query; thousands take some milliseconds."""
    return session.read("show servers state", parse_servers), session.read("show stat -1 4 -1", parse_server_stats)


def path(backend: str, name: str) -> str:
    """A server as commands name it."""
    return f"{escaped(backend)}/{escaped(name)}"


def addition(
    version: Version, backend: str, name: str, address: str, keywords: Sequence[str], *, ready: bool
) -> list[str]:
    """The commands that add a server, with the keywords of a line ``server`` each as one word.

    A server that is only made ready counts as up before its first check and gets requests. One that is set down gets
    them after ``rise`` good checks; HAProxy allows that only outside of maintenance, where drain is the only state
    without traffic. Without checks it would stay down forever.
    """
    server = path(backend, name)
    commands = [" ".join([f"add server {server}", escaped(address), *map(escaped, keywords)])]
    require("dynamic servers", version)
    if not is_address(address):
        raise CommandError(commands[0], f"HAProxy would never resolve {address!r} for a server added at run time")
    refuse_harmful(commands[0])
    if "check" in keywords:
        commands.append(f"enable health {server}")
    if "agent-check" in keywords:
        commands.append(f"enable agent {server}")
    if "disabled" in keywords:
        return commands
    if "check" in keywords and not ready:
        commands += [f"set server {server} state drain", f"set server {server} health down"]
    return [*commands, f"set server {server} state ready"]


def insert(session: Session, backend: str, name: str, commands: Sequence[str]) -> None:
    """Run the commands of ``addition``: the server is added completely or not at all."""
    session.run(commands[0])
    try:
        for command in commands[1:]:
            session.run(command)
    except CommandError:
        with suppress(CommandError):
            session.run(f"set server {path(backend, name)} state maint")
            delete(session, backend, name, patience=1)
        raise


def delete(session: Session, backend: str, name: str, patience: float) -> None:
    """Delete a server in maintenance as soon as its connections are gone.

    Maintenance drops the idle connections to a server, a moment later. 2.6 keeps those of requests that end after that,
    20 seconds and more; drain, which is without traffic, and maintenance again drop them, too.
    """
    server = path(backend, name)
    deadline = time.monotonic() + patience
    again = 0.0
    while True:
        try:
            session.run(f"del server {server}")
        except CommandError as error:
            now = time.monotonic()
            if "still has connections" not in error.why or now > deadline:
                raise
            if now > again and not _has_sessions(session, backend, name):
                session.run(f"set server {server} state drain")
                session.run(f"set server {server} state maint")
                again = now + _BETWEEN_DROPS
            time.sleep(PAUSE)
        else:
            return


def _has_sessions(session: Session, backend: str, name: str) -> bool:
    stats = session.read(f"show stat {escaped(backend)} 4 -1", parse_server_stats).get((backend, name))
    return bool(stats and stats.sessions)


def add(session: Session, backend: str, name: str, address: str, keywords: Sequence[str], *, ready: bool) -> list[str]:
    """Add a server and return the commands that did it.

    ``address`` is ``ADDRESS:PORT`` as in a configuration. ``ready`` lets it take traffic at once, as after a reload;
    otherwise it waits for its checks.
    """
    commands = addition(session.version, backend, name, address, keywords, ready=ready)
    insert(session, backend, name, commands)
    return commands


def remove(session: Session, backend: str, name: str, patience: float) -> list[str]:
    """Remove a server as soon as its connections are gone and return the commands that did it.

    CommandError if connections remain after ``patience`` seconds, or HAProxy needs the server; it then stays in
    maintenance.
    """
    require("dynamic servers", session.version)
    server = path(backend, name)
    session.run(f"set server {server} state maint")
    delete(session, backend, name, patience)
    return [f"set server {server} state maint", f"del server {server}"]


def is_address(text: str) -> bool:
    """Whether an address as in a configuration, with or without port, needs no name to be resolved."""
    family, at, address = text.rpartition("@")
    if address.startswith("/") or (at and family not in ("ipv4", "ipv6", "tcp4", "tcp6")):
        return True
    return any(is_ip(candidate.strip("[]")) for candidate in (address, address.rpartition(":")[0]))
