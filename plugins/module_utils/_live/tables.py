# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stick tables: their entries, and how to change them.

HAProxy checks little of what it is told: in a table of addresses 2.6 takes the key ``bogus`` for 0.0.0.0 and 3.0 the
key ``::1`` for 0.0.0.1, -1 becomes 4294967295, and a refused value leaves an empty entry behind. So everything is
checked here first. Management Guide, section 9.3, "set table". Verified with 2.6 and 3.0.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session, escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem

Value = t.Union[int, str]  # HAProxy shows some that are not numbers, such as server_key

_HEADER = re.compile(r"(\w+): ?([^,]+)")
_ENTRY = re.compile(r"0x[0-9a-f]+: key=(?P<key>(?:\\.|\S)*)(?P<rest>.*)")
_FIELD = re.compile(r" (?P<name>\w+)(?:\(\d+\))?=(?P<value>\S*)")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))")
_FILTER = re.compile(r"data\.(?P<type>\w+) (?:eq|ne|le|ge|lt|gt) (?P<number>\d+)")
_KEYS = {"ip": "an IPv4 address", "ipv6": "an IPv6 address", "integer": "an integer between 0 and 4294967295"}
_ABOUT_ENTRY = {"use", "exp", "shard"}
_WIDE = {"bytes_in_cnt", "bytes_out_cnt"}
_NOT_NUMBERS = {"server_key"}


@dataclass(frozen=True)
class Table:
    """A table as HAProxy lists it."""

    name: str
    type: str
    size: int
    used: int


@dataclass(frozen=True)
class Entry:
    """An entry: its data by type, and the number of sessions that use it."""

    key: str
    data: dict[str, Value]
    use: int = 0


@dataclass(frozen=True)
class Desired:
    """An item as the user wrote it."""

    path: str
    key: str
    data: dict[str, t.Any] = field(default_factory=dict)

    def problem(self, table: Table) -> str:
        """Why HAProxy would misread or reject it; empty when it fits the table."""
        found = [key_problem(table.type, self.key), *(value_problem(*item) for item in self.data.items())]
        return "; ".join(filter(None, found))


@dataclass(frozen=True)
class Change:
    """The relevant data of an entry before and after; None without an entry."""

    path: str
    key: str
    before: dict[str, Value] | None
    after: dict[str, Value] | None


# HAProxy's answers


def parse_tables(text: str) -> list[Table]:
    """Read the answer to ``show table``."""
    rows = (Fields(_HEADER.findall(line)) for line in text.splitlines() if line.startswith("# table: "))
    return [Table(row["table"], row["type"], int(row["size"]), int(row["used"])) for row in rows]


def parse_entries(text: str) -> list[Entry]:
    """Read the answer to ``show table NAME``."""
    found = []
    for line in text.splitlines():
        if row := _ENTRY.match(line):
            fields = Fields((field["name"], _value(field["value"])) for field in _FIELD.finditer(row["rest"]))
            data = {name: value for name, value in fields.items() if name not in _ABOUT_ENTRY}
            found.append(Entry(_unword(row["key"]), data, int(fields["use"])))
    return found


