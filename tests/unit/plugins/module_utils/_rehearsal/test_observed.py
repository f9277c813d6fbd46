# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is observed of a request is met when it comes again, and holds nothing that changes by itself."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.observed import changing_headers, common
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.test_rehearsal import (
    API,
    MET,
    WEB,
    Rehearsed,
)
from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import Results, failures

FORWARDED = {"x-forwarded-for": "198.51.100.1"}
PROVEN = {"cache-control": "no-cache", "content-type": "text/html"}
OBSERVED: dict[str, dict[str, t.Any]] = {
    "the default pool": {
        "frontend": "shop-front-1",
        "backend": "shop-back",
        "status": 200,
        "request_headers": FORWARDED,
    },
    "headers to the server": {
        "frontend": "shop-front-1",
        "backend": "api-back",
        "server": "api1",
        "status": 200,
        "request_headers": {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"},
        "without_request_headers": ["x-trace"],
    },
    "a redirect": {"frontend": "shop-front-1", "status": 301, "location": "https://www.example.com/old"},
    "HAProxy's own answer": {
        "frontend": "shop-front-1",
        "status": 403,
        "body": "Request forbidden by administrative rules.",
        "response_headers": PROVEN,
    },
    "no listener": {"connection": "refused"},
    "a rejected connection": {"connection": "reset", "frontend": "database"},
    "TCP": {"frontend": "database", "backend": "database", "server": "db1"},
    "round robin": {
        "frontend": "shop-front-1",
        "backend": "shop-back",
        "server": ["web1", "web2"],
        "status": 200,
        "request_headers": FORWARDED,
    },
}


def observations(results: Results) -> list[dict[str, t.Any]]:
    return [result["observed"] for result in results]


def test_what_is_observed(rehearsed: Rehearsed) -> None:
    assert dict(zip(OBSERVED, observations(rehearsed(*(MET[name] for name in OBSERVED))))) == OBSERVED


def test_what_was_observed_comes_again(rehearsed: Rehearsed) -> None:
    """In the reverse order, so that all servers have another turn."""
    learned = [
        {**expectation, "expect": seen}
        for expectation, seen in zip(MET.values(), observations(rehearsed(*MET.values())))
    ]
    assert failures(rehearsed(*reversed(learned))) == []


def test_what_the_client_gets(rehearsed: Rehearsed) -> None:
    changed = SHOP.replace(
        "    option forwardfor\n",
        "    http-response del-header Server\n    http-response set-header X-Frame-Options DENY\n"
        "    http-response set-header X-Powered-By nobody\n",
    )
    (seen,) = observations(rehearsed({"request": WEB, "expect": {}}, configuration=changed))
    assert seen["response_headers"] == {"x-frame-options": "DENY", "x-powered-by": "nobody"}
    assert seen["without_response_headers"] == ["server"]


def test_what_changes_by_itself_is_left_out(rehearsed: Rehearsed) -> None:
    changing = SHOP.replace(
        "    option forwardfor\n",
        "    unique-id-format %{+X}o%ci:%cp_%pid_%Ts\n    unique-id-header X-Unique-ID\n"
        "    http-request set-header X-Request-Start t=%[date()]\n    http-request set-header X-Same yes\n"
        '    http-response set-header X-Served-By "%b/%s"\n'
        "    http-response set-header Expires %[date(60),http_date]\n",
    )
    for old, new in (
        ("option httpchk\n    server web1", "cookie SERVER insert\n    server web1"),
        ("web1 10.0.0.1:8080 check", "web1 10.0.0.1:8080 cookie one"),
        ("web2 10.0.0.2:8080 check", "web2 10.0.0.2:8080 cookie two"),
    ):
        changing = changing.replace(old, new)
    sole = {"given": {"maintenance": ["web2"]}, "request": {**WEB, "times": 2}, "expect": {}}
    pool, one = observations(rehearsed({"request": WEB, "expect": {}}, sole, configuration=changing))
    assert (pool["request_headers"], "response_headers" in pool) == ({"x-same": "yes"}, False)
    assert one["server"] == "web1"
    assert one["response_headers"] == {"x-served-by": "shop-back/web1", "set-cookie": "SERVER=one; path=/"}


def test_a_password_for_the_server_is_not_observed(rehearsed: Rehearsed) -> None:
    secret = SHOP.replace("    option forwardfor\n", '    http-request set-header Authorization "Basic b25seS1oZXJl"\n')
    (seen,) = observations(rehearsed({"request": API, "expect": {}}, configuration=secret))
    assert seen["request_headers"] == {"x-forwarded-proto": "https"}


def test_headers_that_change() -> None:
    """Configuration Manual, sections 7.3 and 8.2.6."""
    frontend = parse("""\
frontend web
    unique-id-header X-ID
    http-request set-header X-Time %[date]
    http-request add-header X-Random "a %[rand(100)]" if TRUE
    http-response set-header X-Process %pid
    http-request set-header X-Client %ci
    http-request set-header X-Host %[req.hdr(Host),lower]
    http-request replace-header X-Path (.*) %T
""")
    assert changing_headers(frontend) == {"x-id", "x-time", "x-random", "x-process", "x-path"}


def test_what_observations_have_in_common() -> None:
    one = {"status": 200, "request_headers": {"a": "1", "b": "2"}, "without_request_headers": ["x", "y"]}
    other = {"status": 200, "request_headers": {"a": "1", "b": "3"}, "without_request_headers": ["y"], "body": "x"}
    assert common([one, other]) == {
        "status": 200,
        "request_headers": {"a": "1"},
        "without_request_headers": ["y"],
    }
    assert common([one, {"connection": "refused"}]) == {}
    assert common([one]) == one
