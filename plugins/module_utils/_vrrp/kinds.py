# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of value that keepalived.conf has, and how each is written."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from ipaddress import ip_address, ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema import place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    TEMPLATE,
    Anything,
    Boolean,
    JsonSchema,
    Kind,
    either,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL

MOST = 2**31 - 1
_WEIGHT = re.compile(r"(-?\d+)( reverse)?")
# Any type that str() turns into a line; a pattern applies only to text.
_SCALAR = ["string", "number", "boolean"]


class Place(place.Place):
    """A spot in the ``keepalived_*`` variables."""

    def shown(self, value: t.Any) -> str:
        """The value for a message; a container may hold a password under any key."""
        if value is None:
            return ""
        if isinstance(value, (dict, list, tuple)):
            return f"a {'dictionary' if isinstance(value, dict) else 'list'}"
        return place.HIDDEN if self.secret else repr(value)


def read_line(value: t.Any, place: place.Place, forbidden: str = "{}") -> t.Any:
    """The text of a value, on one line."""
    text = str(value).strip()
    if isinstance(value, (dict, list, tuple)):
        place.wrong(value, "is not a valid value; use text")
    elif CONTROL.search(text):
        place.wrong(None, "contains a line break or another control character")
    elif any(character in text for character in forbidden):
        place.wrong(None, "contains a brace, which would begin or end a block")
    else:
        return text
    return INVALID


def line_schema(forbidden: str) -> JsonSchema:
    """One line of text without some characters, blanks around it aside."""
    return {"type": _SCALAR, "pattern": rf"^\s*[^\x00-\x1f\x7f{forbidden}]*\s*$"}


class Setting(Kind):
    """A value on one line, after its keyword."""

    def written(self, value: t.Any) -> str | None:
        """The text after the keyword, perhaps empty; None if no line is written."""
        return str(value)

    def line(self, keyword: str, value: t.Any) -> str:
        """The line with the keyword, empty if there is none."""
        text = self.written(value)
        return "" if text is None else f"{keyword} {text}".strip()


