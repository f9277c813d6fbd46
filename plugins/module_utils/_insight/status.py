# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a load balancer as a tree: frontends, their backends, their servers. Pure.

The statuses are those of Octavia, which its users and their monitoring know.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section

# From the worst to the best.
STATUSES = ("ERROR", "DEGRADED", "OFFLINE", "DRAINING", "NO_MONITOR", "ONLINE")
FRONTENDS = {"OPEN": "ONLINE", "PAUSED": "OFFLINE", "STOP": "OFFLINE"}
# Prefixes of HAProxy's states; the first match counts. An unresolved name is not an operator's choice.
SERVERS = (
    ("MAINT (resolution)", "ERROR"),
    ("MAINT", "OFFLINE"),
    ("DOWN", "ERROR"),
    ("DRAIN", "DRAINING"),
    ("NOLB", "DRAINING"),
    ("no check", "NO_MONITOR"),
    ("UP", "ONLINE"),
)
# Lines of a backend that answer requests, or pass them on.
ANSWER = re.compile(
    r"(server|server-template|dispatch|redirect|stats|option transparent)\b"
    r"|(http|tcp)-request .*\b(return|redirect|deny|tarpit|use-service)\b"
)
INNER = ("abns@", "unix@", "/")


@dataclass(frozen=True)
class Server:
    """A server of a backend; ``state`` is HAProxy's word."""

    name: str
    status: str
    state: str
    address: str | None  # shown only to sockets of level operator and admin
    check: str | None
    last_change_seconds: int | None
    sessions: int
    queue: int
    weight: int
    backup: bool


@dataclass(frozen=True)
class Backend:
    """A backend; ``state`` is None when the worker has none of this name."""

    name: str
    status: str
    state: str | None = None
    last_change_seconds: int | None = None
    sessions: int = 0
    queue: int = 0
    servers: list[Server] = field(default_factory=list)


@dataclass(frozen=True)
class Frontend:
    """A frontend, and the backends it leads to, directly or through inner frontends."""

    name: str
    status: str
    state: str | None
    sessions: int
    limit: int
    through: list[str]
    backends: list[Backend]


@dataclass(frozen=True)
class Tree:
    """The whole tree. ``backends`` are those that no frontend names, for example because a map selects them."""

    status: str
    counts: dict[str, dict[str, int]]
    frontends: list[Frontend]
    backends: list[Backend]


class Routes:
    """The backends behind frontends, from the configuration.

    A backend whose servers all are sockets that frontends of the same HAProxy listen on is a relay: it is looked
    through, and so are these inner frontends.
    """

    def __init__(self, sections: Iterable[Section]) -> None:
        self.frontends: dict[str, list[str]] = {}
        self.relays: dict[str, list[str]] = {}
        proxies = []
        inherited: list[str] = []
        listeners: dict[str, str] = {}
        for section in sections:
            if section.kind == "defaults":
                inherited = _targets(section)
            if section.kind in ("frontend", "listen"):
                own = [section.name] if section.kind == "listen" and _servers(section) else []
                self.frontends[section.name] = list(dict.fromkeys([*(_targets(section) or inherited), *own]))
                for line in section.lines_with("bind"):
                    listeners.update(dict.fromkeys(line[1].split(",") if len(line) > 1 else (), section.name))
            if section.kind in ("backend", "listen"):
                proxies.append(section)
        for section in proxies:
            addresses = _servers(section)
            if addresses and all(address.startswith(INNER) and address in listeners for address in addresses):
                self.relays[section.name] = [listeners[address] for address in addresses]
        self.inner = {name for names in self.relays.values() for name in names}

    def follow(self, frontend: str) -> tuple[list[str], list[str]]:
        """The inner frontends on the way, and the backends at its end, each once."""
        through: list[str] = []
        ends: list[str] = []
        waiting = [frontend]
        while waiting:
            for target in self.frontends.get(waiting.pop(0), []):
                if target in self.relays:
                    new = [name for name in self.relays[target] if name not in (frontend, *through)]
                    through += new
                    waiting += new
                elif target not in ends:
                    ends.append(target)
        return through, ends


