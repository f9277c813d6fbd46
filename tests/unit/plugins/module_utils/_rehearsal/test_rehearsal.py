# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real HAProxy answers as its manual says, with a shop that has never been anywhere."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import lines
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import Results, failures

Rehearsed = t.Callable[..., Results]
API = {"url": "https://www.example.com/api/v1?x=1"}
WEB = {"url": "http://www.example.com/"}
DATABASE = {"connect": "203.0.113.10:5432"}

MET: dict[str, dict[str, t.Any]] = {
    "the pool by a path": {"request": API, "expect": {"service": "api", "backend": "api-back", "server": "api1"}},
    "the default pool": {"request": WEB, "expect": {"service": "shop", "frontend": "shop-front-1", "status": 200}},
    "HTTP/2": {"request": {**API, "http": 2}, "expect": {"service": "api", "http": 2}},
    "a method and a body": {
        "request": {**API, "method": "POST", "body": "a=1"},
        "expect": {"request_headers": {"Content-Length": "3"}},
    },
    "headers to the server": {
        "request": {**API, "headers": {"X-Trace": "abc"}, "from": "198.51.100.7"},
        "expect": {
            "request_headers": {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"},
            "without_request_headers": ["X-Trace"],
        },
    },
    "a redirect": {
        "request": {"url": "http://www.example.com/old"},
        "expect": {"status": 301, "location": "https://www.example.com/old", "service": "shop"},
    },
    "HAProxy's own answer": {
        "request": {"url": "http://www.example.com/admin"},
        "expect": {"status": 403, "body": "administrative rules", "response_headers": {"content-type": "text/html"}},
    },
    "an address that may": {
        "request": {"url": "http://www.example.com/admin", "from": "10.9.9.9"},
        "expect": {"status": 200, "server": ["web1", "web2"]},
    },
    "no listener": {"request": {"connect": "203.0.113.10:9000"}, "expect": "refused"},
    "a rejected connection": {"request": {**DATABASE, "from": "192.0.2.66"}, "expect": {"connection": "reset"}},
    "a request that waits": {
        "request": {"url": "http://www.example.com/pit", "timeout": 1},
        "expect": {"connection": "timeout"},
    },
    "TCP": {"request": DATABASE, "expect": {"backend": "database", "server": "db1"}},
    "IPv6": {"request": {"connect": "[2001:db8:5::10]:5432"}, "expect": {"server": "database/db1"}},
    "TCP with an address": {"request": {**WEB, "to": "203.0.113.10"}, "expect": {"service": "shop"}},
    "round robin": {"request": {**WEB, "times": 4}, "expect": {"server": ["web1", "web2"]}},
    "a server that is down": {
        "given": {"down": ["web1"]},
        "request": {**WEB, "times": 3},
        "expect": {"server": "web2"},
    },
    "a host that is down": {
        "given": {"down": ["10.0.0.2"]},
        "request": {**WEB, "times": 3},
        "expect": {"server": "web1"},
    },
    "a drained server": {
        "given": {"drained": ["shop-back/web2"]},
        "request": {**WEB, "times": 3},
        "expect": {"server": "web1"},
    },
    "maintenance": {"given": {"maintenance": ["web2"]}, "request": {**WEB, "times": 3}, "expect": {"server": "web1"}},
    "a backup server that rests": {"request": {**API, "times": 4}, "expect": {"server": "api1"}},
    "a backup server": {"given": {"down": ["api1"]}, "request": API, "expect": {"server": "api2"}},
    "no server": {"given": {"down": ["web1", "web2"]}, "request": WEB, "expect": {"status": 503}},
    "all is well again": {"request": {**WEB, "times": 4}, "expect": {"server": ["web1", "web2"]}},
    "what is unwanted": {"request": WEB, "expect": {"not": {"service": "api", "status": 503}}},
}

WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({"request": WEB, "expect": {"service": "api"}}, "service: expected api, got shop-back"),
    ({"request": WEB, "expect": {"server": "web2", "status": 404}}, "status: expected 404, got 200"),
    ({"request": WEB, "expect": "refused"}, "connection: expected refused, got status 200"),
    (
        {"request": {"connect": "203.0.113.10:9000"}, "expect": {"status": 200}},
        "connection: expected answered, got refused",
    ),
    ({"request": API, "expect": {"not": {"service": "api"}}}, "not: expected not api, got api-back"),
    (
        {"request": WEB, "expect": {"request_headers": {"X-Forwarded-Proto": "https"}}},
        "request_headers: expected X-Forwarded-Proto: https, got nothing",
    ),
    (
        {"given": {"down": ["web1"]}, "request": {**WEB, "times": 3}, "expect": {"server": ["web1", "web2"]}},
        "server: expected web1, too, got web2",
    ),
]


def test_what_is_expected(rehearsed: Rehearsed) -> None:
    """All in one rehearsal: none knows of another."""
    results = rehearsed(*MET.values())
    assert failures(results) == []
    assert [result["passed"] for result in results] == [True] * len(MET)


