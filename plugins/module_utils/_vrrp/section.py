# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows and tables of keepalived.conf, and their output as lines and blocks."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    DictOf,
    JsonSchema,
    ListOf,
    or_template,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.kinds import SCRIPT, FileOfScript, Lines

_NAME = r"[A-Za-z0-9_.:-]+"


@dataclasses.dataclass(frozen=True)
class Row(Key):
    """A key of a section, and its output.

    ``default`` is written if the key is not set, in the normal form of its kind.
    """

    #: keepalived's keyword, if it differs
    keyword: str = ""
    #: the default is written only with one of these keys
    default_beside: tuple[str, ...] = ()
    #: the block that a single setting is written into
    block: str = ""
    #: written into the title of the block
    title: bool = False
    #: the keys whose lines end with this value
    behind: tuple[str, ...] = ()
    #: the keepalived that introduced parts of a second
    fractions_since: str = ""

    @property
    def written(self) -> str:
        return self.keyword or ("" if self.title or self.behind else self.name)


@dataclasses.dataclass(frozen=True)
class Section(Record):
    """The keys of a block."""

    keys: tuple[Row, ...]
    #: blocks that one dictionary is written into, one after the other; without any it is the one of its row
    blocks: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    nothing: t.ClassVar[JsonSchema] = {"title": "nothing", "enum": [None, "", [], {}]}

    @property
    def scripts(self) -> tuple[Row, ...]:
        """The commands, each with an optional file: ``src_KEY``, and its destination ``dest_KEY``."""
        return tuple(row for row in self.keys if row.kind == SCRIPT)

    def is_given(self, item: t.Any) -> bool:
        """Whether a key is set. Any empty value means that it is not, so that an override can remove it."""
        return item is not None and not (isinstance(item, (str, list, tuple, dict)) and not item)

    def refuse(self, value: t.Any, place: Place) -> None:
        place.wrong(value, "is not a valid value; use a dictionary")

    def refuse_key(self, name: str, place: Place) -> None:
        known = ", ".join(key.name for key in self.keys)
        place.wrong(None, "unknown key", self.hint_for(name, place) or f"Known keys: {known}.")

    def refuse_missing(self, key: Key, place: Place) -> None:  # noqa: ARG002 - the path has its name
        place.wrong(None, "is missing")


def section(what: str, *rows: Row, **more: t.Any) -> Section:
    """A section with the keys of every section: files of its scripts, and raw lines at its end."""
    files = [
        Row(f"{prefix}_{row.name}", FileOfScript(), f"{meaning} `{row.name}`.")
        for row in rows
        if row.kind == SCRIPT
        for prefix, meaning in (
            ("src", "File of the controller that is installed for"),
            ("dest", "Path on the node of the file for"),
        )
    ]
    return Section((*rows, *files, RAW), what, **more)


@dataclasses.dataclass(frozen=True)
class Named(DictOf):
    """Blocks by name."""

    of: Section

    def read(self, value: t.Any, place: Place) -> t.Any:
        if not isinstance(value, dict):
            place.wrong(value, "is not a valid value; use a dictionary keyed by name")
            return INVALID
        result = {}
        for name, entry in value.items():
            here = place.key(str(name))
            is_right = bool(re.fullmatch(_NAME, str(name)))
            if not is_right:
                place.wrong(str(name), "is not a valid name; use letters, digits and _ . : -")
            result[str(name)] = self.of.read(entry, here) if is_right else INVALID
        return INVALID if INVALID in result.values() else result

    def json_schema(self) -> JsonSchema:
        entry = or_template(self.of.json_schema())
        return {"type": "object", "additionalProperties": entry, "propertyNames": {"pattern": rf"^({_NAME})$"}}


@dataclasses.dataclass(frozen=True)
class Many(ListOf):
    """Blocks in a list."""

    of: Section

    def read(self, value: t.Any, place: Place) -> t.Any:
        if not isinstance(value, (list, tuple)):
            place.wrong(value, "is not a valid value; use a list of dictionaries")
            return INVALID
        return super().read(value, place)

    def json_schema(self) -> JsonSchema:
        return {"type": "array", "items": or_template(self.of.json_schema())}


RAW = Row("raw", Lines(has_block=False, is_raw=True), "Lines that are written verbatim, as a last resort.")
