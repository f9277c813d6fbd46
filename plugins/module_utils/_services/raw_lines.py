# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw lines of the user's, read as HAProxy reads them: what it would refuse or cut off is found on the controller."""

from __future__ import annotations

import re

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import (
    BLANKS,
    MOST_WORDS,
    Line,
    Unreadable,
    quote,
    read,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place

# What counts for the whole file: configuration manual, section 2.4.
DIRECTIVES = (".if", ".elif", ".else", ".endif", ".diag", ".notice", ".warning", ".alert")
_SPECIAL = re.compile(r"""[\\'"]""")


def read_line(text: str, place: Place, before: int = 0) -> str | None:
    """The line without its comment and the blanks around it: empty if nothing is left, None if it is wrong.

    ``before`` is the number of words that we write in front of it. Without any, its first word could begin a section.
    """
    text = text.strip()
    try:
        line = read(text)
    except Unreadable as error:
        # Nobody knows where a secret ends that is quoted wrongly.
        place.wrong(None if place.hides_part_of(text) else text, error.why, error.hint)
        return None
    kept = text[: line.end].rstrip(BLANKS)
    if line.cuts_word:
        cut_off_word(text, line.end, place)
    elif before + len(line.words) > MOST_WORDS:
        place.wrong(
            text,
            f"makes a line of {before + len(line.words)} words, and HAProxy takes {MOST_WORDS}",
            "Write several lines; an ACL may stand on as many as it needs.",
        )
    elif (len(kept) - len(kept.rstrip("\\"))) % 2:
        place.wrong(
            text,
            "ends in a backslash, but HAProxy does not continue lines",
            "Write it on one line, or double the backslash.",
        )
    elif not before and line.words and begins_section(line.words[0]):
        place.wrong(
            text,
            "is not a line of HAProxy configuration inside a section",
            "Write a line that does not begin another section.",
        )
    else:
        unset_variables(text, line, place)
        return kept
    return None


def begins_section(word: str) -> bool:
    """Whether a line with this first word would end the section that it stands in."""
    return word in SECTIONS or word in DIRECTIVES or word.startswith("[")


def cut_off_word(text: str, end: int, place: Place) -> None:
    if place.hides_part_of(text):
        place.wrong(text, "contains a # within a word, where HAProxy begins a comment", "Use the filter haproxy_quote.")
        return
    start = max(text.rfind(blank, 0, end) for blank in BLANKS) + 1
    word = re.split(f"[{BLANKS}]", text[start:], maxsplit=1)[0]
    place.wrong(
        text,
        f"contains a # within a word, where HAProxy begins a comment, so {text[end:]!r} would be cut off",
        r"Write \# instead." if _SPECIAL.search(word) else f"Write {quote(word)} or put a blank before a comment.",
    )


def unset_variables(text: str, line: Line, place: Place) -> None:
    for name in line.variables:
        shown = "a $ with a name" if place.hides_part_of(text) else f"${name}"
        place.warn(
            text,
            f"contains {shown} in double quotes, an environment variable that is empty unless HAProxy's unit sets it",
            "Use single quotes if the dollar sign is meant, or ${NAME} if the variable is.",
        )
