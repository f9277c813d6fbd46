# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers come to know of clients, and who is let in: rehearsed, or with a server that tells what it got.

A PROXY header gives a client any address; proxies of a user are addresses, too. Tests that need several requests on one
connection, or several values of a header, are not rehearsed.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

from .conftest import WEB
from .traffic import Client, Headers, Serve, mirrored

Unmet = t.Callable[..., list[str]]
STRANGER, CLIENT, CDN, INNER_PROXY = "203.0.113.7", "198.51.100.8", "192.0.2.1", "192.0.2.2"
PROXIES = ["192.0.2.0/24", "2001:db8:1::/48"]
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "x-forwarded-host": "evil.example.org",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Proto": "gopher",
    "Forwarded": "for=6.6.6.6",
    "X-Real-IP": "6.6.6.6",
}


def forwarding(headers: Headers) -> Headers:
    """Those that tell of clients, but for the one that HAProxy always sets."""
    return {
        name: values
        for name, values in headers.items()
        if name.startswith(("x-forwarded-", "x-real")) or name == "forwarded"
    }


# haproxy_forwarded_for, what a stranger's server sees, what the server sees of a client behind a CDN.
BEHIND = "6.6.6.6, 198.51.100.8"
CHOICES: list[tuple[str, list[str], list[str]]] = [
    ("add", [STRANGER], [BEHIND]),
    ("set", [STRANGER], [CLIENT]),
    ("pass", [], [BEHIND]),
    ("off", [], []),
]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("choice", "of_strangers", "of_proxies", "both"),
    [(*choice, False) for choice in CHOICES] + [(*CHOICES[0], True)],
)
def test_only_trusted_proxies_tell_of_clients(
    serve: Serve, mirror: int, choice: str, of_strangers: list[str], of_proxies: list[str], both: bool, tls: bool
) -> None:
    keys = {"haproxy_ssl": tls or both, "haproxy_accept_both_protocols": both, "haproxy_forwarded_for": choice}
    web = mirrored(mirror, haproxy_trusted_proxies=PROXIES, **keys)
    serve(web)
    scheme = "https" if tls else "http"
    status, seen = Client(web["haproxy_port"], STRANGER, tls=tls).ask(FORGED)
    assert status == 200
    expected = {"x-forwarded-proto": [scheme], **({"x-forwarded-for": of_strangers} if of_strangers else {})}
    assert forwarding(seen) == expected
    # The next request of a connection that a proxy keeps is of another client.
    proxy = Client(web["haproxy_port"], CDN, tls=tls)
    for client in ("192.168.0.1", CLIENT):
        status, seen = proxy.ask({**FORGED, "X-Forwarded-For": f"6.6.6.6, {client}"})
    told = {name.lower(): [value] for name, value in FORGED.items() if name != "X-Forwarded-For"}
    assert forwarding(seen) == {**told, **({"x-forwarded-for": of_proxies} if of_proxies else {})}
    # A proxy that says nothing is a client.
    seen = Client(web["haproxy_port"], CDN, tls=tls).ask({})[1]
    assert seen["x-forwarded-proto"] == [scheme]
    assert seen.get("x-forwarded-for", []) == ([CDN] if of_strangers else [])


@pytest.mark.parametrize("choice", ["add", "set", "pass", "off"])
def test_without_trusted_proxies_everybody_is_a_stranger(unmet: Unmet, choice: str) -> None:
    def seen_of(source: str) -> dict[str, t.Any]:
        told = {"X-Forwarded-Proto": "http", **({"X-Forwarded-For": source} if choice in ("add", "set") else {})}
        forged = [name for name in FORGED if name not in told]
        return {
            "request": {"url": "http://203.0.113.10/", "from": source, "headers": FORGED},
            "expect": {"request_headers": told, "without_request_headers": forged},
        }

    assert unmet([{**WEB, "haproxy_forwarded_for": choice}], seen_of(STRANGER), seen_of(CDN)) == []


