# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients with certificates, at binds that verify them: Configuration Manual, section 5.1, "verify" and "crl-file"."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make, make_crl
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import Results, failures

Rehearsed = t.Callable[..., Results]

VERIFYING = SHOP.replace(
    "ssl crt /etc/haproxy/ssl/shop.pem",
    "ssl crt /etc/haproxy/ssl/shop.pem verify required ca-file /etc/haproxy/clients.pem",
).replace(
    "    option forwardfor\n",
    """\
    http-request set-header X-Client %[ssl_c_s_dn(cn)] if { ssl_c_used }
    http-request deny deny_status 401 if { path /operators } !{ ssl_c_s_dn(ou) operators }
""",
)
CRL = VERIFYING.replace("clients.pem", "clients.pem crl-file /etc/haproxy/clients.crl")
CLIENTS_CA = make("The Clients' CA", authority=True)
FILES = {"clients.pem": CLIENTS_CA.crt, "clients.crl": make_crl(CLIENTS_CA)}


def asks(certificate: t.Any, expect: t.Any, path: str = "/", **request: t.Any) -> dict[str, t.Any]:
    shown = {"certificate": certificate} if certificate else {}
    return {"request": {"url": f"https://www.example.com{path}", **shown, **request}, "expect": expect}


OPERATOR = {
    "name": "Bob/Ops, Ltd.",
    "subject": {"O": "Example", "OU": "operators"},
    "names": ["bob@example.com", "::1"],
}


@pytest.mark.parametrize("http", [1, 2])
def test_who_may(http: int, rehearsed: Rehearsed) -> None:
    known = {"status": 200, "request_headers": {"X-Client": "alice"}}
    results = rehearsed(
        asks("alice", known, http=http),
        asks(None, "reset", http=http),
        asks("alice", {"status": 401}, "/operators", http=http),
        asks(OPERATOR, {"request_headers": {"X-Client": "Bob/Ops, Ltd."}}, "/operators", http=http),
        asks({"name": "alice", "state": "expired"}, "reset", http=http),
        asks({"name": "alice", "state": "untrusted"}, "reset", http=http),
        # Nothing says so here.
        asks({"name": "alice", "state": "revoked"}, known, http=http),
        configuration=VERIFYING,
        files=FILES,
    )
    assert failures(results) == []


def test_a_revocation_list(rehearsed: Rehearsed) -> None:
    results = rehearsed(
        asks("alice", {"status": 200}),
        asks({"name": "alice", "state": "revoked"}, "reset"),
        asks(None, "reset"),
        configuration=CRL,
        files=FILES,
    )
    assert failures(results) == []


def test_files_that_are_not_there(rehearsed: Rehearsed) -> None:
    """As on a controller, which has no certificates of the load balancers."""
    results = rehearsed(
        asks("alice", {"status": 200}), asks({"name": "alice", "state": "revoked"}, "reset"), configuration=CRL
    )
    assert failures(results) == []


def test_who_need_not(rehearsed: Rehearsed) -> None:
    """Configuration Manual, section 7.3.4, "ssl_c_used" and "ssl_c_verify"."""
    optional = VERIFYING.replace("shop.pem verify required", "shop.pem verify optional crt-ignore-err all").replace(
        "    http-request deny deny_status 401",
        "    http-request set-header X-Verify %[ssl_c_verify]\n    http-request deny deny_status 401",
    )
    results = rehearsed(
        asks("alice", {"request_headers": {"X-Client": "alice", "X-Verify": "0"}}),
        asks(None, {"without_request_headers": ["X-Client"], "request_headers": {"X-Verify": "0"}}),
        # X509_V_ERR_CERT_HAS_EXPIRED of openssl-verification-options(1)
        asks({"name": "alice", "state": "expired"}, {"request_headers": {"X-Verify": "10"}}),
        configuration=optional,
        files=FILES,
    )
    assert failures(results) == []


def test_a_list_of_certificates(rehearsed: Rehearsed) -> None:
    """Its options are those of a bind, for some names."""
    listed = SHOP.replace("crt /etc/haproxy/ssl/shop.pem", "crt-list /etc/haproxy/shop.crt-list")
    line = "/etc/haproxy/shop.pem [verify required ca-file /etc/haproxy/clients.pem] www.example.com\n"
    made = {"first.pem": make("shop.example.com").pem, "shop.pem": make("www.example.com").pem}
    files = {**FILES, **made, "shop.crt-list": f"/etc/haproxy/first.pem\n{line}"}
    results = rehearsed(
        asks("alice", {"status": 200}),
        asks(None, "reset"),
        asks(None, {"status": 200}, sni="shop.example.com"),
        configuration=listed,
        files=files,
    )
    assert failures(results) == []


def test_a_client_that_only_connects(rehearsed: Rehearsed) -> None:
    tcp = """\
listen ldaps
    mode tcp
    bind 203.0.113.10:636 ssl crt /etc/haproxy/ssl/shop.pem verify required ca-file /etc/haproxy/clients.pem
    server ldap1 10.0.0.4:389
"""
    connects = {"connect": "203.0.113.10:636", "tls": True}
    results = rehearsed(
        {"request": {**connects, "certificate": "alice"}, "expect": {"server": "ldap1"}},
        {"request": connects, "expect": "reset"},
        configuration=SHOP + tcp,
        files=FILES,
    )
    assert failures(results) == []