def test_what_is_not(rehearsed: Rehearsed) -> None:
    results = rehearsed(*(expectation for expectation, _why in WRONG))
    assert [result["passed"] for result in results] == [False] * len(WRONG)
    for result, (_expectation, why) in zip(results, WRONG):
        assert why in result["failures"][-1]["why"], result


def test_the_way_of_a_request(rehearsed: Rehearsed) -> None:
    """As the configuration has it."""
    requests = ({"request": API}, {"request": {"url": "http://www.example.com/old"}}, {"request": DATABASE})
    results = rehearsed(*({**request, "expect": {"status": 599}} for request in requests))
    assert [result["failures"][0]["way"] for result in results] == [
        "bind 203.0.113.10:443 > shop-front-1 > api-back/api1",
        "bind 203.0.113.10:80 > shop-front-1 > no backend (HAProxy itself answered)",
        "bind 203.0.113.10:5432 > database > database/db1",
    ]


def test_the_way_to_an_answer_of_haproxy_itself(rehearsed: Rehearsed) -> None:
    """In a backend that the request names, and in one that the configuration does."""
    configuration = SHOP.replace("default_backend shop-back", "use_backend %[path,field(2,/)]-back").replace(
        "\nbackend shop-back\n", "\nbackend no-back\n    http-request deny\nbackend shop-back\n"
    )
    configuration += "frontend closed\n    bind 203.0.113.10:81\n    default_backend shut\n"
    configuration += "backend shut\n    http-request deny\n"
    results = rehearsed(
        {"request": {"url": "http://www.example.com/no"}, "expect": {"status": 403, "backend": "no-back"}},
        {"request": {"url": "http://www.example.com:81/"}, "expect": {"status": 403, "backend": "shut"}},
        {"request": {"url": "http://www.example.com/no"}, "expect": {"status": 403, "backend": "no-back"}},
        configuration=configuration,
    )
    assert failures(results) == []
    assert [result["way"] for result in results[:2]] == [
        "bind 203.0.113.10:80 > shop-front-1 > no-back (HAProxy itself answered)",
        "bind 203.0.113.10:81 > closed > shut (HAProxy itself answered)",
    ]


def test_a_certificate_that_is_not_there(rehearsed: Rehearsed) -> None:
    """Nothing is said of one that nobody has seen, and that is told; all else counts."""
    certificate = {"names": ["www.example.com"]}
    results = rehearsed(
        {"request": API, "expect": {"certificate": certificate}},
        {"request": API, "expect": {"not": {"certificate": certificate}}},
        {"request": API, "expect": {"certificate": certificate, "status": 404}},
        {"request": API, "expect": {"status": 200}},
    )
    assert [(result["passed"], result["unjudged"]) for result in results] == [
        (True, ["certificate"]),
        (True, ["certificate"]),
        (False, ["certificate"]),
        (True, []),
    ]
    assert lines(results)[0] == "ok      0 (not on this host, and so not judged: certificate)"


def test_a_certificate_that_is_there(rehearsed: Rehearsed) -> None:
    authority = make("The Shop's CA", authority=True)
    leaf = make("www.example.com", authority, names=["www.example.com", "shop.example.com"])
    results = rehearsed(
        {
            "request": API,
            "expect": {"certificate": {"names": ["shop.example.com"], "issuer": "The Shop's CA"}},
        },
        {"request": API, "expect": {"certificate": {"names": ["other.example.com"]}}},
        configuration=SHOP.replace("ssl/shop.pem", "shop.pem"),
        files={"shop.pem": leaf.pem},
    )
    assert [result["passed"] for result in results] == [True, False]


def test_a_server_whose_name_is_another_than_its_certificate_says(rehearsed: Rehearsed) -> None:
    """Verified as in earnest: Configuration Manual, section 5.2, "verifyhost"."""
    by_address = SHOP.replace("sni str(api.example.com)", "verifyhost api.example.com")
    request = {"request": API, "expect": {"server": "api1", "request_headers": {"Host": "www.example.com"}}}
    assert failures(rehearsed(request, configuration=by_address)) == []
    unknown = by_address.replace("verify required ca-file @system-ca", "verify required ca-file /etc/hostname")
    assert failures(rehearsed(request, configuration=unknown)) == []


def test_a_password_for_the_server_is_not_shown(rehearsed: Rehearsed) -> None:
    secret = SHOP.replace("    option forwardfor\n", '    http-request set-header Authorization "Basic b25seS1oZXJl"\n')
    expectation = {"request": WEB, "expect": {"request_headers": {"Authorization": "Basic eW91cnM="}}}
    results = rehearsed(expectation, configuration=secret)
    assert not results[0]["passed"]
    assert "b25seS1oZXJl" not in str(results)


