# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maps and ACLs: their files, their loaded entries, and replacing all entries in one step.

An entry of a map is a key with its value, an entry of an ACL is a pattern. HAProxy Configuration Manual, section 7.1,
"ACL basics", and the converter ``map``; Management Guide, section 9.3. Verified with 2.6 and 3.0.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import (
    RuntimeClient,
    Session,
    chunks,
    escaped,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import require
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Entry = t.Union[str, tuple[str, str]]

_BLANKS = " \t"
_LISTED = re.compile(
    r"(?P<id>\d+) \((?P<path>.*)\) (?P<about>(?:pattern loaded|acl |map ).*) curr_ver=.*entry_cnt=(?P<count>\d+)"
)
_NOT_UTF_8 = re.compile("[\ud800-\udfff\ufffd]")


@dataclass(frozen=True)
class PatternFile:
    """A map or an ACL as HAProxy lists it.

    ``count`` is HAProxy's own. It counts an entry once for each use of the file, and 2.6 miscounts removals: only the
    entries themselves give the number.
    """

    path: str
    kind: str  # map or acl; a file that serves both is a map
    id: int
    count: int


# Files


def parse_map(text: str) -> list[tuple[str, str]]:
    """Read a map file as HAProxy does."""
    return [pair for line in text.split("\n") if (pair := read_pair(line)) is not None]


def parse_acl(text: str) -> list[str]:
    """Read a file of patterns as HAProxy does."""
    return [pattern for line in text.split("\n") if (pattern := read_pattern(line)) is not None]


def parse(kind: str, text: str) -> list[Entry]:
    """Read a file of either kind."""
    return [*parse_map(text)] if kind == "map" else [*parse_acl(text)]


def read_pattern(line: str) -> str | None:
    """Read a line of a file of patterns; trailing blanks belong to the pattern. None means no entry."""
    if line.startswith("#"):  # behind blanks it would be a pattern
        return None
    return line.partition("\r")[0].lstrip(_BLANKS) or None


def read_pair(line: str) -> tuple[str, str] | None:
    """Read a line of a map: the first word is the key. None means no entry."""
    found = read_pattern(line)
    if found is None:
        return None
    key, _blank, value = found.partition(" ")
    if "\t" in key:
        key, _blank, value = found.partition("\t")
    return key, value.strip(_BLANKS)


def written(entry: Entry) -> str:
    """An entry as a line of a file."""
    return entry if isinstance(entry, str) else " ".join(entry)


# Loaded entries


def loaded(text: str) -> dict[str, PatternFile]:
    """Read the answer to ``show map`` or ``show acl``, by path, or by ``#ID`` without a file."""
    found = {}
    for line in text.splitlines():
        if row := _LISTED.match(line):
            kind = "map" if re.search(r"\bmap at file ", row["about"]) else "acl"
            path = row["path"] or f"#{row['id']}"
            found[path] = PatternFile(path, kind, int(row["id"]), int(row["count"]))
    return found


def entries(asked: Session | RuntimeClient, kind: str, path: str) -> list[Entry]:
    """Read the loaded entries, in order. ``path`` may be ``#ID``."""
    command = f"show {kind} {escaped(path)}"
    text = asked.run(command) if isinstance(asked, Session) else asked.read(command)
    lines = (line.partition(" ")[2] for line in text.split("\n") if line)
    if kind == "acl":
        return list(lines)
    return [(key, value) for key, _blank, value in (line.partition(" ") for line in lines)]


# Replacement


def replace(session: Session, kind: str, path: str, wanted: t.Sequence[Entry]) -> None:
    """Load exactly these entries in one step: every request sees either the old or the new ones."""
    with prepared(session, kind, path, wanted) as commit:
        commit()


@contextmanager
def prepared(session: Session, kind: str, path: str, wanted: t.Sequence[Entry]) -> Iterator[t.Callable[[], None]]:
    """Load entries beside those in use, which proves that HAProxy accepts them; the caller commits them."""
    require("map transactions", session.version)
    if kind == "acl" and path in loaded(session.run("show map")):  # for a file they share HAProxy wants 'add map'
        kind, wanted = "map", parse_map("\n".join(map(written, wanted)))
    version = session.run(f"prepare {kind} {escaped(path)}").rpartition(":")[2].strip()
    target = f"{kind} @{version} {escaped(path)}"
    unused = True

    def commit() -> None:
        nonlocal unused
        unused = False  # from here on it is in use, or another client's version won
        try:
            session.run(f"commit {target}")
        except CommandError as error:
            raise LbforgeError(
                f"Another client replaced the entries of {path} at the same time, so they may differ from these. Run"
                f" again. {error}"
            ) from error
        if entries(session, kind, path) != list(wanted):
            raise LbforgeError(
                f"HAProxy accepted the entries for {path}, but holds others. Check whether a rule such as http-request"
                " set-map changes them."
            )

    try:
        _fill(session, target, [written(entry) for entry in wanted])
        yield commit
    finally:
        if unused:
            with suppress(LbforgeError):
                session.run(f"clear {target}")


def _fill(session: Session, target: str, lines: list[str]) -> None:
    if _NOT_UTF_8.search("\n".join(lines)):
        raise LbforgeError(f"Some entries for {target} are not UTF-8. Only a reload applies them.")
    command = f"add {target}"
    if target.startswith("acl"):  # which takes no payload
        session.run_all([f"{command} {escaped(line)}" for line in lines])
        return
    for chunk in chunks(lines, session.limit - len(f"{command} <<\n\n".encode())):
        session.run(command, "\n".join(chunk))
