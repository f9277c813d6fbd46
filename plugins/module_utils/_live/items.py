# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What maps, ACLs and stick tables share: many items with keys in one task, each with its own mistakes."""

from __future__ import annotations

import typing as t


class Problem(t.NamedTuple):
    """What is wrong with an item, or went wrong with it."""

    path: str
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.path} ({self.key!r}): {self.why}." if self.key else f"{self.path}: {self.why}."


def report(problems: list[Problem]) -> dict[str, t.Any]:
    """Problems as the last words of a module."""
    return {"msg": "\n".join(map(str, problems)), "errors": [problem._asdict() for problem in problems]}
