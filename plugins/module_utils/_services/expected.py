# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations of all services and of each: do the services exist that they name, and what do those of one mean?"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.schema import EXPECTATION, VARIABLE
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import INVALID, ListOf, is_set
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.crosscheck import Item
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

KEY = "haproxy_expect"
# What says where a request goes, or that it goes nowhere.
PLACES = {"connection", "service", "frontend", "backend", "server", "same_server"}

Data = dict[str, t.Any]


def check(value: t.Any, every: t.Sequence[Item], place: Place) -> list[Data]:
    """Note every mistake in the expectations, of the variable and of all services; return those of the variable."""
    place = place.key(VARIABLE)
    read = ListOf(EXPECTATION).read(value, place) if is_set(value) else []
    expectations: list[Data] = [] if read is INVALID else read
    names = {item.name for item in every}
    _services(expectations, names, place)
    for item in every:
        its_place = item.place.key(KEY)
        its_expectations = item.service.expect or []
        _services(its_expectations, names, its_place)
        if item.service.frontend_only:
            for step, here in _steps(its_expectations, its_place):
                if "expect" not in step:
                    hint = "This service has no backend, so name what is expected."
                    here.key("expect").wrong(None, "is missing", hint)
    return expectations


def by_places(shared: list[Data], items: t.Iterable[Item]) -> dict[str, list[Data]]:
    """The expectations of the variable and those of services, by the places where they stand.

    One of a service expects the service itself, unless it says where the request goes.
    """
    found = {VARIABLE: shared}
    for item in items:
        its_expectations = item.service.expect or ()
        found[item.place.key(KEY).path] = [_completed(expectation, item.service) for expectation in its_expectations]
    return {path: expectations for path, expectations in found.items() if expectations}


def _steps(expectations: t.Iterable[Data], place: Place) -> t.Iterator[tuple[Data, Place]]:
    """The dictionaries with a request and what should come of it, and their places."""
    for index, expectation in enumerate(expectations):
        here = place.item(index)
        if "request" in expectation:
            yield expectation, here
        for number, step in enumerate(expectation.get("steps", ())):
            yield step, here.key("steps").item(number)


def _completed(expectation: Data, service: Service) -> Data:
    if "steps" in expectation:
        return {**expectation, "steps": [_completed(step, service) for step in expectation["steps"]]}
    wanted = expectation.get("expect", {})
    # With a frontend only, requests go to the backends of others.
    if service.frontend_only or PLACES & {*wanted, *wanted.get("not", {})}:
        return expectation
    return {**expectation, "expect": {**wanted, "service": service.service_name}}


def _services(expectations: t.Iterable[Data], names: t.Collection[str], place: Place) -> None:
    """Note the services that nobody has."""
    for step, its_place in _steps(expectations, place):
        here = its_place.key("expect")
        wanted = step.get("expect", {})
        for spot, expected in ((here, wanted), (here.key("not"), wanted.get("not", {}))):
            service = expected.get("service")
            if service and service not in names:
                hint = did_you_mean(service, names) or "Write a haproxy_service_name."
                spot.key("service").wrong(service, "is not a service", hint)