def _value(text: str) -> Value:
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _unword(text: str) -> str:
    """Undo HAProxy's escaping of bytes that are not plain text."""

    def byte(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes([int(found[1], 16)])
        return {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"e": b"\x1b"}.get(found[2], found[2])

    return _ESCAPE.sub(byte, text.encode()).decode(errors="replace")


# Wanted state


def key_problem(kind: str, key: str) -> str:
    """Why a key does not fit a table of this type; empty when it does."""
    if kind in _KEYS:
        hint = f"; write ::ffff:{key}" if kind == "ipv6" and _normal("ip", key) else ""
        return "" if _normal(kind, key) else f"it is not {_KEYS[kind]}, the key type of this table{hint}"
    if kind != "string":
        return f"HAProxy accepts no keys of type {kind} in commands; use where"
    if not key:
        return "it is empty"
    return "it holds a control character" if re.search(r"[\0-\x1f\x7f]", key) else ""


def _normal(kind: str, key: str) -> str | None:
    """A key as HAProxy shows it, None if it is not of this type."""
    try:
        if kind == "ip":
            return str(ipaddress.IPv4Address(key))
        if kind == "ipv6":
            return None if "%" in key else ipaddress.IPv6Address(key).exploded
    except ValueError:
        return None
    if kind == "integer":
        return str(int(key)) if re.fullmatch(r"\d+", key, re.ASCII) and int(key) < 2**32 else None
    return key


def value_problem(name: str, value: t.Any) -> str:
    """Why a value cannot be stored; empty when it can."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        return f"{name!r} is not a data type"
    if name in _NOT_NUMBERS:
        return f"{name} cannot be set because it is not a number"
    most = 2**63 - 1 if name in _WIDE else 2**32 - 1
    number = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"\d+", number, re.ASCII) or int(number) > most:
        return f"{name} {value!r} is not an integer between 0 and {most}"
    return ""


def filter_problem(text: str) -> str:
    """Why a filter is invalid; empty when it is valid."""
    found = _FILTER.fullmatch(text)
    if found is None:
        return "it must be data.TYPE, one of eq, ne, le, ge, lt, gt, and an integer, such as 'data.gpc0 gt 0'"
    return "" if int(found["number"]) < 2**63 else f"{found['number']} is too large"


# Reading and changing


def find(session: Session, name: str) -> Table:
    """Find a table by its name."""
    listed = {table.name: table for table in session.read("show table", parse_tables)}
    if name not in listed:
        others = f"It has {', '.join(sorted(listed))}." if listed else "It has none."
        raise LbforgeError(f"HAProxy has no stick table {name!r}. {others}")
    return listed[name]


def compare(session: Session, table: Table, wanted: list[Desired], state: str) -> tuple[list[Change], list[Problem]]:
    """Compare entries with the wanted ones. An impossible change is a problem."""
    changes = []
    problems = []
    seen = set()
    stored = {name: _stores(session, table, name) for name in {name for desired in wanted for name in desired.data}}
    for desired in wanted:
        why = desired.problem(table) or "; ".join(filter(None, (stored[name] for name in desired.data)))
        name = _normal(table.type, desired.key)
        if not why and name in seen:
            why = "it is listed twice"
        if not why:
            seen.add(name)
            try:
                before = _entry(session, table, desired.key)
            except LbforgeError as error:
                why = str(error)
        if why:
            problems.append(Problem(desired.path, "", why, name=desired.key))
            continue
        if state == "absent":
            if before is not None:
                changes.append(Change(desired.path, desired.key, before.data, None))
            continue
        after: dict[str, Value] = {name: int(value) for name, value in desired.data.items()}
        relevant = None if before is None else {name: before.data[name] for name in after if name in before.data}
        if relevant != after:
            changes.append(Change(desired.path, desired.key, relevant, after))
    return changes, problems


def carry_out(session: Session, table: Table, changes: list[Change]) -> list[Problem]:
    """Make each change; return the rejections of HAProxy."""
    problems = []
    for change in changes:
        try:
            session.run(command(table, change))
            if change.after is not None:
                _prove(session, table, change)
        except (CommandError, _OtherKeyError) as error:
            problems.append(Problem(change.path, "", str(error), name=change.key))
    return problems


def command(table: Table, change: Change) -> str:
    """The command that makes a change."""
    target = f"table {escaped(table.name)} key {escaped(change.key)}"
    if change.after is None:
        return f"clear {target}"
    return " ".join([f"set {target}", *(f"data.{name} {value}" for name, value in change.after.items())])


def matching(session: Session, table: Table, filters: list[str]) -> list[Entry]:
    """Read the entries that all filters let through."""
    return session.read(" ".join([f"show table {escaped(table.name)}", *filters]), parse_entries)


def clear(session: Session, table: Table, filters: list[str], found: list[Entry]) -> list[Problem]:
    """Remove the entries; return those that HAProxy keeps because sessions use them."""
    session.run(" ".join([f"clear table {escaped(table.name)}", *filters]))
    kept = {entry.key for entry in matching(session, table, filters) if entry.use}
    left = [entry.key for entry in found if entry.key in kept]
    path, why = "where" if filters else "table", "HAProxy keeps it while sessions use it"
    return [Problem(path, "", why, name=key) for key in left]


class _OtherKeyError(LbforgeError):
    """HAProxy read a key as another one."""


def _stores(session: Session, table: Table, name: str) -> str:
    """Why a table does not store data of a type; empty when it does. No value is below 0, so nothing is dumped."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        return ""  # reported elsewhere
    try:
        session.run(f"show table {escaped(table.name)} data.{name} lt 0")
    except CommandError as error:
        return f"{name}: {error.why.rpartition(': ')[2]}"
    return ""


def _entry(session: Session, table: Table, key: str) -> Entry | None:
    found = session.read(f"show table {escaped(table.name)} key {escaped(key)}", parse_entries)
    if found and _normal(table.type, found[0].key) != _normal(table.type, key):
        raise _OtherKeyError(f"HAProxy shortens it to {found[0].key!r}, because the keys of this table are shorter")
    return found[0] if found else None


def _prove(session: Session, table: Table, change: Change) -> None:
    """HAProxy shortens a long string to the key length of its table, which only its answer shows."""
    try:
        _entry(session, table, change.key)
    except _OtherKeyError:
        session.run(command(table, replace(change, after=None)))  # it did not exist before
        raise
