# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of value that keys of all tables share.

Each kind reads the user's value, records its mistakes at its place and returns one normal form; each kind also
describes itself, in words and as JSON Schema (draft 2020-12).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

JsonSchema = dict[str, t.Any]

# The result of an invalid value; its mistake is already recorded.
INVALID: t.Any = object()

# Editors see values before Jinja runs, so a template is valid wherever a value is.
TEMPLATE: JsonSchema = {"title": "a template", "type": "string", "pattern": r"\{[{%]"}

# An empty key is not set.
NOTHING: JsonSchema = {"title": "nothing", "type": ["null", "string"], "pattern": r"^\s*$"}


class Kind:
    """A kind of value."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        """The value in its normal form, or INVALID with the mistake recorded at its place."""
        raise NotImplementedError

    def words(self) -> str:
        """The name of this kind in the documentation."""
        raise NotImplementedError

    def json_schema(self) -> JsonSchema:
        raise NotImplementedError


def or_template(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, TEMPLATE]}


def in_any_case(word: str) -> str:
    """A pattern of a word in upper or lower case; JSON Schema uses ECMA-262, which has no flag for it."""
    return "".join(f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter for letter in word)


def is_set(value: t.Any) -> bool:
    """Whether a key is set: None and '' mean that it is not, whatever its kind."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def either(words: t.Sequence[str]) -> str:
    """All valid words, for a sentence."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def one_of(words: t.Sequence[str]) -> str:
    """A hint that lists all valid words."""
    return f"Use {either(words)}."


class Form(t.NamedTuple):
    """A form of value that is valid elsewhere, but not here."""

    pattern: str
    why: str
    hint: str


def unsupported(value: t.Any, forms: t.Iterable[Form]) -> tuple[str, str] | None:
    """Why a value of such a form cannot be used, and what to write instead."""
    text = value.strip() if isinstance(value, str) else ""
    return next(((form.why, form.hint) for form in forms if re.fullmatch(form.pattern, text)), None)


def one_line(value: t.Any, place: Place) -> t.Any:
    """The value as text if it is a scalar on one line."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        place.wrong(value, "is not text", "Write a single line of text.")
        return INVALID
    text = str(value)
    if CONTROL.search(text):
        place.wrong(value, "contains a newline or control character", "Write a single line without control characters.")
        return INVALID
    return text


@dataclasses.dataclass(frozen=True)
class Text(Kind):
    """One line of text, checked as a whole by a pattern."""

    pattern: str = r".+"
    what: str = "text"
    hint: str = "Write a single line of text."
    #: reserved words and their meanings
    reserved: tuple[tuple[str, str], ...] = ()
    #: maximum number of characters; 0 means no limit
    longest: int = 0

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = one_line(value, place)
        if text is INVALID:
            return INVALID
        text = text.strip()
        if meaning := dict(self.reserved).get(text):
            place.wrong(value, f"is not {self.what}, but a reserved word: {meaning}", "Choose another name.")
            return INVALID
        if self.longest and len(text) > self.longest:
            place.wrong(value, f"is {len(text)} characters long, {self.longest} are allowed")
            return INVALID
        if not re.fullmatch(self.pattern, text):
            self.refuse(value, text, place)
            return INVALID
        return text

    def refuse(self, value: t.Any, text: str, place: Place) -> None:
        place.wrong(value, f"is not {self.what}" if text else "is empty", self.hint)

    def words(self) -> str:
        return f"{self.what}, up to {self.longest} characters" if self.longest else self.what

    def json_schema(self) -> JsonSchema:
        # Numbers count as text if digits do.
        types = ["string", "number"] if re.fullmatch(self.pattern, "10") else "string"
        others = "".join(rf"(?!\s*{re.escape(word)}\s*$)" for word, _meaning in self.reserved)
        others += r"(?![\s\S]*[\x00-\x1f\x7f])"
        if self.longest:
            others += rf"(?=\s*.{{0,{self.longest}}}\s*$)"
        return {"type": types, "pattern": rf"^{others}\s*({self.pattern})\s*$|\{{[{{%]"}


