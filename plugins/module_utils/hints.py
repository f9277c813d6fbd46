# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suggestions for unknown names. Pure."""

from __future__ import annotations

import difflib
import itertools
import typing as t

ALIKE = 0.65  # of 1, of the part in which two names differ


def nearest(word: str, known: t.Iterable[str], alike: float = ALIKE) -> str:
    """The known name most similar to a word; empty if none is similar.

    A common prefix up to an underscore does not count: most of our names share one.
    """
    found, likeness = "", alike
    for name in sorted(known):  # of equals the first, whatever the order
        shared = sum(1 for _pair in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(word, name)))
        start = word.rfind("_", 0, shared) + 1
        matcher = difflib.SequenceMatcher(None, word[start:], name[start:])
        # The quick ones are upper bounds.
        may_be = matcher.real_quick_ratio() > likeness and matcher.quick_ratio() > likeness
        if may_be and (ratio := matcher.ratio()) > likeness:
            found, likeness = name, ratio
    return found


def did_you_mean(word: str, known: t.Iterable[str]) -> str:
    """A hint with the nearest known name; empty if none is similar."""
    name = nearest(word, known)
    return f"Did you mean {name}?" if name else ""
