# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals: how long the stage takes to be up, and how long expectations take on it."""

from __future__ import annotations

import dataclasses
import typing as t

from config import measured
from row import Row, at_most


@dataclasses.dataclass(frozen=True)
class Size:
    #: services on a large stage
    services: int
    #: expectations in a run of the role, and in all
    few: int
    many: int
    rounds: int


FULL = Size(services=1000, few=200, many=10_000, rounds=3)
QUICK = Size(services=10, few=8, many=16, rounds=1)


def rows(size: Size) -> t.Iterator[Row]:
    for number in (1, size.services):
        one = [measured("rehearse.py", number, 1) for _again in range(size.rounds)]
        best = min(each["seconds"] for each in one)
        yield at_most(0.5, f"one expectation, {number:,} services of 3 servers", best, "s")
    few = [measured("rehearse.py", 10, size.few) for _again in range(size.rounds)]
    yield at_most(2, f"{size.few} expectations, 10 services", min(each["seconds"] for each in few), "s")
    yield at_most(150, "the same: memory", max(each["megabytes"] for each in few), "MB")
    many = measured("rehearse.py", size.services, size.many)
    yield at_most(30, f"{size.many:,} expectations, {size.services:,} services", many["seconds"], "s")
