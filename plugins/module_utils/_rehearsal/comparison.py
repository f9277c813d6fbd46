# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests to which two configurations respond differently."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Expectation
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.learning import requests_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.observed import Observed
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse

Result = t.Mapping[str, t.Any]

# More take longer than anybody waits for a diff.
MOST = 2000

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


def compare(old: Trial, new: Trial) -> list[Difference]:
    """Rehearse two configurations, and return the requests to which they respond differently.

    The requests are those of the expectations of ``new``, and those by which either configuration can be learned, up to
    ``MOST``. Servers that only one of them has are no mistake here. Raises LbforgeError if either cannot be rehearsed.
    """
    unique: dict[t.Any, Expectation] = {}
    for one in (*new.expectations, *_telling(old, new), *_telling(new, old)):
        unique.setdefault((one.given, tuple(dataclasses.replace(step.request, timeout=0) for step in one.steps)), one)
    expectations = list(unique.values())[:MOST]
    before, after = (
        rehearse(dataclasses.replace(trial, expectations=expectations), names_must_exist=False)["results"]
        for trial in (old, new)
    )
    return differences(before, after)


def _telling(trial: Trial, other: Trial) -> list[Expectation]:
    """The requests that tell one configuration from another."""
    files = {path for path in {*trial.files, *other.files} if trial.files.get(path) != other.files.get(path)}
    names = {str(path) for path in files - {trial.configuration}}
    ports = affected_ports(trial.sections, other.sections, names)
    return [one for one in requests_of(trial) if any(step.request.port in ports for step in one.steps)]


def affected_ports(own: t.Sequence[Section], others: t.Sequence[Section], files: t.Collection[str]) -> set[int]:
    """The ports of frontends that may respond differently than in another configuration.

    Such a frontend has other lines, or names one of the ``files`` or a backend that has. ``global`` concerns all.
    """
    there = {section.heading: section.lines for section in others}
    changed = [section for section in own if there.get(section.heading) != section.lines]
    if any(section.kind in ("defaults", "global") for section in changed):
        return {bind.port for bind in binds(own)}
    names = {section.name for section in changed}
    while more := {section.name for section in own if section.name not in names and _mentions(section, names, files)}:
        names |= more
    return {bind.port for bind in binds(own) if bind.proxy in names}


def _mentions(section: Section, names: t.Collection[str], files: t.Collection[str]) -> bool:
    """Whether a section sends requests to one of these backends, or reads one of these files."""
    for line in section.lines:
        target = line[1] if line[0] in ("use_backend", "default_backend") and len(line) > 1 else ""
        # Only HAProxy knows the name of a backend that a rule computes.
        if target in names or (names and "%[" in target):
            return True
        if any(file in word for file in files for word in line):
            return True
    return False


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
        is_named = one.request.partition(" ")[2] in one.name
        result.append(f"CHANGED {one.name}" if is_named else f"CHANGED {one.name} ({one.request})")
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
