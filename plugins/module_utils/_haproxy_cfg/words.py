# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How HAProxy reads a line of its configuration, and how a text becomes one word of it. Pure.

HAProxy Configuration Manual, sections 2.2, "Quoting and escaping", and 2.3, "Environment variables".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

Words = tuple[str, ...]

#: HAProxy rejects a line with more (MAX_LINE_ARGS in its defaults.h). The length of a line has no limit.
MOST_WORDS = 64
BLANKS = " \t\v\f\r"  # of C's isspace; nothing else divides words
PLAIN_WORD = re.compile(r"[A-Za-z0-9_.,:;/@%+=*?!^~()\[\]{}|<>&-]+")
# Characters that quote, escape or begin a comment, and those that Python's split() takes for blanks.
_UNUSUAL = re.compile(r"""[\\#'"\x1c-\x1f\x80-\U0010ffff]""")
_PIECE = re.compile(
    r"""(?P<space>[ \t\v\f\r]+)|(?P<comment>\#)|'(?P<strong>[^']*)'|(?P<quote>")"""
    r"""|\\(?P<escaped>x[0-9a-fA-F]{2}|[nrt \\#'"])|(?P<plain>[^ \t\v\f\r\#'"\\]+|\\(?!x))"""
)
_NAME = r"(?:[A-Za-z_]|\.(?:FILE|LINE|SECTION)\b)[A-Za-z0-9_]*"
_QUOTED = re.compile(
    r"""(?P<end>")|\\(?P<escaped>x[0-9a-fA-F]{2}|[nrt \\#'"$])|(?P<plain>[^"\\$]+|\\(?!x))"""
    rf"|\$(?P<name>{_NAME})|\$\{{{_NAME}(?:\[\*\])?(?:-[^}}]*)?\}}"
)
_C_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Unreadable(LbforgeError):
    """HAProxy would reject the line, or read it in an unintended way.

    ``position`` counts characters from 0, ``why`` and ``hint`` are halves of a message, ``words`` are those up to
    there, with the rest of the line as the last one.
    """

    def __init__(self, position: int, why: str, hint: str, words: Words) -> None:
        super().__init__(f"{why}, at character {position + 1}. {hint}")
        self.position = position
        self.why = why
        self.hint = hint
        self.words = words


@dataclass(frozen=True)
class Line:
    """A line that HAProxy reads."""

    words: Words
    #: where a comment begins, or the end of the line
    end: int
    #: whether the comment follows a word without a blank, as the fragment of a URL would
    cuts_word: bool = False
    #: environment variables in weak quotes that are written without braces
    variables: Words = ()


def split(line: str) -> Words:
    """Split a line into words as HAProxy does: comments go, quotes and backslashes are resolved.

    Environment variables stay as they are written, for the process that knows them is another. What HAProxy refuses
    to read is one word to the end of the line.
    """
    if (words := _plain(line)) is not None:  # without a Line for each of them: large configurations have many
        return words
    try:
        return read(line).words
    except Unreadable as error:
        return error.words


def read(line: str) -> Line:
    """Read a line as HAProxy does; of environment variables it keeps the name, as ``split`` does.

    Raises Unreadable where HAProxy would.
    """
    if (plain := _plain(line)) is not None:
        return Line(plain, len(line))
    words: list[str] = []
    variables: list[str] = []
    word: str | None = None
    place = 0
    while place < len(line):
        piece = _PIECE.match(line, place)
        if piece is None:
            raise _unreadable(line, place, words, word)
        if piece["comment"]:
            break
        start, place = place, piece.end()
        if piece["space"]:
            words += [] if word is None else [word]
            word = None
        elif piece["quote"]:
            inner, place = _weakly_quoted(line, start, words, word, variables)
            word = (word or "") + inner
        else:
            word = (word or "") + (piece["strong"] if piece["strong"] is not None else _text(piece))
    return Line(
        tuple(words if word is None else [*words, word]),
        place,
        word is not None and place < len(line),
        tuple(variables),
    )


def _plain(line: str) -> Words | None:
    """The words of a line of plain words and blanks, as nearly all lines are; None for others."""
    return None if _UNUSUAL.search(line) else tuple(line.split())


def _weakly_quoted(line: str, start: int, words: list[str], word: str | None, variables: list[str]) -> tuple[str, int]:
    """The text in double quotes that begin at ``start``, and the position after them."""
    inner, place = "", start + 1
    while piece := _QUOTED.match(line, place):
        place = piece.end()
        if piece["end"]:
            return inner, place
        inner += _text(piece)
        variables += [piece["name"]] if piece["name"] else []
    if place < len(line):
        raise _unreadable(line, place, words, (word or "") + inner)
    raise Unreadable(
        start,
        "has an unmatched double quote",
        "Close the quote, or escape it with a backslash.",
        (*words, (word or "") + inner),
    )


def _text(piece: re.Match[str]) -> str:
    escaped = piece["escaped"]
    if not escaped:
        return piece[0]  # a backslash before anything else stays: regular expressions have many
    return chr(int(escaped[1:], 16)) if len(escaped) == 3 else _C_ESCAPES.get(escaped, escaped)


def _unreadable(line: str, place: int, words: list[str], word: str | None) -> Unreadable:
    so_far = (*words, (word or "") + line[place:])
    if line[place] == "'":
        why, hint = "has an unmatched single quote", "Close the quote, or escape it with a backslash."
    elif line[place] == "$":
        why, hint = (
            "has a $ in double quotes that is not followed by the name of an environment variable",
            "Use single quotes, or escape the $ with a backslash.",
        )
    else:
        why, hint = (
            r"has \x without two hexadecimal digits",
            "Write the digits, or double the backslash.",
        )
    return Unreadable(place, why, hint, so_far)


def quote(word: str) -> str:
    """The text as one word that HAProxy reads back unchanged: in strong quotes where it has special characters.

    Raises ValueError for what no line can hold: newlines and control characters.
    """
    if control := CONTROL.search(word):
        raise ValueError(f"contains the control character U+{ord(control[0]):04X}, which a line cannot contain")
    if PLAIN_WORD.fullmatch(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
