# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests to which two configurations respond differently. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

Observed = t.Mapping[str, t.Any]
Result = t.Mapping[str, t.Any]

_INDENT = " " * 8
_ABSENT = "nothing"


@dataclasses.dataclass(frozen=True)
class Difference:
    """A request, and what was observed of it only before, or only after.

    ``before`` and ``after`` have the same keys, those of ``expect`` whose values differ; a value is empty where there
    was none. A header is a key of its own, such as ``request_headers.x-forwarded-for``.
    """

    name: str
    request: str
    before: t.Mapping[str, str]
    after: t.Mapping[str, str]

    def as_dict(self) -> dict[str, t.Any]:
        """The difference as plain data."""
        return dataclasses.asdict(self)


def differences(before: t.Iterable[Result], after: t.Iterable[Result]) -> list[Difference]:
    """What differs in the results of the same expectations with two configurations, in their order."""
    found = []
    for old, new in zip(before, after):
        was, comes = _flat(old["observed"]), _flat(new["observed"])
        keys = [key for key in {**was, **comes} if was.get(key) != comes.get(key)]
        if keys:
            sides = ({key: side.get(key, "") for key in keys} for side in (was, comes))
            found.append(Difference(new["name"], new["request"], *sides))
    return found


def lines(found: t.Iterable[Difference]) -> list[str]:
    """The differences for people: a line for each request, and below it one for each value that changes."""
    result = []
    for one in found:
        result.append(f"CHANGED {one.name}" + ("" if one.name == one.request else f" ({one.request})"))
        result += [f"{_INDENT}{key}: {one.before[key] or _ABSENT} -> {one.after[key] or _ABSENT}" for key in one.before]
    return result


def _flat(observed: Observed, prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in observed.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found
