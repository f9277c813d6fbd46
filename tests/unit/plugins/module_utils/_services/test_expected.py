# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations are validated with everything else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import mark
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

WEB = {
    "haproxy_service_name": "web",
    "haproxy_port": 80,
    "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "192.0.2.21"}],
}


def told(*expectations: t.Any) -> list[str]:
    settings = {"haproxy_expectations": list(expectations)}
    return [str(problem) for problem in check({"haproxy_service_configs": [WEB]}, settings, {}).problems.errors]


def expectation(expect: t.Any) -> dict[str, t.Any]:
    return {"name": "the shop", "request": {"url": "http://www.example.org/"}, "expect": expect}


@pytest.mark.parametrize("expect", ["refused", {"service": "web"}, {"not": {"service": "web"}}, {"status": 301}])
def test_what_is_right(expect: t.Any) -> None:
    assert told(expectation(expect)) == []


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"service": "wbe"}, ".service: 'wbe' is not a service. Did you mean web?"),
        ({"not": {"service": "api"}}, ".not.service: 'api' is not a service. Write a haproxy_service_name."),
        ({"statsu": 200}, ".statsu: is not a key of what should come. Did you mean status?"),
        ("refuse", ": 'refuse' is not a valid value; use refused, reset or timeout. Did you mean refused?"),
        (mark("'here' is undefined"), ": cannot be resolved: 'here' is undefined. Define the variable, or give it"),
    ],
)
def test_what_is_wrong(expect: t.Any, problem: str) -> None:
    found = told(expectation({"service": "web"}), expectation(expect))
    assert [text for text in found if text.startswith(f"haproxy_expectations[1].expect{problem}")], found
