# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rule of the linter: a row of the table in the documentation, and the function that finds breaches."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Subject
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

Severity = t.Literal["error", "warning"]


class Hit(t.NamedTuple):
    """One breach of a rule, and its description."""

    statement: Statement
    found: str


Find = t.Callable[[Subject], t.Iterator[Hit]]


@dataclass(frozen=True)
class Rule:
    """A rule: an error certainly breaks something, a warning may."""

    name: str
    severity: Severity
    what: str
    """What would happen, one sentence or more."""
    instead: str
    """What to write instead."""
    find: Find


def rule(severity: Severity, what: str, instead: str) -> t.Callable[[Find], Rule]:
    """Make a rule of a function, with the name of the function."""
    return lambda find: Rule(find.__name__.replace("_", "-"), severity, what, instead, find)


@dataclass(frozen=True)
class Finding(Problem):
    """A broken rule in one text: ``path`` is the line with its number, ``hint`` what to write instead."""

    rule: str = ""
    severity: Severity = "error"
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.why} Instead: {self.hint} [{self.rule}]"