def tree(sections: Iterable[Section], rows: Sequence[Row], wanted: Sequence[str] = ()) -> Tree:
    """Combine the configuration with ``show stat``; ``wanted`` are backends, none means all."""
    sections = list(sections)
    routes = Routes(sections)
    fronts = {str(row["pxname"]): row for row in rows if row["type"] == "frontend"}
    named = {name for targets in routes.frontends.values() for name in targets}
    # A backend may exist only for its stick table.
    pools = [section for section in sections if section.name in named or not section.lines_with("stick-table")]
    backends = _backends(rows, {section.name for section in pools if _is_empty(section)})

    def shown(names: Iterable[str]) -> list[Backend]:
        return [backends.get(name) or Backend(name, "OFFLINE") for name in names if not wanted or name in wanted]

    frontends = []
    reached: set[str] = set()
    for name in dict.fromkeys([*routes.frontends, *fronts]):
        if name in routes.inner:
            continue
        through, ends = routes.follow(name)
        reached.update(ends)
        row = fronts.get(name, Row())
        front = Frontend(
            name=name,
            status=worst(frontend_status(fronts.get(each)) for each in (name, *through)),
            state=t.cast("str | None", row.get("status")),
            sessions=_number(row, "scur"),
            limit=_number(row, "slim"),
            through=through,
            backends=shown(ends),
        )
        if front.backends or not wanted:
            frontends.append(front)
    others = shown(
        name
        for name, backend in backends.items()
        if name not in reached and name not in routes.relays and (backend.servers or name not in fronts)
    )
    known = {backend.name: backend for front in frontends for backend in front.backends}
    known.update({backend.name: backend for backend in others})
    return Tree(
        status=worst([front.status for front in frontends] + [backend.status for backend in known.values()]),
        counts={
            "frontends": _count(frontends),
            "backends": _count(known.values()),
            "servers": _count(server for backend in known.values() for server in backend.servers),
        },
        frontends=frontends,
        backends=others,
    )


def worst(statuses: Iterable[str]) -> str:
    """The worst of some statuses; without any, the best one."""
    return min(statuses, key=STATUSES.index, default="ONLINE")


def frontend_status(row: Row | None) -> str:
    """A frontend that is missing is an error, one that takes no more connections is degraded."""
    if row is None:
        return "ERROR"
    status = FRONTENDS.get(str(row["status"]), "ERROR")
    is_full = 0 < _number(row, "slim") <= _number(row, "scur")
    return "DEGRADED" if status == "ONLINE" and is_full else status


def server_status(state: str, weight: int) -> str:
    """The status for HAProxy's state of a server; a live server of weight 0 gets no new clients."""
    status = next((status for start, status in SERVERS if state.startswith(start)), "ERROR")
    return "DRAINING" if weight == 0 and status in ("ONLINE", "NO_MONITOR") else status


def backend_status(state: str, servers: Iterable[str]) -> str:
    """A failed server degrades a backend that is up. A backend whose servers all agree has their status."""
    statuses = set(servers)
    if state != "UP":
        return "ERROR"
    if "ERROR" in statuses:
        return "DEGRADED"
    return "ONLINE" if "ONLINE" in statuses else worst(statuses)


def _backends(rows: Iterable[Row], empty: Container[str]) -> dict[str, Backend]:
    backends: dict[str, Backend] = {}
    servers: dict[str, list[Server]] = {}
    for row in rows:  # the servers of a backend come before it
        name = str(row["pxname"])
        if row["type"] == "server":
            servers.setdefault(name, []).append(_server(row))
        elif row["type"] == "backend":
            own = servers.get(name, [])
            state = str(row["status"])
            # HAProxy shows a backend without servers as UP, because its rules may answer.
            status = "OFFLINE" if name in empty and not own else backend_status(state, (one.status for one in own))
            backends[name] = Backend(
                name=name,
                status=status,
                state=state,
                last_change_seconds=t.cast("int | None", row["lastchg"]),
                sessions=_number(row, "scur"),
                queue=_number(row, "qcur"),
                servers=own,
            )
    return backends


def _server(row: Row) -> Server:
    state, weight = str(row["status"]), _number(row, "weight")
    check = " ".join(str(row[key]) for key in ("check_status", "check_code", "last_chk") if row.get(key))
    return Server(
        name=str(row["svname"]),
        status=server_status(state, weight),
        state=state,
        address=t.cast("str | None", row.get("addr")),
        check=check or None,
        last_change_seconds=t.cast("int | None", row["lastchg"]),
        sessions=_number(row, "scur"),
        queue=_number(row, "qcur"),
        weight=weight,
        backup=bool(row["bck"]),
    )


def _targets(section: Section) -> list[str]:
    """The backends that a section names. Those of a map or another expression are unknown here."""
    lines = [*section.lines_with("use_backend"), *section.lines_with("default_backend")]
    return [line[1] for line in lines if len(line) > 1 and "%[" not in line[1]]


def _servers(section: Section) -> list[str]:
    return [line[2] for line in section.lines if line[0] in ("server", "server-template") and len(line) > 2]


def _is_empty(section: Section) -> bool:
    """Whether nothing in a backend answers: no server, and no rule in place of one."""
    return section.kind == "backend" and not any(ANSWER.match(" ".join(line)) for line in section.lines)


def _number(row: Row, key: str) -> int:
    return int(row.get(key) or 0)


def _count(parts: Iterable[Frontend | Backend | Server]) -> dict[str, int]:
    found = Counter(part.status for part in parts)
    return {status: found[status] for status in STATUSES}
