# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of keepalived.conf as data: the template only lays it out."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import INVALID
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import HIDDEN, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.kinds import Lines, Numbered, Place, Setting
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE, HOMES
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import RAW, Many, Named, Row, Section
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

GLOBAL_DEFS = "global_defs"


@dataclass(frozen=True)
class Block:
    """``title { settings, blocks }``; a setting is one whole line. Lines without a block have no title."""

    title: str
    settings: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()


def keepalived_model(variables: t.Mapping[str, t.Any]) -> tuple[Block, ...]:
    """All blocks of the file, from the ``keepalived_*`` variables by their names without that prefix."""
    problems = Problems(homes=HOMES)
    place = Place(problems)
    given = {name: value for name, value in variables.items() if name != GLOBAL_DEFS}
    lines = RAW.kind.read(variables.get(GLOBAL_DEFS) or [], place.key(f"{FILE.prefix}{GLOBAL_DEFS}"))
    read, _is_whole = FILE.read_keys(_without_idle_scripts(given), place)
    lines = () if lines is INVALID else lines
    for problem in _ignored_passwords(given, lines):
        problems.add_error(problem)
    if problems.errors:
        raise VrrpError(problems.errors)
    file = _block("", FILE.keys, read)
    defined = _global_defs(lines, given.get("global_settings"), file.blocks)
    blocks = (defined, *(block for block in file.blocks if block.title != GLOBAL_DEFS), Block("", file.settings))
    return tuple(block for block in blocks if block != Block(block.title))


def _global_defs(lines: t.Sequence[str], given: t.Any, blocks: t.Iterable[Block]) -> Block:
    """Named settings replace lines with the same keyword."""
    named = next((block for block in blocks if block.title == GLOBAL_DEFS), Block(GLOBAL_DEFS))
    keywords = given if isinstance(given, t.Mapping) else ()
    kept = tuple(line for line in lines if line and line.split()[0] not in keywords)
    return replace(named, settings=kept + named.settings)


def _ignored_passwords(variables: t.Mapping[str, t.Any], global_defs: t.Sequence[str]) -> t.Iterator[Problem]:
    """The passwords that keepalived would silently ignore."""
    settings, instances = variables.get("global_settings"), variables.get("instances")
    named = settings.get("vrrp_version") if isinstance(settings, t.Mapping) else None
    lines = [*global_defs, *([f"vrrp_version {named}"] if named else [])]
    version = next((words[1:] for words in map(str.split, reversed(lines)) if words[:1] == ["vrrp_version"]), [])
    for name, entry in instances.items() if isinstance(instances, t.Mapping) else ():
        if not isinstance(entry, t.Mapping) or not entry.get("authentication_password"):
            continue
        if str(entry.get("version") or "".join(version)) == "3":
            why = (
                "VRRPv3 has no authentication; remove it, or set version 2 for the instance (its advert_int has to"
                " be whole seconds then), or use auth_hmac where keepalived is 2.4.0 or later"
            )
            yield Problem(f"keepalived_instances.{name}.authentication_password", HIDDEN, why)
        elif entry.get("auth_hmac"):
            why = "keepalived ignores it with auth_hmac; keep one of the two"
            yield Problem(f"keepalived_instances.{name}.authentication_password", HIDDEN, why)


def _without_idle_scripts(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Drop unused scripts: keepalived 2.2 accepts them in its check, but exits at its start."""
    scripts = variables.get("scripts")
    if not isinstance(scripts, t.Mapping):
        return dict(variables)
    used: set[str] = set()
    for holder in ("sync_groups", "instances"):
        entries = variables.get(holder)
        for entry in entries.values() if isinstance(entries, t.Mapping) else ():
            items = entry.get("track_scripts") if isinstance(entry, t.Mapping) else None
            # An item is a name, or a name with a weight.
            used |= {str(item).split()[0] for item in _as_list(items) if str(item).strip()}
    return {**variables, "scripts": {name: script for name, script in scripts.items() if name in used}}


@dataclass
class _Parts:
    """A block that is being filled."""

    title: list[str]
    settings: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    gathered: dict[str, list[str]] = field(default_factory=dict)
    """Blocks that single settings are written into."""

    def of(self, row: Row) -> list[str]:
        """The lines, or the title, that a row belongs to."""
        if row.title:
            return self.title
        return self.gathered.setdefault(row.block, []) if row.block else self.settings

    def closed(self) -> Block:
        gathered = [Block(title, tuple(lines)) for title, lines in self.gathered.items()]
        return Block(" ".join(filter(None, self.title)), tuple(self.settings), (*self.blocks, *gathered))


def _block(keyword: str, rows: t.Iterable[Row], entry: t.Mapping[str, t.Any], name: str = "") -> Block:
    """The block of a dictionary that has been read, line by line in the order of the rows."""
    parts = _Parts([keyword, name])
    behind = _behind(rows, entry)
    for row in rows:
        value = entry.get(row.name, _default(row, entry))
        if value is None or row.behind:
            continue
        if isinstance(row.kind, Lines):
            lines = tuple(line + behind.get(row.name, "") for line in value)
            if row.kind.has_block:
                parts.blocks.append(Block(row.written, lines))
            else:
                parts.settings += lines
        elif isinstance(row.kind, Numbered):
            parts.settings += [f"{row.written} {text}" for text in row.kind.written(value)]
        elif isinstance(row.kind, Setting):
            if line := row.kind.line(row.written, value):
                parts.of(row).append(line + behind.get(row.name, ""))
        else:
            parts.blocks += _blocks(row, value)
    return parts.closed()


def _blocks(row: Row, value: t.Any) -> t.Iterator[Block]:
    """The blocks of a row in each of the shapes that its value may have."""
    if isinstance(row.kind, Section):
        yield _block(row.written, row.kind.keys, value)
    elif isinstance(row.kind, Named):
        for name, entry in value.items():
            yield _block(row.written, row.kind.of.keys, entry, name)
    elif isinstance(row.kind, Many):
        for keyword, rows in row.kind.of.blocks or ((row.written, row.kind.of.keys),):
            for entry in value:
                yield _block(keyword, rows, entry)


def _behind(rows: t.Iterable[Row], entry: t.Mapping[str, t.Any]) -> dict[str, str]:
    """What is written behind each line of other keys."""
    texts: dict[str, str] = {}
    for row in rows:
        if row.name in entry and isinstance(row.kind, Setting):
            for name in row.behind:
                texts[name] = f"{texts.get(name, '')} {row.kind.line(row.written, entry[row.name])}"
    return texts


def _default(row: Row, entry: t.Mapping[str, t.Any]) -> t.Any:
    is_written = not row.default_beside or any(name in entry for name in row.default_beside)
    return row.default if is_written else None


def _as_list(value: t.Any) -> t.Sequence[t.Any]:
    if isinstance(value, str):
        return [value] if value else []
    return value if isinstance(value, t.Sequence) else []