@dataclasses.dataclass(frozen=True)
class Integer(Kind):
    """A whole number within bounds; digits in a string count, since templates make strings."""

    minimum: int
    maximum: int
    what: str = "a whole number"
    unsupported: tuple[Form, ...] = ()

    def read(self, value: t.Any, place: Place) -> t.Any:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number and not (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}", value.strip())):
            why, hint = unsupported(value, self.unsupported) or (
                f"is not {self.what}",
                f"Use a number from {self.minimum} to {self.maximum}.",
            )
            place.wrong(value, why, hint)
            return INVALID
        number = int(value)
        if not self.minimum <= number <= self.maximum:
            place.wrong(value, f"is out of range for {self.what}", f"Use {self.minimum} to {self.maximum}.")
            return INVALID
        return number

    def words(self) -> str:
        return f"{self.what}, {self.minimum}–{self.maximum}"

    def json_schema(self) -> JsonSchema:
        number = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return or_template({"anyOf": [number, {"type": "string", "pattern": r"^\s*-?[0-9]{1,15}\s*$"}]})


@dataclasses.dataclass(frozen=True)
class Boolean(Kind):
    """Yes or no, in YAML's spellings too when they arrive as strings."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        if isinstance(value, bool):
            return value
        known = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        text = str(value).strip().lower() if isinstance(value, (str, int)) else ""
        if text not in known:
            place.wrong(value, "is not a valid value; use true or false")
            return INVALID
        return known[text]

    def words(self) -> str:
        return "true or false"

    def json_schema(self) -> JsonSchema:
        words = {
            "type": "string",
            "pattern": r"^\s*([Tt]rue|TRUE|[Yy]es|YES|[Oo]n|ON|1|[Ff]alse|FALSE|[Nn]o|NO|[Oo]ff|OFF|0)\s*$",
        }
        return or_template({"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, words]})


@dataclasses.dataclass(frozen=True)
class Choice(Kind):
    """One of a few words; ``synonyms`` are old words and what they mean today."""

    choices: tuple[str, ...]
    synonyms: tuple[tuple[str, str], ...] = ()
    #: former choices, and the hints for their users
    gone: tuple[tuple[str, str], ...] = ()

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = dict(self.synonyms).get(str(value), str(value)) if isinstance(value, (str, int)) else ""
        if text not in self.choices:
            hint = dict(self.gone).get(text) or did_you_mean(text, self.choices)
            place.wrong(value, f"is not a valid value; use {either(self.choices)}", hint)
            return INVALID
        return text

    def words(self) -> str:
        return ", ".join(f"`{choice}`" for choice in self.choices)

    def json_schema(self) -> JsonSchema:
        numbers = [int(choice) for choice in self.choices if choice.isdigit()]
        return or_template({"enum": [*self.choices, *numbers, *(old for old, new in self.synonyms)]})


@dataclasses.dataclass(frozen=True)
class ListOf(Kind):
    """A list; one bare value counts as a list of one, since templates like groups['x'][0] make those."""

    of: Kind

    def read(self, value: t.Any, place: Place) -> t.Any:
        if isinstance(value, (str, dict)):
            items = [self.of.read(value, place)]
        elif isinstance(value, (list, tuple)):
            items = [self.of.read(item, place.item(index)) for index, item in enumerate(value)]
        else:
            place.wrong(value, "is not a list", f"Write a list; each item is: {self.of.words()}.")
            return INVALID
        return INVALID if any(item is INVALID for item in items) else items

    def words(self) -> str:
        return f"list of: {self.of.words()}"

    def json_schema(self) -> JsonSchema:
        item = or_template(self.of.json_schema())
        return {"anyOf": [{"type": "array", "items": item}, {"type": ["string", "object"], **item}]}


@dataclasses.dataclass(frozen=True)
class DictOf(Kind):
    """Named things of one kind."""

    of: Kind
    names: Text = Text()

    def read(self, value: t.Any, place: Place) -> t.Any:
        if not isinstance(value, dict):
            place.wrong(value, "is not a dictionary", f"Write a dictionary of names; each value is: {self.of.words()}.")
            return INVALID
        result = {}
        for name, item in value.items():
            if not is_set(item):
                continue
            read_name = self.names.read(name, place.key(str(name)))
            result[read_name] = self.of.read(item, place.key(str(name)))
        return INVALID if any(INVALID in pair for pair in result.items()) else result

    def words(self) -> str:
        return f"dictionary of names; each value is: {self.of.words()}"

    def json_schema(self) -> JsonSchema:
        value = {"anyOf": [self.of.json_schema(), TEMPLATE, NOTHING]}
        names = self.names.json_schema()
        return or_template({"type": "object", "additionalProperties": value, "propertyNames": names})


class Anything(Kind):
    """A value that another reader checks."""

    def read(self, value: t.Any, place: Place) -> t.Any:  # noqa: ARG002 - the interface of all kinds
        return value

    def words(self) -> str:
        return "anything"

    def json_schema(self) -> JsonSchema:
        return {}
