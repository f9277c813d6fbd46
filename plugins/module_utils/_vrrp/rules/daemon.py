# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the daemon: its input, and its reload."""

from __future__ import annotations

import typing as t
from functools import lru_cache

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import record_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import Row, Section
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Subject

# The blocks that give keepalived something to do.
_WORK = ("vrrp_instance", "virtual_server", "bfd_instance")
_WILD = "*?[{"


@rule(
    "error",
    "keepalived reads the rest of the text as part of the wrong block, or does not start.",
    "Close every block once.",
)
def braces_unbalanced(subject: Subject) -> t.Iterator[Hit]:
    for statement in subject.root.walk():
        if not statement.is_closed:
            yield Hit(statement, f"The block {statement.keyword} is never closed.")
        elif statement.keyword == "}":
            yield Hit(statement, "This brace closes nothing.")


# Measured: keepalived -t says 0, and so does the daemon, which then waits for ever.
@rule(
    "warning",
    "keepalived runs and does nothing.",
    "Define at least one vrrp_instance or virtual_server.",
)
def nothing_to_do(subject: Subject) -> t.Iterator[Hit]:
    if subject.is_whole and not subject.root.all(*_WORK):
        yield Hit(subject.root, "The text defines no instance and no virtual server.")


# Measured: keepalived -t says 0 ("Config files missing").
@rule(
    "error",
    "keepalived continues without the content of the file.",
    "Correct the path or remove the line; a pattern may match no file.",
)
def include_missing(subject: Subject) -> t.Iterator[Hit]:
    for statement in subject.root.walk():
        if statement.keyword.startswith("include") and not any(character in statement.name for character in _WILD):
            file = subject.host.files.get(statement.name)
            if file and not file.is_found:
                yield Hit(statement, f"{statement.name} does not exist.")


@rule(
    "error",
    "This keepalived does not know the keyword: it rejects the text or ignores the keyword.",
    "Remove the line, or install a later keepalived on all nodes.",
)
def keyword_too_new(subject: Subject) -> t.Iterator[Hit]:
    version = subject.host.version
    if not version:
        return
    for statement in subject.root.walk():
        for inner in statement.body:
            since = _introduced().get((statement.keyword, inner.keyword), ())
            fractions = _fractions().get((statement.keyword, inner.keyword), ())
            if version < since:
                found = f"{inner.keyword} came with keepalived {_dotted(since)}"
            elif version < fractions and "." in inner.name:
                found = f"Parts of a second came with keepalived {_dotted(fractions)}"
            else:
                continue
            yield Hit(inner, f"{found}; this node has {_dotted(version)}.")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


Known = dict[tuple[str, str], tuple[int, ...]]


@lru_cache
def _introduced() -> Known:
    """The first version of each keyword, by the keyword of its block."""
    return {(block, row.keyword or row.name): _version(row.since) for block, row in _rows(FILE) if row.since}


@lru_cache
def _fractions() -> Known:
    rows = ((block, row) for block, row in _rows(FILE) if row.fractions_since)
    return {(block, row.written): _version(row.fractions_since) for block, row in rows}


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _rows(section: Section, block: str = "") -> t.Iterator[tuple[str, Row]]:
    """Every row of the tables with the keyword of the block that it stands in."""
    for row in section.keys:
        yield row.block or block, row
        inner = record_of(row.kind)
        if isinstance(inner, Section):
            yield from _rows(inner, row.written)


# Measured: without it, a reload with an absent interface ends the daemon and leaves its addresses behind; with it the
# reload is refused and daemon and addresses live on.
@rule(
    "warning",
    "A reload with a mistake in the text ends the daemon and leaves its addresses on the node.",
    "Add reload_check_config with the path of a log, such as /run/keepalived.reload-check.log, to global_defs.",
)
def reload_check_missing(subject: Subject) -> t.Iterator[Hit]:
    yield from _missing(subject, "reload_check_config", (2, 2, 0))


@rule(
    "warning",
    "Nobody can tell whether the daemon has read a new text.",
    "Add reload_file with a path, such as /run/keepalived.reload, to global_defs.",
)
def reload_file_missing(subject: Subject) -> t.Iterator[Hit]:
    yield from _missing(subject, "reload_file", (2, 2, 3))


def _missing(subject: Subject, keyword: str, since: tuple[int, ...]) -> t.Iterator[Hit]:
    is_known = not subject.host.version or subject.host.version >= since
    if is_known and subject.is_whole and not subject.settings.all(keyword):
        yield Hit(subject.root.last("global_defs") or subject.root, f"The text has no {keyword}.")