# X-Forwarded-For as it comes from a trusted proxy, and who the client is.
CHAINS: list[tuple[str, str]] = [
    (CLIENT, CLIENT),
    (f"6.6.6.6,{CLIENT}", CLIENT),
    (f"6.6.6.6, {CLIENT}, {INNER_PROXY}", CLIENT),
    (f"6.6.6.6, {CLIENT}, {INNER_PROXY}, {INNER_PROXY}, 192.0.2.9, {INNER_PROXY}", CLIENT),
    ("2001:db8::8", "2001:db8::8"),
    ("6.6.6.6, 2001:db8::8, 2001:db8:1::2", "2001:db8::8"),
    # All of them are trusted: the first has nobody in front of it.
    (f"192.0.2.77, {INNER_PROXY}", "192.0.2.77"),
    # Some proxies add the port.
    (f"6.6.6.6, {CLIENT}:4711", CLIENT),
    # What a proxy could not tell, nobody before it can.
    ("6.6.6.6, unknown", CDN),
    (f"6.6.6.6, unknown, {INNER_PROXY}", INNER_PROXY),
    (f"6.6.6.6, unknown, {CLIENT}", CLIENT),
    ("6.6.6.6, _hidden", CDN),
    ("6.6.6.6, 999.1.1.1", CDN),
    ("unknown", CDN),
    ("", CDN),
]


def test_the_client_is_the_last_that_is_no_trusted_proxy(serve: Serve, mirror: int) -> None:
    web = mirrored(mirror, haproxy_trusted_proxies=PROXIES, haproxy_forwarded_for="set")
    serve(web)
    proxy = Client(web["haproxy_port"], CDN)
    seen = [(chain, proxy.ask({"X-Forwarded-For": chain})[1]["x-forwarded-for"][0]) for chain, _client in CHAINS]
    assert seen == CHAINS
    several = Client(web["haproxy_port"], CDN)
    several.putrequest("GET", "/")
    for value in ("6.6.6.6", CLIENT, INNER_PROXY):
        several.putheader("X-Forwarded-For", value)
    several.endheaders()
    assert json.loads(several.getresponse().read())["x-forwarded-for"] == [CLIENT]


def test_rules_of_the_user_see_the_client(unmet: Unmet) -> None:
    """Case 26, and what X-Forwarded-Proto is for: a redirect that ends."""
    lines = [
        "http-request set-header X-Client %[src]",
        "http-request redirect scheme https code 301 if { path_beg /secure } !{ req.hdr(X-Forwarded-Proto) https }",
        f"http-request deny deny_status 429 if {{ src {CLIENT} }} {{ path /banned }}",
    ]
    web = {**WEB, "haproxy_trusted_proxies": PROXIES, "haproxy_frontend_raw": lines}

    def request(source: str, path: str = "") -> dict[str, t.Any]:
        proxied = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
        return {"url": f"http://203.0.113.10/{path}", "from": source, "headers": proxied}

    expectations = [
        {"request": request(CDN, "secure"), "expect": {"status": 200}},
        {"request": request(STRANGER, "secure"), "expect": {"status": 301}},
        {"request": request(CDN, "banned"), "expect": {"status": 429}},
        {"request": request(CDN), "expect": {"request_headers": {"X-Client": CLIENT}}},
        {"request": request(STRANGER), "expect": {"request_headers": {"X-Client": STRANGER}}},
    ]
    assert unmet([web], *expectations) == []


@pytest.mark.parametrize("both", [False, True])
def test_an_allow_list_is_about_clients_behind_proxies(serve: Serve, mirror: int, both: bool) -> None:
    web = mirrored(
        mirror,
        haproxy_trusted_proxies=PROXIES,
        haproxy_allowlist_networks=["198.51.100.0/24"],
        haproxy_ssl=both,
        haproxy_accept_both_protocols=both,
    )
    serve(web)
    proxy = Client(web["haproxy_port"], CDN)
    assert proxy.ask({"X-Forwarded-For": CLIENT})[0] == 200
    assert proxy.ask({"X-Forwarded-For": f"{CLIENT}, {STRANGER}"})[0] == 403
    assert proxy.ask({"X-Forwarded-For": f"{STRANGER}, {CLIENT}"})[0] == 200
    assert Client(web["haproxy_port"], CLIENT).ask({})[0] == 200
    for source in (STRANGER, "192.0.3.1"):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            Client(web["haproxy_port"], source).ask({"X-Forwarded-For": CLIENT})


