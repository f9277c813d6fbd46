# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody may have meant who wrote a name that is not known. Pure."""

from __future__ import annotations

import difflib
import itertools
import typing as t

ALIKE = 0.65  # of 1, of the part in which two names differ


def nearest(word: str, known: t.Iterable[str], alike: float = ALIKE) -> str:
    """The known name that is most like a word; empty when none is like it.

    What both begin with, up to an underscore, does not count: most of our names are alike in that.
    """
    found, likeness = "", alike
    for name in known:
        shared = sum(1 for _pair in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(word, name)))
        start = word.rfind("_", 0, shared) + 1
        matcher = difflib.SequenceMatcher(None, word[start:], name[start:])
        # The quick ones are upper bounds.
        may_be = matcher.real_quick_ratio() > likeness and matcher.quick_ratio() > likeness
        if may_be and (ratio := matcher.ratio()) > likeness:
            found, likeness = name, ratio
    return found


def did_you_mean(word: str, known: t.Iterable[str]) -> str:
    """A hint with the nearest known name; empty when none is near."""
    name = nearest(word, known)
    return f"Did you mean {name}?" if name else ""
