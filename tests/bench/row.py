# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure, and what we promise of it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    value: float
    unit: str = ""
    # None: only for information.
    goal: str | None = None
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        return f"  {self.name:<64} {self.value:>9.2f} {self.unit:<5} {self.goal or '':<8} {verdict}".rstrip()


def at_most(limit: float, name: str, value: float, unit: str = "") -> Row:
    return Row(name, round(value, 3), unit, f"<= {limit:g}", value <= limit)


def at_least(limit: float, name: str, value: float, unit: str = "") -> Row:
    return Row(name, round(value, 3), unit, f">= {limit:g}", value >= limit)


def figure(name: str, value: float, unit: str = "") -> Row:
    return Row(name, round(value, 3), unit)
