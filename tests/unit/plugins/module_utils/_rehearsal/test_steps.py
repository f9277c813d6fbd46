# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several requests of one client, and entries of maps, with the real HAProxy."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Reply
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.cookies import Cookies
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Request, parse
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import Results, failures

Rehearsed = t.Callable[..., Results]
WEB = {"url": "http://www.example.com/"}
STICKY = SHOP.replace(
    "backend shop-back\n", "backend shop-back\n    balance roundrobin\n    cookie SRV insert indirect\n"
)
STICKY = STICKY.replace("web1 10.0.0.1:8080 check", "web1 10.0.0.1:8080 check cookie w1")
STICKY = STICKY.replace("web2 10.0.0.2:8080 check", "web2 10.0.0.2:8080 check cookie w2")
LOGIN = SHOP.replace(
    "    default_backend shop-back\n",
    """\
    http-request redirect location /account set-cookie SID=7 if { path /login }
    http-request redirect location /login if { path /account } !{ req.cook(SID) 7 }
    default_backend shop-back
""",
)


def step(expect: t.Any, **request: t.Any) -> dict[str, t.Any]:
    return {"request": {**WEB, **request}, "expect": expect}


def test_a_cookie_leads_to_the_same_server(rehearsed: Rehearsed) -> None:
    stays = {"steps": [step({"status": 200}), step({"same_server": True}, times=3)]}
    results = rehearsed(stays, {**stays, "given": {"down": ["web1"]}}, configuration=STICKY)
    assert failures(results) == []
    (result,) = rehearsed(stays)
    assert not result["passed"]
    (failure,) = {failure["key"]: failure for failure in result["failures"]}.values()
    assert (failure["key"], failure["path"]) == (
        "steps[1].same_server",
        "haproxy_expectations[0].steps[1].expect.same_server",
    )


def test_another_client_has_no_cookie(rehearsed: Rehearsed) -> None:
    """Neither has the same request without steps, nor the next expectation."""
    turns = {"request": {**WEB, "times": 4}, "expect": {"same_server": False}}
    stays = {"steps": [step({"same_server": True}, times=4)]}
    assert failures(rehearsed(turns, stays, turns, configuration=STICKY)) == []


def test_a_stick_table_remembers_from_step_to_step(rehearsed: Rehearsed) -> None:
    table = "backend shop-back\n    stick-table type ip size 1k\n    stick on src\n"
    stays = {"steps": [step({}), step({"same_server": True}, times=2)]}
    other = {"steps": [step({}), step({"not": {"same_server": True}}, **{"from": "198.51.100.9"})]}
    assert failures(rehearsed(stays, other, configuration=SHOP.replace("backend shop-back\n", table))) == []


def test_a_login(rehearsed: Rehearsed) -> None:
    account, login = {"url": "http://www.example.com/account"}, {"url": "http://www.example.com/login"}
    steps = [
        {"request": account, "expect": {"location": "/login", "frontend": "shop-front-1"}},
        {"request": login, "expect": {"location": "/account"}},
        {"request": account, "expect": {"status": 200, "request_headers": {"Cookie": "SID=7"}}},
        {"request": {**account, "http": 2, "url": "https://www.example.com/account"}, "expect": {"status": 200}},
        {"request": {"url": "http://www.example.org/account"}, "expect": {"location": "/login"}},
    ]
    results = rehearsed({"steps": steps}, {"request": account, "expect": {"status": 302}}, configuration=LOGIN)
    assert failures(results) == []
    assert results[0]["request"].startswith("GET http://www.example.com/account, then GET http://www.example.com/login")


@pytest.mark.parametrize(
    ("cookie", "url", "sent"),
    [
        # RFC 6265, sections 5.1.3, 5.1.4, 5.2.5 and 5.3.
        ("a=1", "http://www.example.com/x", "a=1"),
        ("a=1", "http://example.com/", None),
        ("a=1; Domain=example.com", "http://shop.example.com/", "a=1"),
        ("a=1; Domain=example.org", "http://www.example.org/", None),
        ("a=1; Path=/shop", "http://www.example.com/shop/x", "a=1"),
        ("a=1; Path=/shop", "http://www.example.com/other", None),
        ("a=1; Secure", "http://www.example.com/", None),
        ("a=1; Secure", "https://www.example.com/", "a=1"),
        ("a=1; Max-Age=0", "http://www.example.com/", None),
    ],
)
def test_which_cookies_are_sent(cookie: str, url: str, sent: str | None) -> None:
    cookies = Cookies()
    asked = Request(url="https://www.example.com/")
    cookies.keep(asked, Reply("answered", status=200, headers=(("Set-Cookie", cookie),)))
    assert dict(cookies.added(Request(url=url)).headers).get("Cookie") == sent