@dataclasses.dataclass(frozen=True)
class Number(Setting):
    """A number within bounds."""

    low: float = 0
    high: float = MOST
    what: str = "a whole number"
    is_whole: bool = True

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        try:
            number = float(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError):
            number = None
        if number is None or not self.low <= number <= self.high or (self.is_whole and number % 1):
            place.wrong(value, f"is not a valid value; use {self.what} {self._bounds}")
            return INVALID
        return number

    def written(self, value: t.Any) -> str:
        return f"{value:.10g}"

    @property
    def _bounds(self) -> str:
        return f"from {self.low:.10g} to {self.high:.10g}"

    def words(self) -> str:
        most = "" if self.high == MOST else f"{self.high:.10g}"
        return f"{self.what}, {self.low:.10g}–{most}" if most else f"{self.what}, from {self.low:.10g}"

    def json_schema(self) -> JsonSchema:
        number = {"type": "integer" if self.is_whole else "number", "minimum": self.low, "maximum": self.high}
        text = {"type": "string", "pattern": r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"}
        return {"anyOf": [number, text]}


def seconds(low: float = 0, high: float = MOST) -> Number:
    return Number(low, high, "a number of seconds", is_whole=False)


def number(low: float = 0, high: float = MOST) -> Number:
    """A number that may have a fraction."""
    return Number(low, high, "a number", is_whole=False)


@dataclasses.dataclass(frozen=True)
class Weight(Setting):
    """A whole number that ``reverse`` may follow."""

    low: int
    high: int = MOST

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        text = read_line(value, place)
        if text is INVALID:
            return INVALID
        found = _WEIGHT.fullmatch(text)
        if not found or not self.low <= int(found[1]) <= self.high:
            bounds = f"from {self.low} to {self.high}"
            place.wrong(text, f"is not a valid value; use a whole number {bounds}, with or without reverse")
            return INVALID
        return text

    def words(self) -> str:
        bounds = f"from {self.low}" if self.high == MOST else f"{self.low}–{self.high}"
        return f"a whole number, {bounds}, with or without `reverse`"

    def json_schema(self) -> JsonSchema:
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": r"^\s*-?\d+( reverse)?\s*$"}]}


@dataclasses.dataclass(frozen=True)
class Address(Setting):
    """An IPv4 or IPv6 address."""

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        text = read_line(value, place)
        if text is INVALID:
            return INVALID
        try:
            ip_address(text)
        except ValueError:
            place.wrong(text, "is not an IP address; use one such as 192.0.2.10 or 2001:db8::10")
            return INVALID
        return text

    def words(self) -> str:
        return "IPv4 or IPv6 address"

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^\s*[0-9a-fA-F:.]+(%\S+)?\s*$"}


@dataclasses.dataclass(frozen=True)
class Words(Setting):
    """Words without quotes; ``choices`` are the valid first words."""

    choices: tuple[str, ...] = ()
    is_single: bool = False

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        text = read_line(value, place)
        if text is INVALID:
            return INVALID
        words = text.split()
        is_right = True
        if self.choices and words[:1] != [choice for choice in self.choices if choice in words[:1]]:
            place.wrong(text, f"is not a valid value; use {either(self.choices)}")
            is_right = False
        if self.is_single and len(words) > 1:
            place.wrong(text, "is not a single word")
            is_right = False
        if any(sign in text for sign in "#!"):
            place.wrong(text, "contains # or !, which would begin a comment")
            is_right = False
        return text if is_right else INVALID

    def words(self) -> str:
        if self.choices:
            return ", ".join(f"`{choice}`" for choice in self.choices) + (
                "" if self.is_single else ", and what follows"
            )
        return "a word" if self.is_single else "words"

    def json_schema(self) -> JsonSchema:
        if self.choices:
            choices = "|".join(map(re.escape, self.choices))
            numbers = [float(choice) for choice in self.choices if re.fullmatch(r"\d+\.\d+", choice)]
            end = "" if self.is_single else r"(\s[^\x00-\x1f\x7f{}#!]*)?"
            return {"anyOf": [{"type": "string", "pattern": rf"^\s*({choices}){end}\s*$"}, {"enum": numbers}]}
        return {"type": _SCALAR, "pattern": r"^\s*[^\s{}#!]+\s*$"} if self.is_single else line_schema("{}#!")


def word(*choices: str) -> Words:
    return Words(choices, is_single=True)


@dataclasses.dataclass(frozen=True)
class Quoted(Setting):
    """Text that is written in quotes; ``longest`` is how many characters of it keepalived uses, 0 without a limit."""

    longest: int = 0
    what: str = "text"

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        text = read_line(value, place)
        if text is INVALID:
            return INVALID
        if '"' in text:
            place.wrong(None, "contains a double quote, which would end the value")
            return INVALID
        if self.longest and len(text) > self.longest:
            why = f"has {len(text)} characters; keepalived uses only the first {self.longest}: shorten it"
            place.wrong(text, why)
            return INVALID
        return text

    def written(self, value: t.Any) -> str:
        return f'"{value}"'

    def words(self) -> str:
        return f"{self.what}, up to {self.longest} characters" if self.longest else self.what

    def json_schema(self) -> JsonSchema:
        if self.longest:
            return {"type": _SCALAR, "pattern": rf'^\s*[^\x00-\x1f\x7f{{}}"]{{0,{self.longest}}}\s*$'}
        return line_schema('{}"')


class Flag(Boolean, Setting):
    """A keyword that stands alone, or not at all."""

    def refuse(self, value: t.Any, place: place.Place) -> None:
        place.wrong(value, "is not a valid value; use true or false")

    def written(self, value: t.Any) -> str | None:
        return "" if value else None


class Switch(Flag):
    """A keyword with ``true`` or ``false`` behind it."""

    def written(self, value: t.Any) -> str:
        return str(value).lower()


class FlagOrWords(Words):
    """A keyword that stands alone, with words, or not at all. A number is a word."""

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        text = str(value).strip().lower()
        if text in ("true", "yes", "on", "false", "no", "off"):
            return text in ("true", "yes", "on")
        return super().read(value, place)

    def written(self, value: t.Any) -> str | None:
        if isinstance(value, bool):
            return "" if value else None
        return str(value)

    def words(self) -> str:
        return f"true, false or {super().words()}"


class Unwritten(Anything):
    """A value for the role, not for keepalived."""

    def words(self) -> str:
        return "text"


class FileOfScript(Unwritten):
    """A key about the file of a script."""


@dataclasses.dataclass(frozen=True)
class Lines(Kind):
    """Whole lines: a block with one entry a line, or, without a block, lines among others; ``raw`` ones as they are."""

    #: every entry begins with an address
    addresses: bool = False
    #: the keys of a line that is given as a dictionary, in the order in which their values are written
    item: Record | None = None
    has_block: bool = True
    is_raw: bool = False

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        if not isinstance(value, (str, list, tuple)):
            place.wrong(value, "is not a valid value; use a list")
            return INVALID
        items = [value] if isinstance(value, str) else value
        lines = tuple(self._line(item, place.item(index)) for index, item in enumerate(items))
        return INVALID if INVALID in lines else lines

    def _line(self, item: t.Any, place: place.Place) -> t.Any:
        if self.item and isinstance(item, dict):
            item = self.item.read(item, place)
            return (
                item if item is INVALID else " ".join(str(item[key.name]) for key in self.item.keys if key.name in item)
            )
        line = read_line(item, place, forbidden="" if self.is_raw else "{}")
        if self.addresses and line is not INVALID and line and not _begins_with_address(line):
            place.wrong(line, "does not begin with an address such as 192.0.2.10/24")
            return INVALID
        return line

    def words(self) -> str:
        if self.is_raw:
            return "lines as they are"
        entry = "an address and what belongs to it" if self.addresses else "one line each"
        return f"list of: {self.item.words()}, or {entry}" if self.item else f"list of: {entry}"

    def json_schema(self) -> JsonSchema:
        line = line_schema("" if self.is_raw else "{}")
        if self.addresses:
            line = {"type": "string", "pattern": r"^\s*([0-9a-fA-F:.]+(%\S+)?(/\S+)?(\s[^\x00-\x1f\x7f{}]*)?)?\s*$"}
        one = {"anyOf": [line, TEMPLATE, *([self.item.json_schema()] if self.item else [])]}
        return {"anyOf": [{"type": "array", "items": one}, {**line, "type": "string"}, TEMPLATE]}


def _begins_with_address(line: str) -> bool:
    try:
        ip_interface(line.split()[0])
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Numbered(Kind):
    """A line for each entry of a dictionary keyed by number: the number, and one word."""

    numbers: Number

    def read(self, value: t.Any, place: place.Place) -> t.Any:
        if not isinstance(value, dict):
            place.wrong(value, "is not a valid value; use a dictionary keyed by number")
            return INVALID
        result = {}
        for name, item in value.items():
            here = place.key(str(name))
            given = self.numbers.read(name, dataclasses.replace(here, secret=False))
            text = read_line(item, here)
            if text is not INVALID and " " in text:
                here.wrong(item, "is not a single word")
                text = INVALID
            result[given] = text
        return INVALID if any(INVALID in pair for pair in result.items()) else result

    def written(self, value: t.Mapping[float, str]) -> t.Iterator[str]:
        """The text after the keyword, line by line."""
        yield from (f"{self.numbers.written(number)} {text}" for number, text in value.items())

    def words(self) -> str:
        return f"dictionary keyed by number ({self.numbers.low:.10g}–{self.numbers.high:.10g}); each value is: a word"

    def json_schema(self) -> JsonSchema:
        return {
            "type": "object",
            "additionalProperties": word().json_schema(),
            "propertyNames": {"pattern": r"^[1-9]\d*$"},
        }


FLAG = Flag()
SWITCH = Switch()
FLAG_OR_WORDS = FlagOrWords()
WORD = word()
WORDS = Words()
TEXT = Quoted()
SCRIPT = Quoted(what="a command")
COUNT = Number()
AT_LEAST_ONE = Number(1)
ADDRESS = Address()
BLOCK = Lines()
ADDRESSES = Lines(addresses=True)
