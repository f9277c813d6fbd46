# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables whose dictionaries become objects of a class, for mypy to read what is done with them."""

from __future__ import annotations

import dataclasses
import keyword
import typing as t
from functools import cache, cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import DictOf, Kind, ListOf
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record, record_of

PREFIX = "haproxy_"


@cache
def attribute(key: str) -> str:
    """What a key of the user's is called in Python: the same without the prefix; C(from) is no name there."""
    name = key.removeprefix(PREFIX)
    return f"{name}_" if keyword.iskeyword(name) else name


def held(record: t.Any, key: str) -> t.Any:
    """What an object of a table holds under a key of the user's, where that key is only known at run time."""
    return getattr(record, attribute(key))


@dataclasses.dataclass(frozen=True)
class TypedRecord(Record):
    """A table, and the class with an attribute for each of its keys."""

    shape: t.Callable[..., t.Any] = dict

    def made(self, values: t.Mapping[str, t.Any]) -> t.Any:
        names = self._attributes
        return self.shape(**{names[key]: value for key, value in values.items()})

    def given(self, made: t.Any) -> list[tuple[Key, t.Any]]:
        """What an object has a value for: its keys, and these values."""
        values = vars(made)
        return [(key, value) for key in self.keys if (value := values[self._attributes[key.name]]) is not None]

    def plain(self, made: t.Any) -> dict[str, t.Any]:
        """The dictionary that an object was made of, for everybody outside; what was not given is left out."""
        values = vars(made)
        result = {key: values[name] for key, name in self._attributes.items() if values[name] is not None}
        for key in self._typed:
            if key.name in result:
                result[key.name] = _plain(key.kind, result[key.name])
        return result

    @cached_property
    def _attributes(self) -> dict[str, str]:
        return {key.name: attribute(key.name) for key in self.keys}

    @cached_property
    def _typed(self) -> list[Key]:
        """The keys with objects under them."""
        return [key for key in self.keys if isinstance(record_of(key.kind), TypedRecord)]


def _plain(kind: Kind, value: t.Any) -> t.Any:
    if isinstance(kind, TypedRecord):
        return kind.plain(value)
    if isinstance(kind, ListOf):
        return [_plain(kind.of, item) for item in value]
    if isinstance(kind, DictOf):
        return {name: _plain(kind.of, item) for name, item in value.items()}
    return value
