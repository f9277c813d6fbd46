# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine of tables, with tables of its own."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.document import document, places
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    Boolean,
    Choice,
    DictOf,
    Integer,
    ListOf,
    Text,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record, entries, homes

WHEEL = Record(
    what="a wheel",
    keys=(
        Key("size", Integer(10, 29, "a size"), "In inches.", required=True),
        Key("tyre", Text(longest=5), "Its tyre."),
    ),
)
CHILD = Record(what="a child", keys=(Key("name", Text(reserved=(("me", "it is the rider"),)), "Its name."),))
BICYCLE = Record(
    what="a bicycle",
    prefix="my_",
    one_of=("colour", "varnish"),
    keys=(
        Key("colour", Choice(("red", "blue")), "Its colour."),
        Key("varnish", Text(), "Its varnish."),
        Key("wheels", ListOf(WHEEL), "Its wheels.", aliases=("tires",)),
        Key("children", DictOf(CHILD), "Who sits on it."),
        Key("bell", Boolean(), "Whether it rings.", True),
    ),
)
HOMES = homes({"a bicycle": BICYCLE})


def read(value: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    problems = Problems(homes=HOMES)
    found, is_whole = BICYCLE.read_keys(value, Place(problems))
    assert is_whole == (not problems.errors)
    return found, list(map(str, problems.errors))


def test_a_dictionary_in_its_normal_form() -> None:
    given = {"colour": "red", "tires": {"size": "28"}, "children": {"ann": {"name": " Ann "}}, "bell": "no"}
    assert read(given) == (
        {"colour": "red", "wheels": [{"size": 28}], "children": {"ann": {"name": "Ann"}}, "bell": False},
        [],
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"colour": "rad"}, "my_colour: 'rad' is not a valid value; use red or blue. Did you mean red?"),
        ({"varnish": "matt", "colour": "red"}, "my_varnish: cannot be combined with colour; keep one of the two."),
        ({}, "my_colour: is missing (or varnish)."),
        ({"colour": "red", "bel": True}, "my_bel: is not a key of a bicycle. Did you mean bell?"),
        (
            {"colour": "red", "tyre": "slick"},
            "my_tyre: is not a key of a bicycle. It belongs to my_wheels; write it there.",
        ),
        (
            {"colour": "red", "wheels": [{"size": 20}, {"size": 20, "bell": True}]},
            "my_wheels[1].bell: is not a key of a wheel. It belongs to a bicycle; write it there.",
        ),
        (
            {"colour": "red", "wheels": [{"size": 20, "tyre": "studded"}]},
            "my_wheels[0].tyre: 'studded' is 7 characters long, 5 are allowed.",
        ),
        (
            {"colour": "red", "children": {"a": {"name": "me"}}},
            "my_children.a.name: 'me' is not text, but a reserved word: it is the rider. Choose another name.",
        ),
        (
            {"colour": "red", "wheels": [{}]},
            "my_wheels[0].size: is missing. Add it; its value is: a size, 10–29.",
        ),
    ],
)
def test_a_mistake(value: dict[str, t.Any], error: str) -> None:
    assert read(value)[1] == [error]


def test_a_secret_is_shown_nowhere() -> None:
    table = Record(what="a lock", keys=(Key("code", Integer(0, 999, "a code"), "Its code.", secret=True),))
    problems = Problems()
    table.read_keys({"code": 1234}, Place(problems))
    assert [(problem.value, "1234" in str(problem)) for problem in problems.errors] == [("(hidden)", False)]


def test_where_a_key_belongs() -> None:
    many = {f"table {number}": CHILD for number in range(5)}
    assert homes(many) == {"name": "It belongs to table 0, table 1 and 3 more; write it there."}
    assert HOMES["size"] == "It belongs to my_wheels; write it there."


def test_every_dictionary_of_a_value() -> None:
    value = {"wheels": [{"size": 1}, "x"], "children": {"ann": {"name": "Ann"}}}
    assert [(path, table.what) for path, table, _keys in entries(BICYCLE, value)] == [
        ("", "a bicycle"),
        ("my_wheels[0]", "a wheel"),
        ("my_children.ann", "a child"),
    ]


def test_a_document_holds_each_table_once() -> None:
    garage = {"properties": {"old": BICYCLE.json_schema(), "new": BICYCLE.json_schema()}}
    whole = document("Garage", "What stands in it.", garage)
    assert whole["properties"] == {"old": {"$ref": "#/$defs/bicycle"}, "new": {"$ref": "#/$defs/bicycle"}}
    assert {"bicycle", "child", "wheel", "template", "nothing"} <= set(whole["$defs"])
    assert [(table.what, paths) for table, paths in places(BICYCLE)] == [
        ("a wheel", ["my_wheels"]),
        ("a child", ["my_children"]),
    ]
