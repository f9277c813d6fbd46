# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of keepalived.conf as data: the template only lays it out."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import (
    FILE,
    GLOBAL,
    RAW,
    Key,
    Section,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

HIDDEN = "(hidden)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_WEIGHT = re.compile(r"(-?\d+)( reverse)?")
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Block:
    """``title { settings, blocks }``; a setting is one whole line. Lines without a block have no title."""

    title: str
    settings: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()


def keepalived_model(variables: t.Mapping[str, t.Any]) -> tuple[Block, ...]:
    """All blocks of the file, from the ``keepalived_*`` variables by their names without that prefix."""
    layout = _Layout()
    rest = {name: value for name, value in variables.items() if name != "global_defs"}
    lines = layout.lines(RAW, f"{FILE.name}_global_defs", variables.get("global_defs") or [])
    file = layout.block(FILE, FILE.name, _without_idle_scripts(rest))
    defined = _global_defs(lines, variables.get("global_settings"), file.blocks)
    errors = layout.errors + list(_vanishing_passwords(variables.get("instances"), defined.settings))
    if errors:
        # A variable that two sections read has its mistakes twice.
        raise VrrpError(list(dict.fromkeys(errors)))
    blocks = (defined, *(block for block in file.blocks if block.title != GLOBAL.keyword), Block("", file.settings))
    return tuple(block for block in blocks if block != Block(block.title))


def _global_defs(lines: t.Sequence[str], given: t.Any, blocks: t.Iterable[Block]) -> Block:
    """What is set by name takes the place of a line with the same keyword."""
    named = next((block for block in blocks if block.title == GLOBAL.keyword), Block(GLOBAL.keyword))
    keywords = given if isinstance(given, t.Mapping) else ()
    kept = tuple(line for line in lines if line and line.split()[0] not in keywords)
    return replace(named, settings=kept + named.settings)


def _vanishing_passwords(instances: t.Any, global_defs: t.Sequence[str]) -> t.Iterator[Problem]:
    """keepalived would leave the password out and run all the same."""
    version = next((words[1:] for words in map(str.split, reversed(global_defs)) if words[0] == "vrrp_version"), [])
    for name, entry in instances.items() if isinstance(instances, t.Mapping) else ():
        if not isinstance(entry, t.Mapping) or not entry.get("authentication_password"):
            continue
        if str(entry.get("version") or "".join(version)) == "3":
            why = (
                "VRRPv3 has no authentication; leave it out, or set version 2 for the instance (its advert_int has to"
                " be whole seconds then), or use auth_hmac where keepalived is 2.4.0 or later"
            )
            yield Problem(f"keepalived_instances.{name}.authentication_password", HIDDEN, why)
        elif entry.get("auth_hmac"):
            why = "keepalived leaves it out beside auth_hmac; keep one of the two"
            yield Problem(f"keepalived_instances.{name}.authentication_password", HIDDEN, why)


