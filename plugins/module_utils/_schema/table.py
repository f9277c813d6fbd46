# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of keys: a row describes a key completely, and a table the keys of a dictionary."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    NOTHING,
    TEMPLATE,
    DictOf,
    JsonSchema,
    Kind,
    ListOf,
    is_set,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import nearest

MOST_OWNERS_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Key:
    """A row of a table: everything about one key of a dictionary."""

    name: str
    kind: Kind
    meaning: str
    default: t.Any = None
    #: the role variable whose value is the default
    follows: str = ""
    aliases: tuple[str, ...] = ()
    #: first version of the program that supports it, if older ones are still in use
    since: str = ""
    required: bool = False
    secret: bool = False
    #: it restricts access or placement, so '' must not mean "everybody"
    restricts: bool = False


@dataclasses.dataclass(frozen=True)
class Record(Kind):
    """A dictionary with known keys."""

    keys: tuple[Key, ...]
    what: str
    #: names from other tools or older versions, and the hints for their users
    gone: tuple[tuple[str, str], ...] = ()
    #: the key that a bare string stands for; empty if only a dictionary is valid
    short_for: str = ""
    #: keys of which exactly one is required
    one_of: tuple[str, ...] = ()
    #: the prefix of all keys in the user's data
    prefix: str = ""
    #: the values that mean "not set"
    nothing: t.ClassVar[JsonSchema] = NOTHING

    def read(self, value: t.Any, place: Place) -> t.Any:
        if self.short_for and not isinstance(value, dict):
            key = next(key for key in self.keys if key.name == self.short_for)
            read = key.kind.read(value, place)
            return INVALID if read is INVALID else self.made({key.name: read})
        if not isinstance(value, dict):
            self.refuse(value, place)
            return INVALID
        result, is_valid = self.read_keys(value, place)
        return self.made(result) if is_valid else INVALID

    def made(self, values: t.Mapping[str, t.Any]) -> t.Any:
        """What a dictionary becomes whose keys have been read."""
        return values

    def read_keys(self, value: t.Mapping[str, t.Any], place: Place) -> tuple[dict[str, t.Any], bool]:
        """The valid keys, and whether all are valid."""
        by_name = {name: key for key in self.keys for name in (key.name, *key.aliases)}
        result: dict[str, t.Any] = {}
        given_as: dict[str, str] = {}
        is_valid = True
        for name, item in value.items():
            key = by_name.get(name)
            if key is None:
                self.refuse_key(str(name), self.place_of(name, place))
                is_valid = False
                continue
            here = self.place_of(name, place)
            if here.secret != key.secret:
                here = dataclasses.replace(here, secret=key.secret)
            if key.restricts and not self.is_given(item):
                none = "Write [] for none" if isinstance(key.kind, ListOf) else "Set it"
                here.wrong(item, "is empty, which could mean none or all", f"{none}, or remove the key.")
                is_valid = False
            elif not self.is_given(item):
                continue
            elif key.name in result:
                other = given_as[key.name]
                why = f"is given twice: {other}, another name of the same key, is {here.shown(value[other])}"
                here.wrong(item, why, f"Keep {key.name} only.")
                is_valid = False
            else:
                result[key.name] = key.kind.read(item, here)
                given_as[key.name] = name
        for key in self.keys:
            if key.required and key.name not in result:
                self.refuse_missing(key, self.place_of(key.name, place))
                is_valid = False
        is_valid = self.has_one(result, place) and is_valid
        right = {name: item for name, item in result.items() if item is not INVALID}
        return right, is_valid and len(right) == len(result)

    def place_of(self, name: str, place: Place) -> Place:
        return place.key(f"{self.prefix}{name}")

    def is_given(self, item: t.Any) -> bool:
        """Whether a key with this value is set."""
        return is_set(item)

    def has_one(self, given: t.Collection[str], place: Place) -> bool:
        """Whether exactly one of the alternative keys is set."""
        found = [name for name in self.one_of if name in given]
        if self.one_of and not found:
            others = "".join(f" (or {name})" for name in self.one_of[1:])
            self.place_of(self.one_of[0], place).wrong(None, f"is missing{others}")
        elif len(found) > 1:
            why = f"cannot be combined with {found[0]}; keep one of the two"
            self.place_of(found[1], place).wrong(None, why)
        return len(found) == bool(self.one_of)

    def refuse(self, value: t.Any, place: Place) -> None:
        place.wrong(value, f"is not {self.what}", "Write a dictionary.")

    def refuse_key(self, name: str, place: Place) -> None:
        place.wrong(None, f"is not a key of {self.what}", self.hint_for(name, place))

    def hint_for(self, name: str, place: Place) -> str:
        """The hint for an unknown key; empty if there is none."""
        return dict(self.gone).get(name) or place.problems.homes.get(name) or self.nearest(name)

    def nearest(self, name: str) -> str:
        """A hint with the key whose name or alias is similar; empty if there is none."""
        known = {alias: key.name for key in self.keys for alias in (key.name, *key.aliases)}
        near = nearest(name, known)
        return f"Did you mean {known[near]}?" if near else ""

    def refuse_missing(self, key: Key, place: Place) -> None:
        place.wrong(None, "is missing", f"Add it; its value is: {key.kind.words()}.")

    def words(self) -> str:
        text = f"{self.what} {{{', '.join(key.name for key in self.keys)}}}"
        return f"{text} or just its {self.short_for}" if self.short_for else text

    def json_schema(self) -> JsonSchema:
        properties = {}
        for key in self.keys:
            value = key.kind.json_schema()
            if value and not record_of(key.kind):
                value = {"title": key.kind.words(), **value}
            described: JsonSchema = {"anyOf": [value, TEMPLATE, self.nothing], "description": key.meaning}
            # An aliased key may stand under its other name.
            if (key.required and not key.aliases) or key.restricts:
                described.update({"anyOf": [value, TEMPLATE], "not": self.nothing})
            if key.default is not None:
                described["default"] = key.default
            properties[f"{self.prefix}{key.name}"] = described
            for alias in key.aliases:
                properties[alias] = {**described, "description": f"Other name of {key.name}. {key.meaning}"}
        schema: JsonSchema = {
            "title": self.what,
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
        if required := [f"{self.prefix}{key.name}" for key in self.keys if key.required and not key.aliases]:
            schema["required"] = required
        if self.one_of:
            schema["oneOf"] = [self._given(name) for name in self.one_of]
        if rules := list(self._rules_of_aliases()):
            schema["allOf"] = rules
        if not self.short_for:
            return schema
        short = next(key.kind.json_schema() for key in self.keys if key.name == self.short_for)
        return {"anyOf": [schema, short]}

    def _rules_of_aliases(self) -> t.Iterator[JsonSchema]:
        for key in self.keys:
            yield from ({"not": self._given(key.name, alias)} for alias in key.aliases)
            if key.required and key.aliases:
                yield {"anyOf": [self._given(name) for name in (key.name, *key.aliases)]}

    def _given(self, *names: str) -> JsonSchema:
        return {"required": list(names), "properties": {name: {"not": self.nothing} for name in names}}


def record_of(kind: Kind) -> Record | None:
    """The table of values of this kind, or of their items."""
    if isinstance(kind, (ListOf, DictOf)):
        return record_of(kind.of)
    return kind if isinstance(kind, Record) else None


def entries(record: Record, value: t.Any, path: str = "") -> t.Iterator[tuple[str, Record, t.Mapping[str, t.Any]]]:
    """Every dictionary in a value as the user wrote it: path, table and keys. Values of other types are skipped."""
    if not isinstance(value, t.Mapping):
        return
    yield path, record, value
    for key in record.keys:
        inner, held = record_of(key.kind), value.get(key.name)
        where = f"{path}.{key.name}" if path else f"{record.prefix}{key.name}"
        if not inner or not held:
            continue
        if isinstance(key.kind, ListOf) and isinstance(held, t.Sequence):
            for index, item in enumerate(held):
                yield from entries(inner, item, f"{where}[{index}]")
        elif isinstance(key.kind, DictOf) and isinstance(held, t.Mapping):
            for name, item in held.items():
                yield from entries(inner, item, f"{where}.{name}")
        elif isinstance(key.kind, Record):
            yield from entries(inner, held, where)


def homes(tables: t.Mapping[str, Record]) -> dict[str, str]:
    """Hints for misplaced keys: the table of each name. The tables are given by their names."""
    owners: dict[str, dict[str, None]] = {}

    def collect(record: Record, owner: str) -> None:
        for key in record.keys:
            for name in (key.name, *key.aliases):
                owners.setdefault(name, {})[owner] = None
            if inner := record_of(key.kind):
                collect(inner, f"{record.prefix}{key.name}")

    for name, table in tables.items():
        collect(table, name)
    return {name: f"It belongs to {_few(list(found))}; write it there." for name, found in owners.items()}


def _few(names: t.Sequence[str]) -> str:
    shown = list(names if len(names) <= MOST_OWNERS_SHOWN else names[: MOST_OWNERS_SHOWN - 1])
    if len(shown) < len(names):
        shown.append(f"{len(names) - len(shown)} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