def test_a_table_forgets(rehearsed: Rehearsed) -> None:
    """Three requests a client are let through; each expectation counts from nothing."""
    limited = SHOP.replace(
        "    default_backend shop-back\n",
        "    stick-table type ipv6 size 1k expire 1m store http_req_cnt\n    http-request track-sc0 src\n"
        "    http-request deny deny_status 429 if { sc_http_req_cnt(0) gt 3 }\n    default_backend shop-back\n",
    )
    within = {"request": {**WEB, "times": 3}, "expect": {"status": 200}}
    results = rehearsed(
        within, within, {"request": {**WEB, "times": 4}, "expect": {"status": 200}}, configuration=limited
    )
    assert [result["passed"] for result in results] == [True, True, False]
    assert "got 429" in failures(results)[0]


def test_two_protocols_on_one_port(rehearsed: Rehearsed) -> None:
    """A frontend that hands on to another one, as the role does it; the way has both."""
    sniffing = """\
frontend outer
    mode tcp
    bind 203.0.113.10:8080
    default_backend relay
backend relay
    mode tcp
    server inner abns@inner send-proxy-v2
frontend inner
    bind abns@inner accept-proxy
    default_backend shop-back
"""
    results = rehearsed(
        {
            "request": {"url": "http://203.0.113.10:8080/", "from": "198.51.100.9"},
            "expect": {"service": "shop", "frontend": "inner", "status": 200},
        },
        configuration=SHOP + sniffing,
    )
    assert failures(results) == []
    assert re.fullmatch(r"bind 203.0.113.10:8080 > outer > relay/inner > inner > shop-back/web[12]", results[0]["way"])


def test_what_haproxy_refuses(rehearsed: Rehearsed) -> None:
    with pytest.raises(LbforgeError, match=r"HAProxy does not start[^$]*unknown keyword 'nonsense'"):
        rehearsed({"request": WEB, "expect": {"status": 200}}, configuration=f"{SHOP}    nonsense\n")


def test_names_that_are_not_in_the_configuration(rehearsed: Rehearsed) -> None:
    with pytest.raises(LbforgeError) as caught:
        rehearsed(
            {"given": {"down": ["web9"]}, "request": WEB, "expect": {"server": "web8", "not": {"server": "api1"}}},
        )
    assert [error["path"] for error in caught.value.details["errors"]] == [
        "haproxy_expectations[0].given.down",
        "haproxy_expectations[0].expect.server",
    ]


def test_what_cannot_be_rehearsed_is_said(rehearsed: Rehearsed) -> None:
    with pytest.raises(LbforgeError, match=r"server api-back/api2 speaks only HTTP/2"):
        rehearsed(
            {"request": WEB, "expect": {"status": 200}},
            configuration=SHOP.replace("8443 check backup", "8443 check backup proto h2"),
        )


def test_an_interface(rehearsed: Rehearsed) -> None:
    bound = SHOP.replace("bind 203.0.113.10:80\n", "bind *:80 interface ext0\n")
    results = rehearsed({"request": {**WEB, "to": "203.0.113.77"}, "expect": {"status": 200}}, configuration=bound)
    assert failures(results) == []


def test_a_configuration_of_a_daemon(rehearsed: Rehearsed) -> None:
    """As that of Debian's package, which systemd overrules by -Ws."""
    daemon = SHOP.replace("global\n", "global\n    daemon\n    maxconn 2000\n    pidfile /run/haproxy.pid\n", 1)
    assert failures(rehearsed({"request": WEB, "expect": {"status": 200}}, configuration=daemon)) == []


def test_a_server_that_follows_another_ones_health(rehearsed: Rehearsed) -> None:
    tracking = SHOP.replace("server web2 10.0.0.2:8080 check", "server web2 10.0.0.2:8080 track api-back/api2")
    expectation = {"given": {"down": ["api2"]}, "request": {**WEB, "times": 3}, "expect": {"server": "web1"}}
    assert failures(rehearsed(expectation, configuration=tracking)) == []


def test_a_server_that_is_not_checked(rehearsed: Rehearsed) -> None:
    """HAProxy finds out by itself, and tries another: Configuration Manual, "option redispatch"."""
    unchecked = SHOP.replace(":8080 check", ":8080").replace("    option httpchk\n", "    option redispatch 1\n", 1)
    expectation = {"given": {"down": ["web1"]}, "request": {**WEB, "times": 4}, "expect": {"server": "web2"}}
    assert failures(rehearsed(expectation, configuration=unchecked)) == []


def test_the_port_of_the_client(rehearsed: Rehearsed) -> None:
    """A server without a port is asked on that of the client: Configuration Manual, section 5.2, "server"."""
    ports = SHOP.replace("server web1 10.0.0.1:8080 check", "server web1 10.0.0.1:+8000").replace(
        "server web2 10.0.0.2:8080 check", "server web2 web2.example.com send-proxy"
    )
    expectation = {"request": {**WEB, "times": 4}, "expect": {"server": ["web1", "web2"], "status": 200}}
    assert failures(rehearsed(expectation, configuration=ports)) == []
