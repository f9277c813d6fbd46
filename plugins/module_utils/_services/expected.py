# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with expectations: their keys, and services that nobody has."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.schema import EXPECTATION, VARIABLE
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import INVALID, ListOf, is_set
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean


def check(value: t.Any, names: t.Collection[str], place: Place) -> None:
    """Note every mistake in the expectations; ``names`` are those of all services."""
    place = place.key(VARIABLE)
    expectations = ListOf(EXPECTATION).read(value, place) if is_set(value) else []
    if expectations is INVALID:
        return
    for index, expectation in enumerate(expectations):
        here = place.item(index).key("expect")
        wanted = expectation["expect"]
        for spot, expected in ((here, wanted), (here.key("not"), wanted.get("not", {}))):
            service = expected.get("service")
            if service and service not in names:
                hint = did_you_mean(service, names) or "Write a haproxy_service_name."
                spot.key("service").wrong(service, "is not a service", hint)
