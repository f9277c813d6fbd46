# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to the user: problems in one shape, and the exceptions that modules and filters turn into them."""

from __future__ import annotations

import dataclasses
import typing as t


class LbforgeError(Exception):
    """An error for the user: a sentence, and the facts behind it.

    A module ends with the message and ``details``, whose keys are return values and must be JSON types.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details


@dataclasses.dataclass(frozen=True)
class Problem:
    """One mistake or warning.

    ``path`` is the place in the user's data, empty for the whole, ``value`` the shown value there, empty if there is
    none. ``why`` is the reason, which names the value if that helps, ``hint`` a sentence that says what to do. ``name``
    is that of the item at the path: a service, a server, a certificate, an entry.
    """

    path: str
    value: str
    why: str
    hint: str = ""
    name: str = ""

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.why.rstrip('.')}.{hint}"

    @property
    def place(self) -> str:
        """The path, with the name of the item."""
        return f"{self.path} ({self.name})" if self.name else self.path

    def as_dict(self) -> dict[str, t.Any]:
        """The problem as a return value."""
        return {**dataclasses.asdict(self), "text": str(self)}


def shown(value: t.Any) -> str:
    """A value without secrets for a problem."""
    return "" if value is None else repr(value)


class ProblemsError(LbforgeError):
    """Every problem at once; ``details["errors"]`` has each as a dictionary."""

    def __init__(
        self,
        problems: t.Iterable[Problem],
        heading: str = "",
        *,
        bullet: str = "",
        separator: str = "\n",
        **details: t.Any,
    ) -> None:
        self.problems = tuple(problems)
        parts = [*([heading] if heading else []), *(f"{bullet}{problem}" for problem in self.problems)]
        errors = [problem.as_dict() for problem in self.problems]
        super().__init__(separator.join(parts), errors=errors, **details)


def mistakes(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """The mistakes of one task on several hosts: each once, with its hosts unless all have it.

    A result has C(errors), dictionaries with a C(text), or else a C(msg).
    """
    hosts: dict[str, list[str]] = {}
    for host, result in results.items():
        texts = [error["text"] for error in result.get("errors") or ()] or filter(None, [result.get("msg")])
        for text in dict.fromkeys(texts):
            hosts.setdefault(text, []).append(host)
    return [text if len(on) == len(results) else f"{text} ({', '.join(on)})" for text, on in hosts.items()]
