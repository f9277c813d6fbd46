# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What expectations may hold, and how they are judged."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Answer, Hop, Reply, Visit
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import (
    Certificate,
    Expectation,
    parse,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.judge import judge
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import ProblemsError

HOPS = (Hop("web-front-1", "web-back", "web1"),)
VISIT = Visit(("10.0.0.1", 80), "10.0.0.9", HOPS, "GET / HTTP/1.1", (("X-A", "1"), ("x-a", "2")))
REPLY = Reply(
    "answered", "203.0.113.10", 200, "1", (("Server", "nginx"),), "Hello", Certificate(("a.test",), "An authority")
)
ANSWER = Answer(REPLY, VISIT, HOPS, "bind 203.0.113.10:443")


def made(expect: t.Any, **request: t.Any) -> Expectation:
    return parse([{"name": "it", "request": {"url": "https://a.test/", **request}, "expect": expect}])[0]


@pytest.mark.parametrize(
    "expect",
    [
        {"service": "web"},
        {"frontend": "web-front-1"},
        {"backend": "web-back"},
        {"server": "web1"},
        {"server": ["web2", "web-back/web1"]},
        {"status": "200"},
        # Two lines of one name are one list: RFC 9110, section 5.3.
        {"request_headers": {"x-A": "1, 2"}},
        {"without_request_headers": "X-B"},
        {"response_headers": {"server": "nginx"}},
        {"without_response_headers": ["X-Powered-By"]},
        {"body": "ell"},
        {"http": 1},
        {"certificate": {"names": "a.test", "issuer": "An authority"}},
        {"not": {"service": "api", "server": "web2", "status": 503, "body": "error"}},
        {"not": "refused"},
    ],
    ids=str,
)
def test_what_is_met(expect: t.Any) -> None:
    assert judge(made(expect), [[ANSWER]]) == []


@pytest.mark.parametrize(
    ("expect", "key", "got"),
    [
        ({"service": "we"}, "service", "web-back"),
        ({"frontend": "web-front-2"}, "frontend", "web-front-1"),
        ({"backend": "web"}, "backend", "web-back"),
        ({"server": "api-back/web1"}, "server", "web1"),
        ({"status": 201}, "status", "200"),
        ({"location": "https://b.test/"}, "location", "nothing"),
        ({"request_headers": {"X-A": "1"}}, "request_headers.X-A", "X-A: 1, 2"),
        ({"without_request_headers": "x-a"}, "without_request_headers", "x-a: 1, 2"),
        ({"response_headers": {"Server": "apache"}}, "response_headers.Server", "Server: nginx"),
        ({"without_response_headers": "server"}, "without_response_headers", "server: nginx"),
        ({"body": "hello"}, "body", "Hello"),
        ({"http": 2}, "http", "1"),
        ({"certificate": {"names": ["a.test", "b.test"]}}, "certificate.names", "a.test"),
        ({"certificate": {"issuer": "Another"}}, "certificate.issuer", "An authority"),
        ("timeout", "connection", "status 200"),
        ({"not": {"service": "web"}}, "not.service", "web-back"),
    ],
    ids=str,
)
def test_what_is_not(expect: t.Any, key: str, got: str) -> None:
    (failure,) = judge(made(expect), [[ANSWER]])
    assert (failure.path, failure.got) == (f"haproxy_expectations[0].expect.{key}", got)
    assert failure.way == "bind 203.0.113.10:443 > web-front-1 > web-back/web1"


def test_a_failure_of_many_answers_is_told_once() -> None:
    assert len(judge(made({"status": 404}, times=3), [[ANSWER] * 3])) == 1


def test_a_service_without_a_backend_is_its_frontend() -> None:
    own = Answer(Reply("answered", status=301), None, (Hop("web-redirect-front-1"),), "bind 203.0.113.10:80")
    assert judge(made({"service": "web"}), [[own]]) == []
    assert judge(made({"service": "we"}), [[own]]) != []


@pytest.mark.parametrize(
    ("expectation", "problem"),
    [
        ({"request": {"url": "https://a.test/"}, "expect": "refused"}, "[0].name: is missing"),
        ({"name": "x", "request": {}, "expect": "refused"}, "[0].request.url: is missing (or connect)"),
        (
            {"name": "x", "request": {"url": "http://a.test/", "connect": "192.0.2.1:1"}, "expect": "reset"},
            "[0].request.connect: cannot be combined with url",
        ),
        ({"name": "x", "request": {"url": "a.test"}, "expect": "reset"}, "[0].request.url: 'a.test' is not a URL"),
        (
            {"name": "x", "request": {"connect": "192.0.2.1:1"}, "expect": "refuse"},
            "[0].expect: 'refuse' is not a valid value; use refused, reset or timeout. Did you mean refused?",
        ),
        (
            {"name": "x", "request": {"connect": "192.0.2.1:1", "from": "home"}, "expect": "reset"},
            "[0].request.from: 'home' is not an IP address",
        ),
        (
            {"name": "x", "request": {"url": "http://a.test/"}, "expect": {"servce": "web"}},
            "[0].expect.servce: is not a key of what should come. Did you mean service?",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes(expectation: t.Any, problem: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        parse([expectation])
    assert [text for text in map(str, caught.value.problems) if text.startswith(f"haproxy_expectations{problem}")]
