# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes in the user's data, each with its place; they are collected, not raised one by one."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data

HIDDEN = "(hidden)"
LONGEST_SHOWN_VALUE = 80

AnyPlace = t.TypeVar("AnyPlace", bound="Place")


@dataclasses.dataclass
class Problems:
    """The problems found so far, each once."""

    errors: list[Problem] = dataclasses.field(default_factory=list)
    warnings: list[Problem] = dataclasses.field(default_factory=list)
    #: secrets that no message may show
    secrets: t.Collection[str] = ()
    #: hints for misplaced keys, by name
    homes: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: references to other objects, and their places; they are resolved when everything is read
    references: list[tuple[Place, str]] = dataclasses.field(default_factory=list)

    def add_error(self, problem: Problem) -> None:
        if problem not in self.errors:
            self.errors.append(problem)

    def add_warning(self, problem: Problem) -> None:
        if problem not in self.warnings:
            self.warnings.append(problem)


@dataclasses.dataclass(frozen=True)
class Place:
    """A spot in the user's data, and the collection that its problems go to."""

    problems: Problems
    path: str = ""
    #: the item that the path leads into, such as a service
    name: str = ""
    secret: bool = False

    def key(self: AnyPlace, name: str) -> AnyPlace:
        return self._at(f"{self.path}.{name}" if self.path else name)

    def item(self: AnyPlace, index: int) -> AnyPlace:
        return self._at(f"{self.path}[{index}]")

    def at(self: AnyPlace, what: str) -> AnyPlace:
        """A part of the value without a key or index, such as a line of a file."""
        return self._at(f"{self.path}, {what}")

    def _at(self: AnyPlace, path: str) -> AnyPlace:
        # dataclasses.replace takes six times as long, and a validation makes a hundred thousand of these.
        place = object.__new__(type(self))
        place.__dict__.update(self.__dict__, path=path)
        return place

    def named(self: AnyPlace, name: str) -> AnyPlace:
        return dataclasses.replace(self, name=name)

    def wrong(self, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.add_error(self.problem(value, why, hint))

    def warn(self, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.add_warning(self.problem(value, why, hint))

    def problem(self, value: t.Any, why: str, hint: str) -> Problem:
        """Make a problem from a predicate: ``why`` is about the value, or about the place if there is none."""
        shown = self.shown(value)
        return Problem(self.path, shown, f"{shown} {why}".lstrip(), hint, self.name)

    def shown(self, value: t.Any) -> str:
        """The value for a message: short, and without secrets."""
        if value is None:
            return ""
        if self.secret:
            return HIDDEN
        # Before it is cut or escaped: half a password would not be recognised.
        hidden = masked_data(value, self.problems.secrets)
        text = repr(str(hidden) if isinstance(hidden, str) else hidden)
        return text if len(text) <= LONGEST_SHOWN_VALUE else f"{text[: LONGEST_SHOWN_VALUE - 1]}…"

    def hides_part_of(self, text: str) -> bool:
        """Whether the text contains a secret, so that a message must not show any part of it."""
        return self.secret or masked(text, self.problems.secrets) != text


def parents(path: str) -> t.Iterator[str]:
    """The parents of a place: a.b for a.b[1], and a for both."""
    for index, character in enumerate(path):
        if character in ".[":
            yield path[:index]
