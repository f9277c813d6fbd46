# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the wanted servers to the commands for the differences, and their execution.

One comparison of ``Settings`` with ``Settings`` gives the commands, the difference that is shown, and after the run the
proof that HAProxy carried the commands out.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import split
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import (
    Key,
    ServerState,
    ServerStats,
    addition,
    delete,
    insert,
    parse_server_stats,
    path,
    read_servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import require
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._live.ledger import Ledger
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, Session
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version

STATES = ("ready", "drain", "maint", "present", "absent")
TRAFFIC = ("ready", "drain", "maint")
POLICIES = ("fail", "force", "leave")
IDLE_PATIENCE = 5.0  # seconds until the idle connections of a server without sessions are closed
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_PATTERN = re.compile(r"[A-Za-z0-9_.:*?\[\]!-]+")
_WEIGHT = re.compile(r"(?P<number>\d{1,3})(?P<percent>%?)")


class Settings(t.NamedTuple):
    """The settings of an existing server that can change."""

    state: str
    weight: int
    address: str
    port: int
    maxconn: int
    check: bool
    agent: bool


@dataclass(frozen=True)
class Desired:
    """An item as the user wrote it; None leaves a setting as it is. Backend and name may be patterns."""

    path: str
    backend: str
    name: str
    state: str | None = None
    weight: str | None = None
    address: str | None = None
    port: int | None = None
    maxconn: int | None = None
    check: bool | None = None
    agent: bool | None = None
    options: tuple[str, ...] = ()
    shutdown_sessions: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether the item may match several servers."""
        return any(character in self.backend + self.name for character in "*?[")

    @property
    def keywords(self) -> list[str]:
        """The words of a line ``server`` for a new server; HAProxy uses the last of two."""
        found = ["check"] if self.check else []
        found += ["weight", self.weight] if self.weight is not None else []
        found += ["maxconn", str(self.maxconn)] if self.maxconn is not None else []
        return found + [word for option in self.options for word in split(option)]

    def problems(self) -> list[str]:
        """The mistakes in the request. HAProxy would not find them all: it takes port 99999 for 34463."""
        names = _NAME if self.state == "present" else _PATTERN
        found = [
            f"{key} {value!r} is not a valid name" + ("" if self.state == "present" else " or pattern") + " of HAProxy."
            for key, value in (("backend", self.backend), ("name", self.name))
            if not names.fullmatch(value)
        ]
        found += [
            f"{key} {value} is not between {least} and {most}."
            for key, value, least, most in (("port", self.port, 1, 65535), ("maxconn", self.maxconn, 0, 2**31 - 1))
            if value is not None and not least <= value <= most
        ]
        found += self._weight_problems()
        if self.address is not None and not is_ip(self.address):
            found.append(f"address {self.address!r} is not an IP address; HAProxy does not resolve names at run time.")
        if self.state == "present":
            found += [
                f"{key} is required with state 'present', to add a missing server."
                for key, value in (("address", self.address), ("port", self.port))
                if value is None
            ]
        elif self.options:
            found.append("options require state 'present'; an existing server keeps its own.")
        if self.state == "absent" and (
            given := [key for key in Settings._fields[1:] if getattr(self, key) is not None]
        ):
            found.append(f"state 'absent' does not allow {' or '.join(given)}.")
        if self.shutdown_sessions and self.state not in ("drain", "maint", "absent"):
            found.append("shutdown_sessions requires state 'drain', 'maint' or 'absent', which stop new sessions.")
        found += [
            f"option {option!r} contains a control character."
            for option in self.options
            if any(ord(character) < 32 for character in option)
        ]
        return found

    def _weight_problems(self) -> list[str]:
        if self.weight is None:
            return []
        weight = _WEIGHT.fullmatch(self.weight)
        if weight is None or int(weight["number"]) > (100 if weight["percent"] else 256):
            return [f"weight {self.weight!r} is neither a number between 0 and 256 nor between 0% and 100%."]
        if weight["percent"] and self.state == "present":
            return ["weight is a percentage of the configured weight, so a new server needs a number."]
        return []


@dataclass(frozen=True)
class Change:
    """The current and the wanted server (None: absent), and the commands in between."""

    path: str
    backend: str
    name: str
    state: str | None
    before: Settings | None
    after: Settings | None
    commands: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The server."""
        return self.backend, self.name

    @property
    def left_alone(self) -> str:
        """The reason why its state is not the wanted one; empty if it is."""
        if self.state not in TRAFFIC or not self.before or not self.after or self.after.state == self.state:
            return ""
        if self.after.state != self.before.state:
            return f"it is set back to {self.after.state}, its state before."
        return f"its configuration or another user set it to {self.before.state}, so it stays there."


def problem_of(item: Desired | Change, why: str) -> Problem:
    """A problem of an item, or of a server that it names."""
    return Problem(item.path, "", why, name=f"{item.backend}/{item.name}")


@dataclass(frozen=True)
class Found:
    """What runs."""

    version: Version
    backends: frozenset[str]
    servers: dict[Key, ServerState]
    stats: dict[Key, ServerStats]

    @classmethod
    def ask(cls, session: Session) -> Found:
        """Read it all."""
        servers, stats = read_servers(session)
        backends = {line.strip() for line in session.run("show backend").splitlines() if not line.startswith("#")}
        return cls(session.version, frozenset(backends - {""}), servers, stats)

    def settings(self, key: Key) -> Settings | None:
        """The settings of a server; None if it does not exist."""
        server = self.servers.get(key)
        if server is None:
            return None
        return Settings(
            state=server.state,
            weight=server.weight,
            address=server.address,
            port=server.port,
            maxconn=self.stats[key].maxconn if key in self.stats else 0,
            check=server.check_enabled,
            agent=server.agent_enabled,
        )


def plan(wanted: Iterable[Desired], found: Found, ledger: Ledger | None = None) -> tuple[list[Change], list[Problem]]:
    """Compare the wanted with the running servers. A missing server is a problem unless it should be absent.

    With a ledger, servers that somebody else took out of service stay so.
    """
    changes: list[Change] = []
    problems: list[Problem] = []
    owners: dict[Key, str] = {}
    for desired in wanted:
        try:
            keys = _matches(desired, found)
        except LbforgeError as error:
            problems.append(problem_of(desired, str(error)))
            continue
        for key in keys:
            owner = owners.setdefault(key, desired.path)
            try:
                if owner != desired.path:
                    raise LbforgeError(f"{owner} is for the same server.")
                changes.append(_change(desired, key, found, ledger))
            except LbforgeError as error:
                problems.append(Problem(desired.path, "", str(error), name="/".join(key)))
    return changes, problems


def _matches(desired: Desired, found: Found) -> list[Key]:
    if not desired.is_pattern:
        keys = [(desired.backend, desired.name)]
        if keys[0] in found.servers or desired.state == "absent":
            return keys
        if desired.state == "present" and desired.backend in found.backends:
            return keys
    else:
        keys = [
            key
            for key in found.servers
            if fnmatch.fnmatchcase(key[0], desired.backend) and fnmatch.fnmatchcase(key[1], desired.name)
        ]
        if keys or desired.state == "absent":
            return keys
        raise LbforgeError("No server has a similar name.")
    if desired.backend not in found.backends:
        raise LbforgeError(f"There is no such backend.{_suggestion(desired.backend, found.backends)}")
    names = [name for backend, name in found.servers if backend == desired.backend]
    raise LbforgeError(f"There is no such server.{_suggestion(desired.name, names)}")


def _suggestion(name: str, names: Iterable[str]) -> str:
    hint = did_you_mean(name, names)
    return f" {hint}" if hint else ""


def _change(desired: Desired, key: Key, found: Found, ledger: Ledger | None) -> Change:
    before = found.settings(key)
    server = path(*key)
    if desired.state == "absent":
        commands = [] if before is None else _removal(server, before, desired, found, key)
        return Change(desired.path, *key, desired.state, before, None, tuple(commands))
    if before is None:
        added = _added(desired)
        address = f"[{added.address}]" if ":" in added.address else added.address
        commands = addition(found.version, *key, f"{address}:{added.port}", desired.keywords, ready=False)
        return Change(desired.path, *key, desired.state, before, added, tuple(commands))
    after = _settled(desired, before, found.servers[key])
    if ledger is not None and desired.state in TRAFFIC:
        after = after._replace(state=ledger.desired(key, desired.state, before.state))
    commands = _commands(server, before, after) + _shutdown(desired, found, key)
    return Change(desired.path, *key, desired.state, before, after, tuple(commands))


def _removal(server: str, before: Settings, desired: Desired, found: Found, key: Key) -> list[str]:
    require("dynamic servers", found.version)
    maint = [f"set server {server} state maint"] if before.state != "maint" else []
    return [*maint, *_shutdown(desired, found, key), f"del server {server}"]


def _shutdown(desired: Desired, found: Found, key: Key) -> list[str]:
    sessions = found.stats[key].sessions if key in found.stats else 0
    return [f"shutdown sessions server {path(*key)}"] if desired.shutdown_sessions and sessions else []


def _added(desired: Desired) -> Settings:
    keywords = desired.keywords

    def number(keyword: str, default: int) -> int:
        words = [value for word, value in zip(keywords, keywords[1:]) if word == keyword]
        return int(words[-1]) if words and words[-1].isdigit() else default

    return Settings(
        state="maint" if "disabled" in keywords else "ready",
        weight=number("weight", 1),
        address=_normal(desired.address or ""),
        port=desired.port or 0,
        maxconn=number("maxconn", 0),
        check="check" in keywords,
        agent="agent-check" in keywords,
    )


def _settled(desired: Desired, before: Settings, server: ServerState) -> Settings:
    for kind, enabled, known in (
        ("check", desired.check, server.has_check),
        ("agent", desired.agent, server.has_agent),
    ):
        if enabled and not known:
            raise LbforgeError(f"Its configuration has no {kind} to enable.")
    wanted: dict[str, t.Any] = {
        "state": desired.state if desired.state != "present" else None,
        "weight": None if desired.weight is None else _weight(desired.weight, server.initial_weight),
        "address": None if desired.address is None else _normal(desired.address),
        "port": desired.port,
        "maxconn": desired.maxconn,
        "check": desired.check,
        "agent": desired.agent,
    }
    return before._replace(**{key: value for key, value in wanted.items() if value is not None})


def _weight(text: str, initial: int) -> int:
    number = int(text.rstrip("%"))
    if not text.endswith("%"):
        return number
    weight = initial * number // 100
    if number and initial and not weight:
        raise LbforgeError(f"{text} of its weight {initial} is less than 1, and 0 would end its traffic.")
    return weight


def _commands(server: str, before: Settings, after: Settings) -> list[str]:
    """Only what differs. A server stops taking traffic before anything else changes, and starts after it."""
    commands: list[str] = []
    if (after.address, after.port) != (before.address, before.port):
        port = f" port {after.port}" if after.port != before.port else ""
        commands.append(f"set server {server} addr {after.address}{port}")
    if after.weight != before.weight:
        commands.append(f"set server {server} weight {after.weight}")
    if after.maxconn != before.maxconn:
        commands.append(f"set maxconn server {server} {after.maxconn}")
    for kind, was, wanted in (("health", before.check, after.check), ("agent", before.agent, after.agent)):
        if was != wanted:
            commands.append(f"{'enable' if wanted else 'disable'} {kind} {server}")
    if after.state != before.state:
        commands.insert(len(commands) if after.state == "ready" else 0, f"set server {server} state {after.state}")
    return commands


def _normal(address: str) -> str:
    return str(ipaddress.ip_address(address))


def noted(ledger: Ledger, changes: Iterable[Change]) -> Ledger:
    """The ledger when the changes are done."""
    for change in changes:
        if change.state in TRAFFIC and change.before and change.after and change.before.state != change.after.state:
            ledger = ledger.after(change.key, change.before.state, change.after.state)
    return ledger


class Waiting(t.NamedTuple):
    """The time to wait for sessions to end and checks to pass, and the action after it."""

    seconds: float
    interval: float = 1.0
    policy: str = "fail"


@dataclass
class Outcome:
    """A change, the executed commands, and the result."""

    change: Change
    done: list[str] = field(default_factory=list)
    error: str = ""
    warning: str = ""
    left: bool = False  # not finished in time, as requested
    after: Settings | None = None
    stats: ServerStats | None = None

    @property
    def problem(self) -> Problem:
        """The error with its place."""
        return problem_of(self.change, self.error)


def carry_out(client: RuntimeClient, changes: Sequence[Change], waiting: Waiting | None) -> list[Outcome]:
    """Make all changes; a rejection is an error of its item and stops no other change."""
    outcomes = [Outcome(change) for change in changes]
    with client.session() as session:
        for outcome in outcomes:
            _start(session, outcome)
    if waiting:
        _wait(client, outcomes, waiting)
    with client.session() as session:
        for outcome in outcomes:
            _finish(session, outcome)
        found = Found.ask(session)
    for outcome in outcomes:
        _prove(outcome, found)
    return outcomes


def _start(session: Session, outcome: Outcome) -> None:
    change = outcome.change
    if not change.commands:
        return
    try:
        if change.before is None:
            insert(session, *change.key, change.commands)
            outcome.done += change.commands
            return
        for command in change.commands[:-1] if change.after is None else change.commands:
            session.run(command)
            outcome.done.append(command)
    except LbforgeError as error:
        outcome.error = str(error)


def _wait(client: RuntimeClient, outcomes: Sequence[Outcome], waiting: Waiting) -> None:
    """Wait for all at once. Each query uses a new connection, so a reload in the meantime does no harm."""
    deadline = time.monotonic() + waiting.seconds
    while True:
        stats = client.parsed("show stat -1 4 -1", parse_server_stats, patience=3)
        late = [
            (outcome, why) for outcome in outcomes if not outcome.error and (why := _unfinished(outcome.change, stats))
        ]
        left = deadline - time.monotonic()
        if not late or left <= 0:
            break
        time.sleep(min(waiting.interval, left))
    if not late:
        return
    with client.session() as session:
        for outcome, why in late:
            why = f"After {waiting.seconds:g} s {why}"
            if waiting.policy == "leave":
                outcome.left, outcome.warning = True, why
            elif waiting.policy == "force" and _leaves(outcome.change):
                _force(session, outcome)
            else:
                outcome.error = why


def _leaves(change: Change) -> bool:
    return change.state in ("drain", "maint", "absent")


def _unfinished(change: Change, stats: dict[Key, ServerStats]) -> str:
    now = stats.get(change.key)
    if _leaves(change):
        sessions = now.sessions if now else 0
        return f"it still has {sessions} session{'s' if sessions > 1 else ''}." if sessions else ""
    if change.state not in ("ready", "present") or (change.after and change.after.state != "ready"):
        return ""
    if now is None:
        return "it no longer exists."
    return "" if now.is_up else f"it is not up: HAProxy reports {now.status!r}."


def _force(session: Session, outcome: Outcome) -> None:
    command = f"shutdown sessions server {path(*outcome.change.key)}"
    try:
        session.run(command)
        outcome.done.append(command)
    except LbforgeError as error:
        outcome.error = str(error)


def _finish(session: Session, outcome: Outcome) -> None:
    change = outcome.change
    if change.state != "absent" or not change.commands or outcome.error or outcome.left:
        return
    try:
        delete(session, *change.key, IDLE_PATIENCE)
        outcome.done.append(change.commands[-1])
    except LbforgeError as error:
        outcome.error = f"{error} It is in maintenance now."


def _prove(outcome: Outcome, found: Found) -> None:
    """HAProxy accepts some commands without effect, so only its state afterwards counts."""
    change = outcome.change
    outcome.after, outcome.stats = found.settings(change.key), found.stats.get(change.key)
    if outcome.error or outcome.left or outcome.after == change.after:
        return
    if outcome.after is None or change.after is None:
        there = "is missing" if outcome.after is None else "is still there"
        outcome.error = f"HAProxy accepted every command, but the server {there}."
        return
    wrong = [
        f"{key} is {now!r} and should be {wanted!r}"
        for key, now, wanted in zip(Settings._fields, outcome.after, change.after)
        if now != wanted
    ]
    outcome.error = f"HAProxy accepted every command, but {', '.join(wrong)}."
