# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of any keepalived.conf as a tree of statements."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_TOKEN = re.compile(rf"(?P<comment>[#!].*)|(?P<brace>[{{}}])|(?:{_QUOTED}|\$\{{[^}}]*\}}|\\.|[^\s#!{{}}])+")
_QUOTES = re.compile(rf"{_QUOTED}|\\.")
_DEFINITION = re.compile(r"\s*\$(\w+)=(.*)", re.DOTALL)
_PARAMETER = re.compile(r"\$(?:\{(\w+)\}|(\w+)(?=\s|$))")
_CONDITION = re.compile(r"^\s*(?:@|~SEQ)", re.MULTILINE)
# A pattern may hold braces, and keepalived takes the whole line for it.
_INCLUDE = re.compile(r"\s*(include[rmwba]?)\s+([^#!]*[^#!\s])")
_MOST_SUBSTITUTIONS = 20


@dataclass(frozen=True)
class Statement:
    """The words of one line, without their quotes, and the block that they open."""

    words: tuple[str, ...]
    line: int
    body: tuple[Statement, ...] = ()
    is_closed: bool = True

    @property
    def keyword(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def name(self) -> str:
        return self.words[1] if len(self.words) > 1 else ""

    @property
    def rest(self) -> str:
        """What follows the keyword: the text of a command may or may not be in quotes."""
        return " ".join(self.words[1:])

    def all(self, *keywords: str) -> list[Statement]:
        return [statement for statement in self.body if statement.keyword in keywords]

    def last(self, keyword: str) -> Statement | None:
        """The statement that counts where a keyword stands twice."""
        found = self.all(keyword)
        return found[-1] if found else None

    def value(self, keyword: str, default: str = "") -> str:
        found = self.last(keyword)
        return found.name if found else default

    def number(self, keyword: str, default: float) -> float:
        return number(self.value(keyword), default)

    def entries(self, *keywords: str) -> list[Statement]:
        """The lines within the blocks of these names."""
        return [entry for block in self.all(*keywords) for entry in block.body]

    def walk(self) -> t.Iterator[Statement]:
        yield self
        for inner in self.body:
            yield from inner.walk()


def number(text: str, default: float) -> float:
    """A number; keepalived's own check decides about anything else."""
    try:
        return float(text)
    except ValueError:
        return default


@dataclass
class _Open:
    words: tuple[str, ...]
    line: int
    body: list[Statement] = field(default_factory=list)

    def closed(self, properly: bool) -> Statement:
        return Statement(self.words, self.line, tuple(self.body), properly)


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a text, with its parameters put in.

    Files that are included stay a statement. A brace too many is a statement of its own, and a block that nothing
    closes ends with the text.
    """
    stack = [_Open((), 0)]
    for line, content in _lines(text):
        words: list[str] = []
        for kind, word in _tokens(content):
            if kind == "word":
                words.append(word)
                continue
            if words:
                _add(stack, words, line)
                words = []
            if word == "{":
                # The brace may stand on the line below the words that it belongs to.
                siblings = stack[-1].body
                opener = siblings.pop() if siblings and not siblings[-1].body else Statement((), line)
                stack.append(_Open(opener.words, opener.line))
            elif len(stack) > 1:
                closed = stack.pop().closed(properly=True)
                stack[-1].body.append(closed)
            else:
                stack[-1].body.append(Statement(("}",), line))
        if words:
            _add(stack, words, line)
    while len(stack) > 1:
        unfinished = stack.pop().closed(properly=False)
        stack[-1].body.append(unfinished)
    return tuple(stack[0].body)


def is_whole(text: str) -> bool:
    """Whether the text includes no other files, so that a missing line is really missing."""
    return not _CONDITION.search(text) and not any(_INCLUDE.match(line) for line in text.splitlines())


def _add(stack: list[_Open], words: list[str], line: int) -> None:
    stack[-1].body.append(Statement(tuple(words), line))


def _tokens(content: str) -> t.Iterator[tuple[str, str]]:
    include = _INCLUDE.match(content)
    if include:
        yield from (("word", word) for word in include.groups())
        return
    for found in _TOKEN.finditer(content):
        if found["brace"]:
            yield "brace", found["brace"]
        elif not found["comment"]:
            yield "word", _QUOTES.sub(_unquoted, found[0])


def _unquoted(found: re.Match[str]) -> str:
    text = found[0]
    return re.sub(r"\\(.)", r"\1", text[1:-1] if text[0] in "\"'" else text)


def _lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines with their numbers, where ``$NAME=value`` defines what ``$NAME`` and ``${NAME}`` mean further down."""
    parameters: dict[str, str] = {}
    numbered = iter(enumerate(text.splitlines(), 1))
    for line, content in numbered:
        definition = _DEFINITION.match(content)
        if not definition:
            substituted = _substituted(content, parameters)
            yield from ((line, part) for part in substituted.split("\n"))
            continue
        value = definition[2]
        while value.endswith("\\"):
            value = value[:-1] + "\n" + next(numbered, (0, ""))[1]
        parameters[definition[1]] = value.strip()


def _substituted(content: str, parameters: t.Mapping[str, str]) -> str:
    if not parameters:
        return content
    for _round in range(_MOST_SUBSTITUTIONS):
        before = content
        content = _PARAMETER.sub(lambda found: parameters.get(found[1] or found[2], found[0]), content)
        if content == before:
            break
    return content
