# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents that tables give: texts for readers and JSON Schema for editors."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import JsonSchema
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record, record_of

# Of the name of a definition, which is made of its title.
MOST_WORDS = 5


def document(title: str, description: str, variables: JsonSchema) -> JsonSchema:
    """The JSON Schema (draft 2020-12) of a file of variables, which contains each table once."""
    definitions: dict[str, JsonSchema] = {}
    schema = _referring(variables, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "type": "object",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def _referring(schema: t.Any, definitions: dict[str, JsonSchema]) -> t.Any:
    """The schema with references instead of titled parts, which move into the definitions."""
    if isinstance(schema, list):
        return [_referring(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: _referring(value, definitions) for name, value in schema.items()}
    if not isinstance(schema.get("title"), str):
        return whole
    words = re.findall(r"\w+", re.sub(r"^an? ", "", schema["title"].lower()))
    plain = "_".join(words[:MOST_WORDS])
    name, number = plain, 1
    while definitions.setdefault(name, whole) != whole:
        number += 1
        name = f"{plain}_{number}"
    return {"$ref": f"#/$defs/{name}"}


def places(table: Record) -> list[tuple[Record, list[str]]]:
    """Every table within a table, in order, and the keys that hold it, as paths."""
    found: dict[int, tuple[Record, list[str]]] = {}

    def collect(record: Record, path: str) -> None:
        for key in record.keys:
            if inner := record_of(key.kind):
                where = f"{path}.{key.name}" if path else f"{record.prefix}{key.name}"
                found.setdefault(id(inner), (inner, []))[1].append(where)
                collect(inner, where)

    collect(table, "")
    return list(found.values())
