# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in the user's data: collected, never raised one by one."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data

LONGEST_SHOWN_VALUE = 80
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
class Problems:
    """What has been found so far: of each place the first mistake, since the next ones follow from it."""

    errors: list[ServiceProblem] = dataclasses.field(default_factory=list)
    warnings: list[ServiceProblem] = dataclasses.field(default_factory=list)
    secrets: t.Collection[str] = ()
    _wrong_paths: set[str] = dataclasses.field(default_factory=set)

    def add_error(self, problem: ServiceProblem) -> None:
        if problem.path not in self._wrong_paths:
            self.errors.append(problem)
            self._wrong_paths |= {problem.path, *parents(problem.path)}

    def add_warning(self, problem: ServiceProblem) -> None:
        if problem.path not in self._wrong_paths:
            self.warnings.append(problem)

    def sort(self) -> None:
        """By place; a doubt that several services share is told once."""
        self.errors.sort(key=by_item)
        shared: dict[tuple[str, ...], list[ServiceProblem]] = {}
        for problem in sorted(self.warnings, key=by_item):
            own = () if problem.name else (problem.path,)
            shared.setdefault((key_of(problem.path), problem.value, problem.why, problem.hint, *own), []).append(
                problem
            )
        self.warnings = [
            dataclasses.replace(first, also=tuple(dict.fromkeys(other.name for other in others)))
            for first, *others in shared.values()
        ]


def by_item(problem: ServiceProblem) -> tuple[str, int]:
    """Sort key: settings and sources by name, the items of a source by their number."""
    match = re.match(r"(\w+)\[(\d+)\]", problem.path)
    return (match[1], int(match[2])) if match else ("", 0)


def key_of(path: str) -> str:
    """The key of a service that a place belongs to: haproxy_bind of haproxy_service_configs[2].haproxy_bind[0]."""
    return re.sub(r"^\w+\[\d+\]\.|\[\d+\]", "", path)


def parents(path: str) -> t.Iterator[str]:
    """What a place is part of: a.b of a.b[1], and a of both."""
    for index, character in enumerate(path):
        if character in ".[":
            yield path[:index]


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
class Place:
    """A spot in the user's data, and the collection that its problems go to."""

    problems: Problems
    path: str
    service: str = ""
    secret: bool = False
    #: features that the service switches off in so many words
    switched_off: frozenset[str] = frozenset()

    def key(self, name: str) -> Place:
        return self._at(f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Place:
        return self._at(f"{self.path}[{index}]")

    def _at(self, path: str) -> Place:
        # dataclasses.replace takes six times as long, and a validation makes a hundred thousand of these.
        place = object.__new__(Place)
        place.__dict__.update(self.__dict__, path=path)
        return place

    def of_service(self, name: str) -> Place:
        return dataclasses.replace(self, service=name)

    def wrong(self, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.add_error(self._problem(value, why, hint))

    def doubtful(self, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.add_warning(self._problem(value, why, hint))

    def _problem(self, value: t.Any, why: str, hint: str) -> ServiceProblem:
        """Make a problem of a predicate: ``why`` says something of the value, or of the place where there is none."""
        value = self.shown(value)
        return ServiceProblem(self.path, value, f"{value} {why}".lstrip(), hint, self.service)

    def idle(self, value: t.Any, feature: str) -> None:
        """A value that does nothing without a feature; whoever switches that off knows."""
        if feature not in self.switched_off:
            self.doubtful(value, f"does nothing without {feature}")

    def shown(self, value: t.Any) -> str:
        """The value as a message may show it: short, and without secrets."""
        if value is None:
            return ""
        if self.secret:
            return "(hidden)"
        # Before it is cut or escaped: half a password would not be known for one.
        hidden = masked_data(value, self.problems.secrets)
        text = repr(str(hidden) if isinstance(hidden, str) else hidden)
        return text if len(text) <= LONGEST_SHOWN_VALUE else f"{text[: LONGEST_SHOWN_VALUE - 1]}…"

    def hides_part_of(self, text: str) -> bool:
        """Whether there is a secret in the text, of which a message must not show a piece either."""
        return self.secret or masked(text, self.problems.secrets) != text
