# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations are validated with everything else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import mark
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import Checked, check

WEB = {
    "haproxy_service_name": "web",
    "haproxy_port": 80,
    "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "192.0.2.21"}],
}
API = {**WEB, "haproxy_service_name": "api", "haproxy_port": 81}


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


def of_service(expectation: t.Any, **keys: t.Any) -> Checked:
    service = {**WEB, **keys, "haproxy_expect": [expectation]}
    return check({"haproxy_service_configs": [API, service]}, {"haproxy_host": "lb1"}, {})


PLACE = "haproxy_service_configs[1].haproxy_expect"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({}, {"service": "web"}),
        ({"expect": {"status": 200}}, {"service": "web", "status": 200}),
        ({"expect": {"not": {"status": 503}}}, {"service": "web", "not": {"status": 503}}),
        ({"expect": {"service": "api"}}, {"service": "api"}),
        ({"expect": {"server": "web1"}}, {"server": ["web1"]}),
        ({"expect": {"not": {"service": "web"}}}, {"not": {"service": "web"}}),
        ({"expect": "refused"}, {"connection": "refused"}),
    ],
    ids=str,
)
def test_the_service_itself_is_expected(written: t.Any, meant: t.Any) -> None:
    """Unless something else is said of where the request goes."""
    checked = of_service({"name": "x", "request": {"url": "http://www.example.org/"}, **written}).or_raise()
    (expectation,) = checked.expectations[PLACE]
    assert expectation["expect"] == meant


def test_expectations_go_with_their_service() -> None:
    """A load balancer that has not got the service need not meet them."""
    right = expectation({"status": 200})
    assert list(of_service(right).expectations) == [PLACE]
    assert of_service(right, haproxy_limit_hosts=["lb2"]).expectations == {}
    assert of_service(right, haproxy_service_enabled=False).expectations == {}


def test_expectations_of_all_and_of_one_are_met_together() -> None:
    settings = {"haproxy_expectations": [expectation("refused")]}
    service = {**WEB, "haproxy_expect": [expectation({"status": 200})]}
    found = check({"haproxy_extra_services": [service]}, settings, {}).or_raise().expectations
    assert list(found) == ["haproxy_expectations", "haproxy_extra_services[0].haproxy_expect"]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"expect": {"service": "wbe"}}, "[0].expect.service (service \"web\"): 'wbe' is not a service. Did you mean"),
        ({"expect": {"statsu": 1}}, '[0].expect.statsu (service "web"): is not a key of what should come.'),
        ({"request": {}}, '[0].request.url (service "web"): is missing (or connect).'),
        ({"name": None}, '[0].name (service "web"): is missing.'),
    ],
)
def test_what_is_wrong_of_one_service(written: t.Any, problem: str) -> None:
    found = list(map(str, of_service({**expectation({}), **written}).problems.errors))
    assert [text for text in found if text.startswith(f"{PLACE}{problem}")], found
    assert len(found) == 1


def test_all_mistakes_at_once() -> None:
    wrong = {"name": "", "request": {"url": "x"}, "given": {"donw": []}, "expect": "refuse"}
    assert len(of_service(wrong).problems.errors) == 4


def test_a_service_without_a_backend_has_to_say_what_it_expects() -> None:
    frontend: dict[str, t.Any] = {
        "haproxy_frontend_only": True,
        "haproxy_backend_nodes": None,
        "haproxy_default_backend": "api",
    }
    request = {"url": "http://www.example.org/"}
    (problem,) = of_service({"name": "x", "request": request}, **frontend).problems.errors
    assert str(problem).startswith(f'{PLACE}[0].expect (service "web"): is missing.')
    checked = of_service({"name": "x", "request": request, "expect": {"status": 200}}, **frontend).or_raise()
    assert checked.expectations[PLACE][0]["expect"] == {"status": 200}


def test_steps_of_a_service() -> None:
    request = {"url": "http://www.example.org/"}
    steps = [{"request": request}, {"request": request, "expect": {"same_server": True}}]
    found = of_service({"name": "x", "steps": steps}).or_raise().expectations[PLACE]
    assert [step["expect"] for step in found[0]["steps"]] == [{"service": "web"}, {"same_server": True}]
    steps[1]["expect"] = {"service": "wbe"}
    (problem,) = of_service({"name": "x", "steps": steps}).problems.errors
    assert problem.path == f"{PLACE}[0].steps[1].expect.service"
