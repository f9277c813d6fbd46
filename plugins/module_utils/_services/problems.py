# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in the user's data: collected, never raised one by one."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data

LONGEST_SHOWN_VALUE = 80
MOST_SERVICES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, what stands there, why it cannot, and what to do."""

    path: str
    service: str
    value: str
    why: str
    hint: str = ""
    #: more services of which the same is said
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = self.also if len(self.also) <= MOST_SERVICES_SHOWN + 1 else self.also[:MOST_SERVICES_SHOWN]
        others = f", also {', '.join(shown)}" if shown else ""
        rest = f" and {len(self.also) - len(shown)} more" if len(self.also) > len(shown) else ""
        service = f' (service "{self.service}"{others}{rest})' if self.service else ""
        value = f"{self.value} " if self.value else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.path}{service}: {value}{self.why}.{hint}"

    def as_dict(self) -> dict[str, str]:
        return {**dataclasses.asdict(self), "text": str(self)}


@dataclasses.dataclass
class Problems:
    """What has been found so far: of each place the first mistake, since the next ones follow from it."""

    errors: list[Problem] = dataclasses.field(default_factory=list)
    warnings: list[Problem] = dataclasses.field(default_factory=list)
    secrets: t.Collection[str] = ()
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
            own = () if problem.service else (problem.path,)
            shared.setdefault((key_of(problem.path), problem.value, problem.why, problem.hint, *own), []).append(
                problem
            )
        self.warnings = [
            dataclasses.replace(first, also=tuple(dict.fromkeys(other.service for other in others)))
            for first, *others in shared.values()
        ]


def by_item(problem: Problem) -> tuple[str, int]:
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


class Invalid(LbforgeError):
    """The data cannot be used; every reason is in it."""

    def __init__(self, problems: Problems) -> None:
        count = len(problems.errors)
        mistakes = "1 mistake" if count == 1 else f"{count} mistakes"
        lines = "\n".join(f"- {problem}" for problem in problems.errors)
        super().__init__(
            f"{mistakes} in the services or their settings; no host was changed.\n{lines}",
            errors=[problem.as_dict() for problem in problems.errors],
            doubts=[problem.as_dict() for problem in problems.warnings],
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
        self.problems.add_error(Problem(self.path, self.service, self.shown(value), why, hint))

    def doubtful(self, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.add_warning(Problem(self.path, self.service, self.shown(value), why, hint))

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
