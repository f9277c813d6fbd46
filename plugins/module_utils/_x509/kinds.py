# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of value in certificate requests, besides the shared ones."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    Choice,
    JsonSchema,
    Kind,
    ListOf,
    Text,
    either,
    in_any_case,
    or_template,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place

LONGEST_LIFETIME = datetime.timedelta(days=36525)
_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.IGNORECASE)
_DURATION = re.compile(r"\+?(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SAN_HINTS = {
    "dns": ": letters, digits and hyphens between dots, IDNs as xn--…, a wildcard only as *.example.org",
    "ip": ": one address without brackets and prefix length",
    "uri": "",
}


def parse_duration(text: str) -> datetime.timedelta | None:
    """Return the duration of a text such as C(+3650d) or C(1w2d), None if it is invalid."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    try:
        return datetime.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None


@dataclasses.dataclass(frozen=True)
class FileName(Text):
    """A name of files in the authority's directory."""

    pattern: str = r"[A-Za-z0-9_*][A-Za-z0-9_.:@%+*-]*"
    what: str = "a file name"
    longest: int = 200
    #: suffixes of other certificates' chain files
    taken: t.ClassVar[tuple[str, ...]] = ("-chain", "-ca_bundle")

    def read(self, value: t.Any, place: Place) -> t.Any:
        name = super().read(value, place)
        if name is not INVALID and name.endswith(self.taken):
            place.wrong(value, "ends like the chain file of another certificate; choose another name")
            return INVALID
        return name

    def refuse(self, value: t.Any, text: str, place: Place) -> None:  # noqa: ARG002 - the same for every text
        place.wrong(value, "is not a valid file name; use letters, digits and any of _ . : @ % + * -")

    def json_schema(self) -> JsonSchema:
        return {**super().json_schema(), "not": {"pattern": rf"({'|'.join(self.taken)})\s*$"}}


@dataclasses.dataclass(frozen=True)
class Serial(Text):
    """A serial number (RFC 5280, 4.1.2.2): positive, and up to 20 octets."""

    pattern: str = r"(?=[0:]*[1-9a-fA-F])[0:]*([0-9a-fA-F]:?){1,40}"
    what: str = "a serial number in hexadecimal"

    def refuse(self, value: t.Any, text: str, place: Place) -> None:  # noqa: ARG002 - the same for every text
        place.wrong(value, "is not a serial number in hexadecimal, as openssl shows it")


@dataclasses.dataclass(frozen=True)
class Capitals(Text):
    """Text that is written in capitals."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = super().read(value, place)
        return text if text is INVALID else text.upper()


class KeyType(Choice):
    """A kind of key, in capitals or not."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        spelt = {kind.upper(): kind for kind in self.choices}
        return super().read(spelt.get(value.strip().upper(), value) if isinstance(value, str) else value, place)

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": rf"^\s*({'|'.join(map(in_any_case, self.choices))})\s*$"}