def test_cookies_of_the_request_stay() -> None:
    cookies = Cookies()
    asked = Request(url="http://www.example.com/", headers=(("cookie", "b=2"),))
    cookies.keep(asked, Reply("answered", headers=(("Set-Cookie", "a=1"), ("set-cookie", "c=3"))))
    assert cookies.added(asked).headers == (("Cookie", "b=2; a=1; c=3"),)


MAPPED = SHOP.replace(
    "    default_backend shop-back\n",
    "    http-request deny if { src -f /etc/haproxy/denied.acl }\n"
    "    use_backend %[path,map(/etc/haproxy/pools.map,shop-back)]\n    default_backend shop-back\n",
)
FILES = {"pools.map": "/api2 api-back\n/gone shop-back\n", "denied.acl": "192.0.2.1\n"}


def at(path: str, expect: t.Any, **given: t.Any) -> dict[str, t.Any]:
    maps = {"given": {"maps": given}} if given else {}
    return {"request": {"url": f"http://www.example.com{path}"}, "expect": expect, **maps}


def test_entries_of_maps_are_there_for_one_expectation(rehearsed: Rehearsed) -> None:
    entries = {"pools.map": {"/new": "api-back", "/gone": "api-back"}, "denied.acl": ["198.51.100.0/24"]}
    whole = {"/etc/haproxy/pools.map": entries["pools.map"]}
    results = rehearsed(
        at("/new", {"backend": "shop-back"}),
        at("/new", {"backend": "api-back"}, **whole),
        at("/gone", {"backend": "api-back"}, **whole),
        at("/api2", {"backend": "api-back"}, **whole),
        at("/new", {"status": 403}, **entries),
        at("/gone", {"backend": "shop-back", "status": 200}),
        at("/new", {"backend": "shop-back", "status": 200}),
        configuration=MAPPED,
        files=FILES,
    )
    assert failures(results) == []


def test_a_map_that_nobody_reads(rehearsed: Rehearsed) -> None:
    with pytest.raises(LbforgeError) as caught:
        rehearsed(at("/", {}, **{"pool.map": {"a": "b"}}), configuration=MAPPED, files=FILES)
    (error,) = caught.value.details["errors"]
    assert error["path"] == "haproxy_expectations[0].given.maps"
    assert error["text"].endswith("Use /etc/haproxy/denied.acl or /etc/haproxy/pools.map.")


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"pools.map": ["/a"]}, "pools.map is a map: give it keys with values"),
        ({"denied.acl": {"192.0.2.9": "yes"}}, "denied.acl is a file of an ACL: give it a list"),
        ({"denied.acl": ["home"]}, "denied.acl"),
    ],
)
def test_entries_that_a_map_cannot_have(entries: t.Any, problem: str, rehearsed: Rehearsed) -> None:
    with pytest.raises(LbforgeError, match=problem):
        rehearsed(at("/", {}, **entries), configuration=MAPPED, files=FILES)


@pytest.mark.parametrize(
    ("expectation", "problem"),
    [
        ({"steps": []}, ".steps: is empty."),
        ({"expect": "reset"}, ".request: is missing (or steps)"),
        ({"steps": [step({})], "request": WEB}, ".steps: cannot be combined with request"),
        ({"steps": [step({})], "expect": "refused"}, ".expect: cannot be combined with steps. Move it into a step."),
        ({"steps": [{"request": WEB}]}, ".steps[0].expect: is missing"),
        ({"request": WEB}, ".expect: is missing"),
        (step({"same_server": True}), ".expect.same_server: has no request before it to compare with."),
        (
            {"steps": [step({"not": {"same_server": True}}), step({"same_server": True})]},
            ".steps[0].expect.not.same_server: has no request before it to compare with.",
        ),
        (step({}, certificate="alice"), ".request.certificate: has no effect without TLS."),
        (
            step({}, url="https://a.test/", certificate={"name": "a", "state": "gone"}),
            ".request.certificate.state: 'gone' is not a valid value; use valid, expired, revoked or untrusted",
        ),
        ({**step({}), "given": {"maps": {"a.map": "x y", "b.map": 7}}}, ".given.maps.b.map: 7 is not a list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes(expectation: t.Any, problem: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        parse([{"name": "x", **expectation}])
    found = list(map(str, caught.value.problems))
    assert [text for text in found if text.startswith(f"haproxy_expectations[0]{problem}")], found
    assert len(found) == 1
