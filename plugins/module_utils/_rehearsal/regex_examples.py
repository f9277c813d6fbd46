# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that a regular expression matches. Pure."""

from __future__ import annotations

import re

_MOST = 8
_CLASSES = {"d": "1", "w": "x", "s": " ", "D": "x", "W": "-", "S": "x", "n": "\n", "t": "\t"}
_EDGES = "bBAzZ"
_REPEATED = re.compile(r"(?P<sign>[*+?]|\{(?P<least>\d+)(?:,\d*)?\})[?+]?")


def examples(regex: str) -> list[str]:
    """A few texts that match, one for each alternative if they are few; none if the expression is not understood."""
    try:
        found = _Reader(regex).alternatives()
        matching = [text for text in dict.fromkeys(found) if text and re.search(regex, text, re.IGNORECASE)]
    except (re.error, IndexError, StopIteration):
        return []
    return matching[:_MOST]


class _Reader:
    def __init__(self, regex: str) -> None:
        self._regex = regex
        self._place = 0

    def alternatives(self) -> list[str]:
        """Texts for each alternative, up to the end of the group."""
        found: list[str] = []
        branch = [""]
        while self._place < len(self._regex) and self._regex[self._place] != ")":
            if self._regex[self._place] == "|":
                self._place += 1
                found, branch = found + branch, [""]
                continue
            piece = self._repeated(self._piece())
            branch = [start + end for start in branch for end in piece][:_MOST]
        return found + branch

    def _piece(self) -> list[str]:
        character = self._next()
        if character == "(":
            if self._regex.startswith("?", self._place):
                # A group that is not captured, or one with a name or flags.
                kind = re.compile(r"\?(?::|P?<\w+>|[imsx]+:?)").match(self._regex, self._place)
                if not kind:
                    raise re.error("a group of another kind")
                self._place = kind.end()
            inner = self.alternatives()
            self._next()
            return inner
        if character == "[":
            return [self._one_of_class()]
        if character == "\\":
            escaped = self._next()
            return ["" if escaped in _EDGES else _CLASSES.get(escaped, escaped)]
        return [{".": "x", "^": "", "$": ""}.get(character, character)]

    def _one_of_class(self) -> str:
        start = self._place
        self._place += 2 if self._regex.startswith("^", start) else 1
        while self._regex[self._place] != "]":
            self._place += 2 if self._regex[self._place] == "\\" else 1
        self._place += 1
        group = re.compile(self._regex[start - 1 : self._place])
        return next(one for one in "x1-_./ aAzZ09@:+~%!=&,;" if group.fullmatch(one))

    def _repeated(self, piece: list[str]) -> list[str]:
        repeated = _REPEATED.match(self._regex, self._place)
        if not repeated:
            return piece
        self._place = repeated.end()
        if repeated["least"]:
            return [text * max(1, int(repeated["least"])) for text in piece]
        return [*piece, ""] if repeated["sign"] in "*?" else piece

    def _next(self) -> str:
        self._place += 1
        return self._regex[self._place - 1]