@pytest.mark.parametrize("trusted", [[], PROXIES])
@pytest.mark.parametrize("by_name", [False, True])
def test_the_ca_reaches_certbot_past_an_allow_list(
    serve: Serve, mirror: int, trusted: list[str], by_name: bool
) -> None:
    """On the redirect frontend alone: everything else of it stays closed."""
    rule = "path_beg /.well-known/" if by_name else "path_beg /.well-known/acme-challenge/"
    certbot = {
        **mirrored(mirror),
        "haproxy_service_name": "letsencrypt",
        "haproxy_backend_only": True,
    }
    web = mirrored(
        mirror,
        haproxy_ssl=True,
        haproxy_redirect_http_port=free_port(),
        haproxy_allowlist_networks=["198.51.100.0/24"],
        haproxy_trusted_proxies=trusted,
        haproxy_frontend_acls={
            "acme": {"rule": rule, "backend_name": "letsencrypt"},
            "other": {"rule": "path_beg /other", "backend_name": "letsencrypt"},
        }
        if not by_name
        else {"acme": {"rule": rule, "backend_name": "letsencrypt"}},
    )
    # By its port certbot is known, and by the path of the RFC.
    serve(web, certbot, haproxy_ssl_letsencrypt_certbot_backend_port=mirror if by_name else free_port())
    port = web["haproxy_redirect_http_port"]
    assert Client(port, STRANGER).ask({}, "/.well-known/acme-challenge/token")[0] == 200
    for path in ("/", "/other", "/x/.well-known/acme-challenge/token"):
        assert Client(port, STRANGER).ask({}, path)[0] == 403
    assert Client(port, CLIENT).ask({}, "/")[0] == 302
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError, ssl.SSLError)):
        Client(web["haproxy_port"], STRANGER, tls=True).ask({}, "/.well-known/acme-challenge/token")


def test_a_raw_default_backend_wins(unmet: Unmet) -> None:
    other = {**WEB, "haproxy_service_name": "other", "haproxy_backend_only": True}
    web = {**WEB, "haproxy_frontend_raw": ["default_backend other-back"]}
    assert unmet([web, other], {"request": {"url": "http://203.0.113.10/"}, "expect": {"service": "other"}}) == []


def test_one_frontend_for_all_binds(serve: Serve, mirror: int) -> None:
    """Plain and TLS in one: each request tells how it came, and limits and tables are shared."""
    web = mirrored(
        mirror,
        haproxy_bind=["127.0.0.1", {"address": "127.0.0.2", "options": ["name plain-one"]}],
        haproxy_ssl=True,
        haproxy_single_frontend=True,
        haproxy_redirect_http_port=free_port(),
        haproxy_frontend_raw=[
            "stick-table type ip size 1k store http_req_cnt",
            "http-request track-sc0 src",
            "http-request set-header X-Count %[sc0_http_req_cnt]",
        ],
    )
    running = serve(web)
    port = web["haproxy_port"]
    seen = Client(port, STRANGER, tls=True).ask(FORGED)[1]
    assert (seen["x-forwarded-proto"], seen["x-count"]) == (["https"], ["1"])
    seen = Client(port, STRANGER, address="127.0.0.2").ask(FORGED)[1]
    assert (seen["x-forwarded-proto"], seen["x-count"]) == (["http"], ["2"])
    assert Client(web["haproxy_redirect_http_port"], STRANGER).ask({})[0] == 302
    frontends = [line.split(",")[0] for line in running.ask("show stat").splitlines() if ",FRONTEND," in line]
    assert sorted(frontends) == ["web-front-1", "web-redirect-front-1"]
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.2", web["haproxy_redirect_http_port"])),
    ):
        pass
