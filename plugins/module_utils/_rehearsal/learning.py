# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations that a configuration meets today, learned from what it answers."""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.client import has_http2
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Expectation, parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.observed import (
    Observed,
    common,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.probes import (
    Probe,
    Probes,
    description,
    probes,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked_data

_PATIENCE = 2  # seconds for an answer; each request that gets none costs them
_SECOND = 1.0


@dataclasses.dataclass(frozen=True)
class Learned:
    """``expectations`` as a user writes them, and ``untold``: what they do not tell, in sentences."""

    expectations: list[Probe]
    untold: list[str]


def learn(trial: Trial, secrets: t.Collection[str] = ()) -> Learned:
    """Ask all that tells of a configuration, and keep what comes each time. Its own expectations do not matter.

    Raises LbforgeError where it cannot be rehearsed.
    """
    asked = _probes_of(trial)
    untold = list(asked.untold)
    requests = [probe for probe in asked.requests if _is_open(probe, secrets)]
    if hidden := len(asked.requests) - len(requests):
        untold.append(f"{hidden} requests are left out, because they would name a secret.")
    started = time.monotonic()
    seen = [_without_secrets(result["observed"], secrets) for result in _rehearsed(trial, requests)]
    # Once more, in reverse, in another HAProxy and another second: what differs then is not the configuration's.
    time.sleep(max(0.0, _SECOND - (time.monotonic() - started)))
    supposed = [{**probe, "expect": _with_absent(probe, facts, asked)} for probe, facts in zip(requests, seen)]
    again = reversed(_rehearsed(trial, supposed[::-1]))
    expectations = []
    for probe, result in zip(supposed, again):
        if expected := _kept(probe["expect"], result):
            expectations.append(_expectation(probe, expected))
    if unstable := len(requests) - len(expectations):
        untold.append(f"{unstable} requests are left out, because they are not answered alike each time.")
    return Learned(expectations, untold)


def requests_of(trial: Trial) -> list[Expectation]:
    """The requests by which a configuration can be learned, with nothing expected of them."""
    return _patient(_probes_of(trial).requests)


def _probes_of(trial: Trial) -> Probes:
    return probes(trial.sections, trial.read, has_http2=has_http2())


def _rehearsed(trial: Trial, requests: t.Sequence[Probe]) -> list[dict[str, t.Any]]:
    results: list[dict[str, t.Any]] = rehearse(dataclasses.replace(trial, expectations=_patient(requests)))["results"]
    return results


def _patient(requests: t.Sequence[Probe]) -> list[Expectation]:
    return parse(
        [
            {"expect": {}, **probe, "name": description(probe), "request": {"timeout": _PATIENCE, **probe["request"]}}
            for probe in requests
        ]
    )


def _with_absent(probe: Probe, seen: Observed, asked: Probes) -> Observed:
    """Add the headers that rules may give, and did not give here as far as can be seen."""
    sent = [name.lower() for name in probe["request"].get("headers", ())]
    found = dict(seen)
    from_server = seen.get("status") == 200 and "backend" in seen
    for key, names in (
        ("request_headers", asked.request_headers if from_server else []),
        ("response_headers", asked.response_headers if seen.get("status") else []),
    ):
        absent = [name for name in names if name not in (*seen.get(key, ()), *sent)]
        if without := list(dict.fromkeys([*seen.get(f"without_{key}", ()), *absent])):
            found[f"without_{key}"] = without
    return found


def _kept(supposed: Observed, result: t.Mapping[str, t.Any]) -> Observed:
    """What was supposed and came again."""
    there = {failure["expected"] for failure in result["failures"] if failure["key"].startswith("without_")}
    kept = common(
        [
            supposed,
            {**result["observed"], **{key: value for key, value in supposed.items() if key.startswith("without_")}},
        ]
    )
    for key in [key for key in kept if key.startswith("without_")]:
        kept[key] = [name for name in kept[key] if f"no {name}" not in there]
    return {key: value for key, value in kept.items() if value}


def _expectation(probe: Probe, expected: Observed) -> Probe:
    request = dict(probe["request"])
    if expected.get("connection") == "timeout":
        request["timeout"] = _PATIENCE
    return {"name": f"{description(probe)} {_outcome(expected)}", **probe, "request": request, "expect": expected}


def _outcome(expected: Observed) -> str:
    """What comes of a request, as the end of a sentence."""
    connection, status = expected.get("connection"), expected.get("status", 0)
    if connection:
        return {"refused": "is refused", "reset": "is reset", "timeout": "gets no answer"}[connection]
    if "location" in expected:
        return f"is redirected to {expected['location']}"
    if "backend" in expected and status in (0, 200):
        return f"goes to {expected['backend']}"
    return f"gets {status}" if status else "is answered"


def _without_secrets(seen: Observed, secrets: t.Collection[str]) -> Observed:
    """Leave out what no file may hold."""
    kept: Observed = {}
    for key, value in seen.items():
        if isinstance(value, dict):
            kept[key] = _without_secrets(value, secrets)
        elif _is_open(value, secrets):
            kept[key] = value
    return kept


def _is_open(data: t.Any, secrets: t.Collection[str]) -> bool:
    """Whether it holds neither a secret nor what Ansible would take for a template."""
    return bool(masked_data(data, secrets) == data) and not re.search(r"\{[{%#]", str(data))
