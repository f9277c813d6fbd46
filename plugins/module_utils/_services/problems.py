# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in the user's data: collected, never raised one by one."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema import place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import parents
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError

MOST_SERVICES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class ServiceProblem(Problem):
    """A problem of a service, which has its name, or of a setting, which has none."""

    #: more services of which the same is said
    also: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The path, with the names of the services."""
        shown = self.also if len(self.also) <= MOST_SERVICES_SHOWN + 1 else self.also[:MOST_SERVICES_SHOWN]
        others = f", also {', '.join(shown)}" if shown else ""
        rest = f" and {len(self.also) - len(shown)} more" if len(self.also) > len(shown) else ""
        return f'{self.path} (service "{self.name}"{others}{rest})' if self.name else self.path


@dataclasses.dataclass
class Problems(place.Problems):
    """What has been found so far: of each place the first mistake, since the next ones follow from it."""

    _wrong_paths: set[str] = dataclasses.field(default_factory=set)

    def add_error(self, problem: Problem) -> None:
        if problem.path not in self._wrong_paths:
            self.errors.append(problem)
            self._wrong_paths |= {problem.path, *parents(problem.path)}

    def add_warning(self, problem: Problem) -> None:
        if problem.path not in self._wrong_paths:
            self.warnings.append(problem)

    def sort(self) -> None:
        """By place; a doubt that several services share is told once."""
        self.errors.sort(key=by_item)
        shared: dict[tuple[str, ...], list[Problem]] = {}
        for problem in sorted(self.warnings, key=by_item):
            own = () if problem.name else (problem.path,)
            shared.setdefault((key_of(problem.path), problem.value, problem.why, problem.hint, *own), []).append(
                problem
            )
        self.warnings = [
            ServiceProblem(
                first.path,
                first.value,
                first.why,
                first.hint,
                first.name,
                tuple(dict.fromkeys(other.name for other in others)),
            )
            for first, *others in shared.values()
        ]


def by_item(problem: Problem) -> tuple[str, int]:
    """Sort key: settings and sources by name, the items of a source by their number."""
    match = re.match(r"(\w+)\[(\d+)\]", problem.path)
    return (match[1], int(match[2])) if match else ("", 0)


def key_of(path: str) -> str:
    """The key of a service that a place belongs to: haproxy_bind of haproxy_service_configs[2].haproxy_bind[0]."""
    return re.sub(r"^\w+\[\d+\]\.|\[\d+\]", "", path)


class Invalid(ProblemsError):
    """The data cannot be used; every reason is in it."""

    def __init__(self, problems: Problems) -> None:
        count = len(problems.errors)
        mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
        super().__init__(
            problems.errors,
            f"{mistakes} in the services or their settings; no host was changed.",
            bullet="- ",
            warning_details=[problem.as_dict() for problem in problems.warnings],
        )


@dataclasses.dataclass(frozen=True)
class Place(place.Place):
    """A spot in a service, whose name the place has, or in a setting."""

    #: features that the service switches off in so many words
    switched_off: frozenset[str] = frozenset()

    def problem(self, value: t.Any, why: str, hint: str) -> ServiceProblem:
        plain = super().problem(value, why, hint)
        return ServiceProblem(plain.path, plain.value, plain.why, plain.hint, plain.name)

    def idle(self, value: t.Any, feature: str) -> None:
        """A value that has no effect without a feature; whoever switches that off knows."""
        if feature not in self.switched_off:
            self.warn(value, f"has no effect without {feature}")