@dataclasses.dataclass(frozen=True)
class Lifetime(Kind):
    """A time such as C(365d), up to C(longest)."""

    what: str = "a lifetime"
    example: str = "365d"
    longest: datetime.timedelta | None = LONGEST_LIFETIME

    def read(self, value: t.Any, place: Place) -> t.Any:
        lifetime = parse_duration(str(value))
        if not lifetime:
            place.wrong(value, f"is not {self.what}; use a number and a unit (w, d, h, m, s), such as {self.example}")
        elif self.longest and lifetime > self.longest:
            place.wrong(value, f"is longer than {self.longest.days} days")
        else:
            return lifetime
        return INVALID

    def words(self) -> str:
        return f"{self.what}, such as `{self.example}`"

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^\s*\+?(?=\d)(?=.*[1-9])(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?\s*$"}


@dataclasses.dataclass(frozen=True)
class Listed(ListOf):
    """A list of words; mistakes name the word."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        items = tuple(dict.fromkeys(self.of.read(item, place) for item in listed(value)))
        return INVALID if INVALID in items else items

    def json_schema(self) -> JsonSchema:
        return {"type": ["array", "string"], "items": or_template(self.of.json_schema())}


@dataclasses.dataclass(frozen=True)
class PathLength(Kind):
    """The original's basic constraints, of which only the path length is a choice."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        length: t.Any = None
        for part in listed(value):
            name, _colon, number = (piece.strip() for piece in str(part).partition(":"))
            if (name.upper(), number.upper()) == ("CA", "TRUE") or not name:
                continue
            if name.lower() == "pathlen" and number.isdecimal():
                length = int(number)
            else:
                place.wrong(str(part), "is not a valid value; use CA:TRUE or pathlen:NUMBER")
                return INVALID
        return length

    def words(self) -> str:
        return "list of: `CA:TRUE`, `pathlen:NUMBER`"

    def json_schema(self) -> JsonSchema:
        return _list_or_text(
            rf"^\s*(({in_any_case('ca')}\s*:\s*{in_any_case('true')}|{in_any_case('pathlen')}\s*:\s*\d+)\s*)?$"
        )


@dataclasses.dataclass(frozen=True)
class Constraint(Kind):
    """Names such as C(DNS:example.org) and C(IP:192.0.2.0/24), as openssl and RFC 5280, 4.2.1.10, have them."""

    #: whether an empty list would allow everything
    restricts: bool = False

    def read(self, value: t.Any, place: Place) -> t.Any:
        if self.restricts and not listed(value):
            place.wrong(
                None, "is empty, which would let the authority sign for any name; remove the key, or list names"
            )
            return INVALID
        names: list[t.Any] = []
        for text in listed(value):
            of, colon, value_of = (part.strip() for part in str(text).partition(":"))
            name = _constraint(of.lower(), value_of) if colon else None
            if name is None:
                place.wrong(str(text), "is not a valid value; use DNS:DOMAIN or IP:NETWORK, such as IP:192.0.2.0/24")
            names.append(name and (of.lower(), name))
        return INVALID if None in names else frozenset(names)

    def words(self) -> str:
        return "list of: `DNS:DOMAIN`, `IP:NETWORK`"

    def json_schema(self) -> JsonSchema:
        schema = _list_or_text(
            rf"^\s*({in_any_case('dns')}\s*:\s*[A-Za-z0-9_]|{in_any_case('ip')}\s*:\s*[0-9a-fA-F:.]+)"
        )
        if self.restricts:
            schema["minItems"] = 1
        return schema


@dataclasses.dataclass(frozen=True)
class AlternativeNames(Kind):
    """A dict of lists, or the older C(DNS:a,IP:b)."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        pairs = self._pairs(value)
        if pairs is None:
            why = "is not a valid value; use a dictionary of lists (dns, ip, uri), or text such as DNS:a.example"
            place.wrong(value, why)
            return INVALID
        names = set()
        for kind, text in pairs:
            name = alternative_name(kind, text) if kind in _SAN_HINTS else None
            if kind not in _SAN_HINTS:
                place.wrong(kind, f"is not a valid value; use {either(tuple(_SAN_HINTS))}")
            elif name is None:
                place.wrong(text, f"is not valid as {kind}{_SAN_HINTS[kind]}")
            names.add(name and (kind, name))
        return INVALID if None in names else frozenset(names)

    @staticmethod
    def _pairs(value: t.Any) -> list[tuple[str, str]] | None:
        if isinstance(value, dict):
            return [(str(kind).lower(), str(text).strip()) for kind, texts in value.items() for text in listed(texts)]
        if not isinstance(value, (str, list)):
            return None
        pairs = []
        for text in (part.strip() for whole in listed(value) for part in str(whole).split(",")):
            kind, colon, name = text.partition(":")
            pairs += [(kind.lower() if colon else text, name.strip())] if text else []
        return pairs

    def words(self) -> str:
        return "dictionary of lists `dns`, `ip` and `uri`, or text such as `DNS:a.example,IP:192.0.2.1`"

    def json_schema(self) -> JsonSchema:
        patterns = {
            "dns": rf"^\s*(?=[^ ]*[^0-9. ]){_DNS_NAME.pattern}\.*\s*$".replace("a-z", "A-Za-z"),
            "ip": r"^\s*[0-9a-fA-F:.]+\s*$",
            "uri": rf"^\s*{_URI.pattern}\s*$".replace("a-z", "A-Za-z"),
        }
        names = {kind: or_template({"type": "string", "pattern": pattern}) for kind, pattern in patterns.items()}
        lists = {
            kind: {"anyOf": [{"type": "array", "items": name}, {"type": ["string", "null"]}]}
            for kind, name in names.items()
        }
        kinds = "|".join(map(in_any_case, _SAN_HINTS))
        text = {"type": "string", "pattern": rf"^\s*(,?\s*(({kinds})\s*:[^,]*)?)*$|\{{[{{%]"}
        named = {"type": "object", "properties": lists, "additionalProperties": False}
        return {"anyOf": [named, text, {"type": "array", "items": text}]}


def listed(value: t.Any) -> list[t.Any]:
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _list_or_text(pattern: str) -> JsonSchema:
    """A list of texts; one text may hold several, with commas between them."""
    return {"type": ["array", "string"], "items": or_template({"type": "string", "pattern": pattern})}


def alternative_name(kind: str, value: str) -> str | None:
    """Return the normal form of an alternative name, None if it is invalid."""
    if kind == "ip":
        try:
            return None if "%" in value else str(ipaddress.ip_address(value))
        except ValueError:
            return None
    if kind == "dns":
        name = value.lower().rstrip(".")
        looks_like_address = re.fullmatch(r"[0-9.]+", name)
        return name if _DNS_NAME.fullmatch(name) and len(name) <= 253 and not looks_like_address else None
    return value if _URI.fullmatch(value) else None


def _constraint(kind: str, value: str) -> str | None:
    """Return the normal form of a name constraint, None if it is invalid."""
    if kind == "ip":
        try:
            return str(ipaddress.ip_network(value))
        except ValueError:
            return None
    name = alternative_name(kind, value) if kind == "dns" else None
    return name if name and not name.startswith("*") else None
