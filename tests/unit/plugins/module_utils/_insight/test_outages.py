# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.outages import Probe, summary

# One letter for each probe, a second apart: answered (a) or lost (L); then start, length and number of each outage.
STORIES: list[tuple[str, list[tuple[float, float, int]]]] = [
    ("", []),
    ("aaaa", []),
    ("aLa", [(1, 1, 1)]),
    ("aLLaaLa", [(1, 2, 2), (5, 1, 1)]),
    ("LLa", [(0, 2, 2)]),
    ("aaLL", [(2, 2, 2)]),
    ("LL", [(0, 2, 2)]),
]


@pytest.mark.parametrize(("story", "expected"), STORIES)
def test_outages(story: str, expected: list[tuple[float, float, int]]) -> None:
    probes = [Probe(second, letter == "a") for second, letter in enumerate(story)]
    # They are noted in the order in which they end.
    told = summary(probes[::-1], end=len(story))
    assert [(one["start"], one["seconds"], one["lost"]) for one in told["outages"]] == expected
    assert told["longest"] == max((seconds for _start, seconds, _lost in expected), default=0)
    assert (told["sent"], told["answered"], told["lost"]) == (len(story), story.count("a"), story.count("L"))
