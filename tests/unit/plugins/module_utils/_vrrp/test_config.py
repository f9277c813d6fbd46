# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, is_whole, parse

Tree = tuple[tuple[tuple[str, ...], int, "Tree"], ...]


def tree(statements: tuple[Statement, ...]) -> Tree:
    return tuple((statement.words, statement.line, tree(statement.body)) for statement in statements)


ONE = ((("a", "b"), 1, ((("c", "d"), 2, ()),)),)


# What keepalived 2.2 and 2.3 accept as the same.
@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ()),
        ("a b {\n c d\n}\n", ONE),
        ("a b {\r\n c d\r\n}\r\n", ONE),
        ("a b {\n c d # e\n}\n! f\n", ONE),
        ("a b {\n c d}", ONE),
        ("a b{\n c d\n}\n", ONE),
        ("a b\n{ c d\n}", ONE),
        ("a { b }", ((("a",), 1, ((("b",), 1, ()),)),)),
        ("a { b { c } d { } }", ((("a",), 1, ((("b",), 1, ((("c",), 1, ()),)), (("d",), 1, ()))),)),
        ("a { }\nb { }", ((("a",), 1, ()), (("b",), 2, ()))),
        ("script \"/x 'a b' c\" # d", ((("script", "/x 'a b' c"), 1, ()),)),
        ("script '/x \"a b\"'", ((("script", '/x "a b"'), 1, ()),)),
        ('script "a # b { }"', ((("script", "a # b { }"), 1, ()),)),
        (r'script "a \" b"', ((("script", 'a " b'), 1, ()),)),
        ('a"b c"d', ((("ab cd",), 1, ()),)),
        ("nopreempt#x", ((("nopreempt",), 1, ()),)),
        ("$P=100\npriority $P", ((("priority", "100"), 2, ()),)),
        ("$A=1.${B}\n$B=2\nx ${A}.3", ((("x", "1.2.3"), 3, ()),)),
        ("x ${A} $B", ((("x", "${A}", "$B"), 1, ()),)),
        ("$I= \\\na { \\\n b $N \\\n}\n$N=5\n$I", ((("a",), 6, ((("b", "5"), 6, ()),)),)),
        ("include /etc/{a,b}/*.conf # all", ((("include", "/etc/{a,b}/*.conf"), 1, ()),)),
    ],
)
def test_parse(text: str, expected: Tree) -> None:
    assert tree(parse(text)) == expected


def test_a_brace_too_many_is_a_statement() -> None:
    assert tree(parse("a {\n}\n}\nb")) == ((("a",), 1, ()), (("}",), 3, ()), (("b",), 4, ()))


def test_a_block_that_is_not_closed_ends_with_the_text() -> None:
    (outer,) = parse("a {\n b {\n c\n")

    assert not outer.is_closed
    assert [(inner.words, inner.is_closed) for inner in outer.walk()] == [
        (("a",), False),
        (("b",), False),
        (("c",), True),
    ]


@pytest.mark.parametrize(
    "text, whole",
    [("a b", True), ("a include", True), ("  include x", False), ("includea x", False), ("@main a b", False)],
)
def test_is_whole(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_the_last_of_two_values_counts() -> None:
    (block,) = parse("a {\n x 1\n x 2\n y\n}")

    assert (block.value("x"), block.number("x", 0), block.value("y", "z"), block.number("y", 3)) == ("2", 2, "", 3)
    assert block.value("none", "z") == "z"