def _without_idle_scripts(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """keepalived 2.2 calls a text with an unused script valid, and then ends with an error when it meets it."""
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

    def place(self, key: Key) -> list[str]:
        if key.title:
            return self.title
        return self.gathered.setdefault(key.block, []) if key.block else self.settings

    def closed(self) -> Block:
        gathered = [Block(title, tuple(lines)) for title, lines in self.gathered.items()]
        return Block(" ".join(filter(None, self.title)), tuple(self.settings), (*self.blocks, *gathered))


class _Layout:
    """Turns dictionaries into blocks as the tables say, and remembers every mistake."""

    def __init__(self) -> None:
        self.errors: list[Problem] = []

    def _wrong(self, path: str, why: str, value: str = "", hint: str = "") -> None:
        self.errors.append(Problem(path, value, why, hint))

    def block(self, section: Section, path: str, entry: t.Any, name: str = "") -> Block:
        if not isinstance(entry, t.Mapping):
            self._wrong(path, f"must be a dictionary, not {_shown(entry)}", _shown(entry))
            return Block(name)
        self._check_keys(section, path, entry)
        behind = self._behind(section, path, entry)
        parts = _Parts([section.keyword, name])
        for row in section.rows:
            value = entry.get(row.name)
            where = _join(section, path, row.name)
            if _is_absent(value):
                if row.required:
                    self._wrong(where, "is missing")
                value = _default(row, entry)
            if not _is_absent(value):
                if isinstance(row, Section):
                    parts.blocks += self.blocks(row, where, value)
                else:
                    self._add(parts, row, where, value, behind.get(row.name, ""))
        return parts.closed()

    def _add(self, parts: _Parts, key: Key, where: str, value: t.Any, behind: str) -> None:
        if key.kind == "list":
            lines = self.lines(key, where, value)
            parts.blocks.append(Block(key.written, tuple(line + behind for line in lines)))
        elif key.kind in ("lines", "raw"):
            parts.settings += self.lines(key, where, value)
        elif key.kind == "map":
            parts.settings += self._map(key, where, value)
        elif not key.behind:
            line = self._setting(key, value, where)
            if line:
                parts.place(key).append(line + behind)

    def blocks(self, section: Section, path: str, value: t.Any) -> t.Iterator[Block]:
        """The blocks of a section in each of the shapes that its variable may have."""
        if section.shape == "single":
            yield self.block(section, path, value)
        elif section.shape == "list":
            if isinstance(value, t.Mapping) or not isinstance(value, t.Sequence) or isinstance(value, str):
                self._wrong(path, f"must be a list of dictionaries, not {_shown(value)}", _shown(value))
                return
            for index, entry in enumerate(value):
                yield self.block(section, f"{path}[{index}]", entry)
        elif not isinstance(value, t.Mapping):
            self._wrong(path, f"must be a dictionary by name, not {_shown(value)}", _shown(value))
        else:
            for name, entry in value.items():
                if not _NAME.fullmatch(str(name)):
                    why = f"the name {str(name)!r} must be made of letters, digits and _ . : - only"
                    self._wrong(path, why, repr(str(name)))
                yield self.block(section, f"{path}.{name}", entry, str(name))

    def lines(self, key: Key, path: str, value: t.Any) -> tuple[str, ...]:
        """The entries of a list, each of which is a whole line."""
        if isinstance(value, t.Mapping) or not isinstance(value, (str, t.Sequence)):
            self._wrong(path, f"must be a list, not {_shown(value, key)}", _shown(value, key))
            return ()
        lines = []
        for index, item in enumerate(_as_list(value)):
            where = f"{path}[{index}]"
            if key.item and isinstance(item, t.Mapping):
                self._check_names(key.item, where, item)
                item = " ".join(str(item[name]) for name in key.item if not _is_absent(item.get(name)))
            line = self._line(where, item, forbidden="" if key.kind == "raw" else "{}")
            if key.addresses and line and not _is_address(line.split()[0]):
                self._wrong(where, f"must begin with an address, such as 192.0.2.10/24, not {line!r}", repr(line))
            lines.append(line)
        return tuple(lines)

    def _check_keys(self, section: Section, path: str, entry: t.Mapping[str, t.Any]) -> None:
        known = [row.name for row in section.rows]
        if not section.partial:
            with_files = [f"{prefix}_{script.name}" for script in section.scripts for prefix in ("src", "dest")]
            self._check_names([*known, *section.also, *with_files], path, entry, section)
        given = [name for name in section.one_of if not _is_absent(entry.get(name))]
        if section.one_of and not given:
            others = "".join(f" (or {name})" for name in section.one_of[1:])
            self._wrong(f"{path}.{section.one_of[0]}", f"is missing{others}")
        elif len(given) > 1:
            self._wrong(f"{path}.{given[1]}", f"cannot stand beside {given[0]}; keep one of the two")

    def _check_names(
        self, known: t.Sequence[str], path: str, entry: t.Mapping[str, t.Any], section: Section | None = None
    ) -> None:
        for unknown in (key for key in entry if key not in known):
            hint = did_you_mean(str(unknown), known) or f"Known are {', '.join(known)}."
            where = _join(section, path, unknown) if section else f"{path}.{unknown}"
            self._wrong(where, "no such key", hint=hint)

    def _behind(self, section: Section, path: str, entry: t.Mapping[str, t.Any]) -> dict[str, str]:
        """What is written behind each line of other keys."""
        texts: dict[str, str] = {}
        for key in section.rows:
            if isinstance(key, Key) and key.behind and not _is_absent(entry.get(key.name)):
                text = self._setting(key, entry[key.name], f"{path}.{key.name}")
                for name in key.behind:
                    texts[name] = f"{texts.get(name, '')} {text}"
        return texts

    def _map(self, key: Key, where: str, value: t.Any) -> list[str]:
        if not isinstance(value, t.Mapping):
            self._wrong(where, f"must be a dictionary by number, not {_shown(value, key)}", _shown(value, key))
            return []
        settings = []
        for number, item in value.items():
            named = self._number(replace(key, kind="integer", secret=False), number, f"{where}: the number of an entry")
            text = self._line(f"{where}.{number}", item)
            if " " in text:
                self._wrong(f"{where}.{number}", f"must be one word, not {_shown(item, key)}", _shown(item, key))
            settings.append(f"{named} {text}")
        return settings

    def _setting(self, key: Key, value: t.Any, where: str) -> str:
        """The line of a single value; an empty string for a flag that is off."""
        if key.kind in ("integer", "number", "seconds"):
            return self._number(key, value, where)
        if key.kind in ("flag", "flag_or_word", "switch"):
            flag = _FLAGS.get(str(value).lower())
            if flag is not None and key.kind == "switch":
                return f"{key.written} {str(flag).lower()}"
            # A number of a flag_or_word is its value.
            if flag is not None and (key.kind == "flag" or str(value) not in ("0", "1")):
                return key.written if flag else ""
            if key.kind != "flag_or_word":
                self._wrong(where, f"must be true or false, not {_shown(value, key)}", _shown(value, key))
                return ""
        text = self._line(where, value)
        if not text:
            return ""
        self._check_text(key, text, where)
        if key.kind in ("text", "script"):
            text = f'"{text}"'
        return f"{key.written} {text}".strip()

    def _check_text(self, key: Key, text: str, where: str) -> None:
        shown = _shown(text, key)
        words = text.split()
        if key.choices and words[0] not in key.choices:
            self._wrong(where, f"must be {' or '.join(key.choices)}, not {shown}", shown)
        if key.kind == "word" and len(words) > 1:
            self._wrong(where, f"must be one word, not {shown}", shown)
        if key.kind in ("word", "words", "flag_or_word") and any(sign in text for sign in "#!"):
            self._wrong(where, f"must not hold # or !, which would begin a comment; it is {shown}", shown)
        if key.kind in ("text", "script") and '"' in text:
            self._wrong(where, "must not hold a double quote, which would end the value")
        if key.kind == "address" and not _is_address(text, alone=True):
            self._wrong(where, f"must be an address, such as 192.0.2.10 or 2001:db8::10, not {shown}", shown)
        if key.kind == "weight":
            found = _WEIGHT.fullmatch(text)
            if not found or not key.low <= int(found[1]) <= key.high:
                bounds = f"from {key.low:.10g} to {key.high:.10g}"
                self._wrong(where, f"must be a whole number {bounds}, perhaps with reverse, not {shown}", shown)
        if key.longest and len(text) > key.longest:
            why = f"keepalived takes the first {key.longest} characters only; it has {len(text)}: shorten it"
            self._wrong(where, why, shown)

    def _number(self, key: Key, value: t.Any, where: str) -> str:
        kind = {"integer": "a whole number", "number": "a number"}.get(key.kind, "a number of seconds")
        bounds = f"from {key.low:.10g} to {key.high:.10g}"
        try:
            number = float(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError):
            number = None
        if number is None or (key.kind == "integer" and number % 1) or not key.low <= number <= key.high:
            self._wrong(where, f"must be {kind} {bounds}, not {_shown(value, key)}", _shown(value, key))
            return ""
        return f"{key.written} {number:.10g}".strip()

    def _line(self, where: str, value: t.Any, forbidden: str = "{}") -> str:
        """The text of a value, which is empty when it cannot be one."""
        text = str(value).strip()
        if isinstance(value, (t.Mapping, list)):
            self._wrong(where, f"must be text, not {_shown(value)}", _shown(value))
        elif _CONTROL.search(text):
            self._wrong(where, "must not hold a line break or another control character")
        elif any(character in text for character in forbidden):
            self._wrong(where, "must not hold a brace, which would begin or end a block")
        else:
            return text
        return ""


def _join(section: Section, path: str, name: t.Any) -> str:
    """The keys of the file are variables."""
    return f"{path}_{name}" if section is FILE else f"{path}.{name}"


def _default(row: Key | Section, entry: t.Mapping[str, t.Any]) -> str:
    if isinstance(row, Section):
        return ""
    is_alone = all(_is_absent(entry.get(key)) for key in row.default_beside)
    return "" if row.default_beside and is_alone else row.default


def _is_absent(value: t.Any) -> bool:
    """An empty value is how a key is left out, which is needed to take it away by an override."""
    return value is None or (isinstance(value, (str, t.Sequence, t.Mapping)) and not value)


def _is_address(text: str, alone: bool = False) -> bool:
    try:
        return bool(ip_address(text) if alone else ip_interface(text))
    except ValueError:
        return False


def _as_list(value: t.Any) -> t.Sequence[t.Any]:
    if isinstance(value, str):
        return [value] if value else []
    return value if isinstance(value, t.Sequence) else []


def _shown(value: t.Any, key: Key | None = None) -> str:
    """A value for a message; a container may hold a password, wherever it was put."""
    if key and key.secret:
        return HIDDEN
    if isinstance(value, (t.Mapping, list, tuple)):
        return f"a {'dictionary' if isinstance(value, t.Mapping) else 'list'}"
    return repr(value)
