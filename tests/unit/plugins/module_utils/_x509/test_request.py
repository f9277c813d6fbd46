# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.kinds import parse_duration
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import PkiError, parse_request

ROOT = {"name": "Root", "cn": "Root CA"}
LEAF = {"name": "leaf", "cn": "lb1.example.org", "signed_by": "Root"}


def authorities(*entries: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"authorities": list(entries)}


def root(**changes: t.Any) -> dict[str, t.Any]:
    return authorities({**ROOT, **changes})


def below(**changes: t.Any) -> dict[str, t.Any]:
    return authorities(ROOT, {"name": "Sub", "cn": "Sub CA", "signed_by": "Root", **changes})


def leaf(**changes: t.Any) -> dict[str, t.Any]:
    return {**authorities(ROOT), "certificates": [{**LEAF, **changes}]}


def user(**changes: t.Any) -> dict[str, t.Any]:
    return {"user_certificates": [{"name": "own", "cert": "/a.crt", "key": "/a.key", **changes}]}


# What a user may get wrong, where the message says it is, and a part of what it says.
MISTAKES: list[tuple[dict[str, t.Any], str, str]] = [
    (root(name=None), "authorities[0].name", "missing"),
    (root(name="  "), "authorities[0].name", "missing"),
    (root(name="../etc/passwd"), "authorities[0].name", "is not a valid file name"),
    (root(name=".hidden"), "authorities[0].name", "is not a valid file name"),
    (root(name="-rf"), "authorities[0].name", "is not a valid file name"),
    (root(name="two words"), "authorities[0].name", "is not a valid file name"),
    (root(name="a\nb"), "authorities[0].name", "control character"),
    (root(name="x" * 201), "authorities[0].name", "200 are allowed"),
    (root(name="Root-chain"), "authorities[0].name", "chain file"),
    (leaf(name="leaf-ca_bundle"), "certificates[0].name", "chain file"),
    (authorities(ROOT, ROOT), "authorities[1].name", "already the name of authorities[0]"),
    (root(cn=None), "authorities[0].cn", "missing"),
    (root(cn="x" * 65), "authorities[0].cn", "64 are allowed"),
    (root(cn="Root\x00CA"), "authorities[0].cn", "control character"),
    (root(country_name="England"), "authorities[0].country_name", "2 are allowed"),
    (root(country_name="G1"), "authorities[0].country_name", "two letters"),
    (root(organization_name="x" * 65), "authorities[0].organization_name", "64 are allowed"),
    (root(email_address="nobody"), "authorities[0].email_address", "not an e-mail address"),
    (root(email_address="jürgen@example.org"), "authorities[0].email_address", "not an e-mail address"),
    (root(provider="acme"), "authorities[0].provider", "use selfsigned or ownca"),
    (root(provider="ownca"), "authorities[0].signed_by", "is required with provider ownca"),
    (below(provider="selfsigned"), "authorities[1].signed_by", "has no other signer"),
    (below(signed_by="root"), "authorities[1].signed_by", "known: Root, Sub"),
    (root(signed_by="Root"), "authorities[0].signed_by", "circle: Root → Root"),
    (
        authorities({"name": "A", "cn": "A", "signed_by": "B"}, {"name": "B", "cn": "B", "signed_by": "A"}),
        "authorities[0].signed_by",
        "circle: A → B → A",
    ),
    (root(basic_constraints=["CA:FALSE"]), "authorities[0].basic_constraints", "'CA:FALSE'"),
    (root(basic_constraints=["CA:TRUE", "pathlen:-1"]), "authorities[0].basic_constraints", "'pathlen:-1'"),
    (root(basic_constraints=["pathlen"]), "authorities[0].basic_constraints", "pathlen:NUMBER"),
    (
        authorities({**ROOT, "basic_constraints": ["pathlen:0"]}, {"name": "Sub", "cn": "Sub", "signed_by": "Root"}),
        "authorities[1].signed_by",
        "'Root' has pathlen:0",
    ),
    (
        authorities(
            {**ROOT, "basic_constraints": ["pathlen:1"]},
            {"name": "Sub", "cn": "Sub", "signed_by": "Root"},
            {"name": "Deep", "cn": "Deep", "signed_by": "Sub"},
        ),
        "authorities[2].signed_by",
        "'Root' has pathlen:1",
    ),
    (root(key_usage=["certSign"]), "authorities[0].key_usage", "'certSign' is not a valid value"),
    (root(ttl="10 years"), "authorities[0].ttl", "such as 365d"),
    (root(ttl="3650"), "authorities[0].ttl", "a number and a unit"),
    (root(ttl="0d"), "authorities[0].ttl", "not a lifetime"),
    (root(ttl="-5d"), "authorities[0].ttl", "not a lifetime"),
    (root(ttl="40000d"), "authorities[0].ttl", "longer than 36525 days"),
    (root(ttl="9" * 30 + "w"), "authorities[0].ttl", "not a lifetime"),
    (root(key_type="DSA"), "authorities[0].key_type", "ECDSA, RSA"),
    (root(key_type="RSA", key_size=1024), "authorities[0].key_size", "use 2048, 3072, 4096 or 8192"),
    (root(key_size=2048), "authorities[0].key_size", "use 256, 384 or 521"),
    (root(key_type="Ed25519", key_size=256), "authorities[0].key_size", "remove it"),
    (root(name_constraints_permitted=["example.org"]), "authorities[0].name_constraints_permitted", "'example.org' is"),
    (
        root(name_constraints_permitted=[]),
        "authorities[0].name_constraints_permitted",
        "would let the authority sign for any name",
    ),
    (root(name_constraints_permitted=["DNS:*.org"]), "authorities[0].name_constraints_permitted", "DNS:DOMAIN"),
    (root(name_constraints_excluded=["IP:10.0.0.1/8"]), "authorities[0].name_constraints_excluded", "IP:NETWORK"),
    (root(name_constraints_excluded=["URI:a.org"]), "authorities[0].name_constraints_excluded", "use DNS:DOMAIN or"),
    (root(revoked=[{}]), "authorities[0].revoked[0].serial", "missing"),
    (root(revoked=[{"serial": "12g"}]), "authorities[0].revoked[0].serial", "in hexadecimal"),
    (root(revoked=[{"serial": "0"}]), "authorities[0].revoked[0].serial", "'0' is not a serial number"),
    (
        root(revoked=[{"serial": "1", "reason": "lost"}]),
        "authorities[0].revoked[0].reason",
        "'lost' is not a valid value",
    ),
    (root(revoked=[], crl_ttl="soon"), "authorities[0].crl_ttl", "not a lifetime"),
    (root(key_passphrase="a\nb"), "authorities[0].key_passphrase", "control character"),
    ({**leaf(), "renew_before": "a month"}, "renew_before", "such as 30d"),
    ({**leaf(ttl="10d"), "renew_before": "30d"}, "certificates[0].ttl", "renew_before 30d is not shorter"),
    (leaf(cn=""), "certificates[0].cn", "missing"),
    (leaf(signed_by=None), "certificates[0].signed_by", "missing"),
    (leaf(signed_by="Rooot"), "certificates[0].signed_by", "known: Root"),
    ({"certificates": [LEAF]}, "certificates[0].signed_by", "none is known"),
    (leaf(provider="selfsigned"), "certificates[0].provider", "use ownca"),
    (leaf(cn="not a host"), "certificates[0].san", "clients check only these names"),
    (leaf(san={"dns": ["a b"]}), "certificates[0].san", "'a b' is not valid as dns"),
    (leaf(san={"dns": ["-a.example"]}), "certificates[0].san", "not valid as dns"),
    (leaf(san={"dns": ["a..b"]}), "certificates[0].san", "not valid as dns"),
    (leaf(san={"dns": ["www.*.org"]}), "certificates[0].san", "a wildcard only as"),
    (leaf(san={"dns": ["*"]}), "certificates[0].san", "not valid as dns"),
    (leaf(san={"dns": ["münchen.example"]}), "certificates[0].san", "xn--"),
    (leaf(san={"dns": ["192.0.2.1"]}), "certificates[0].san", "not valid as dns"),
    (leaf(san={"dns": ["a" * 64 + ".example"]}), "certificates[0].san", "not valid as dns"),
    (leaf(san={"ip": ["192.0.2.0/24"]}), "certificates[0].san", "prefix length"),
    (leaf(san={"ip": ["[2001:db8::1]"]}), "certificates[0].san", "without brackets"),
    (leaf(san={"ip": ["fe80::1%eth0"]}), "certificates[0].san", "not valid as ip"),
    (leaf(san={"ip": [None]}), "certificates[0].san", "not valid as ip"),
    (leaf(san={"uri": ["no scheme"]}), "certificates[0].san", "not valid as uri"),
    (leaf(san={"other": ["x"]}), "certificates[0].san", "'other' is not a valid value; use dns, ip or uri"),
    (leaf(san="DNS:a.example,EMAIL:x@y"), "certificates[0].san", "'email' is not a valid value"),
    (leaf(san="a.example"), "certificates[0].san", "'a.example' is not a valid value"),
    (leaf(san=42), "certificates[0].san", "use a dictionary of lists"),
    (leaf(key_usage=["keyCertSign"]), "certificates[0].key_usage", "authorities only"),
    (leaf(extended_key_usage=["codeSigning"]), "certificates[0].extended_key_usage", "use serverAuth or clientAuth"),
    ({**leaf(), "certificates": [LEAF, LEAF]}, "certificates[1].name", "already the name of certificates[0]"),
    (user(name=None), "user_certificates[0].name", "missing"),
    (user(cert=""), "user_certificates[0].cert", "missing"),
    (user(key=None), "user_certificates[0].key", "missing"),
    ({**leaf(), "files": [{"name": "laef", "type": "certificate", "dest": "/a"}]}, "files[0].name", "known: leaf"),
    (
        {**leaf(), "files": [{"name": "leaf", "type": "pem", "dest": "/a"}]},
        "files[0].type",
        "'pem' is not a valid value",
    ),
    ({**leaf(), "files": [{"name": "leaf", "type": "certificate"}]}, "files[0].dest", "missing"),
    ({**leaf(), "files": [{"type": "certificate", "dest": "/a"}]}, "files[0].name", "without src"),
    ({**leaf(), "bundles": ["laef"]}, "bundles[0]", "known: leaf"),
    ({**root(), "anchors": [{"name": "Toor"}]}, "anchors[0].name", "known: Root"),
    ({**root(), "anchors": [{}]}, "anchors[0].name", "missing"),
    ({**root(), "regen_ca": "Other"}, "regen_ca", "there is no authority 'Other'"),
    ({**leaf(), "regen_cert": "Other"}, "regen_cert", "there is no certificate 'Other'"),
]


@pytest.mark.parametrize(("params", "path", "words"), MISTAKES)
def test_a_mistake_is_named(params: dict[str, t.Any], path: str, words: str) -> None:
    with pytest.raises(PkiError) as caught:
        parse_request(params)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in problem.why
    assert str(caught.value).startswith(f"{path}: ")


def test_a_wrong_passphrase_is_not_quoted() -> None:
    with pytest.raises(PkiError) as caught:
        parse_request(root(key_passphrase="s3cr3t\n" * 2))
    assert "s3cr3t" not in f"{caught.value} {caught.value.details}"


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(PkiError) as caught:
        parse_request(
            {
                "authorities": [{**ROOT, "ttl": "x", "key_type": "y"}, {"name": "Sub", "signed_by": "Nowhere"}],
                "certificates": [{**LEAF, "san": {"dns": ["a b"], "ip": ["c"]}}],
            }
        )
    paths = [problem.path for problem in caught.value.problems]
    assert sorted(paths) == sorted(
        [
            "authorities[0].ttl",
            "authorities[0].key_type",
            "authorities[1].cn",
            "authorities[1].signed_by",
            "certificates[0].san",
            "certificates[0].san",
        ]
    )
    assert str(caught.value).startswith("6 mistakes:\n")
    assert caught.value.details["errors"][0] == {
        "path": "authorities[0].ttl",
        "name": "",
        "value": "'x'",
        "why": "'x' is not a lifetime; use a number and a unit (w, d, h, m, s), such as 365d",
        "hint": "",
        "text": "authorities[0].ttl: 'x' is not a lifetime; use a number and a unit (w, d, h, m, s), such as 365d.",
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3650d", 315_360_000),
        ("+3650d", 315_360_000),
        ("1w2d3h4m5s", 788_645),
        ("8760h", 31_536_000),
        (" 90s ", 90),
        ("", None),
        ("+", None),
        ("d", None),
        ("1y", None),
        ("2d1w", None),
        ("1.5d", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == (None if seconds is None else datetime.timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "san",
    [
        {"dns": ["A.example.org", "*.b.example"], "ip": ["192.0.2.1", "2001:DB8:0::1"], "uri": ["spiffe://x/y"]},
        {"ip": "2001:db8::1,192.0.2.1", "dns": "*.b.example, a.example.org", "uri": "spiffe://x/y"},
        "DNS:a.example.org,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,URI:spiffe://x/y",
        ["DNS:a.example.org.", "DNS:*.b.example,IP:192.0.2.1", "IP:2001:db8::1", "URI:spiffe://x/y", "IP:192.0.2.1"],
    ],
)
def test_every_way_to_write_alternative_names_means_the_same(san: t.Any) -> None:
    (wanted,) = parse_request(leaf(san=san)).certificates
    assert wanted.san == {
        ("dns", "a.example.org"),
        ("dns", "*.b.example"),
        ("ip", "192.0.2.1"),
        ("ip", "2001:db8::1"),
        ("uri", "spiffe://x/y"),
    }


@pytest.mark.parametrize(
    ("cn", "name"),
    [
        ("lb1", ("dns", "lb1")),
        ("LB1.example.org", ("dns", "lb1.example.org")),
        ("infra1_haproxy", ("dns", "infra1_haproxy")),
        ("192.0.2.1", ("ip", "192.0.2.1")),
        ("2001:db8::1", ("ip", "2001:db8::1")),
    ],
)
@pytest.mark.parametrize("san", [None, {}, "", {"dns": [], "ip": None}])
def test_the_common_name_is_the_default_alternative_name(cn: str, name: tuple[str, str], san: t.Any) -> None:
    (wanted,) = parse_request(leaf(cn=cn, san=san)).certificates
    assert wanted.san == {name}


def test_authorities_come_after_the_ones_that_sign_them() -> None:
    chain = [{"name": name, "cn": name, "signed_by": signer} for name, signer in (("C", "B"), ("B", "A"), ("A", ""))]
    assert [wanted.name for wanted in parse_request({"authorities": chain}).authorities] == ["A", "B", "C"]


def test_a_signer_may_be_in_the_directory_already() -> None:
    assert parse_request({"certificates": [LEAF]}, present=["Root"]).certificates[0].signed_by == "Root"


def test_entries_whose_condition_is_false_are_left_out() -> None:
    request = parse_request(
        {
            "authorities": [ROOT, {"name": "Other", "condition": False}],
            "certificates": [{"condition": False}, LEAF],
            "anchors": [{"name": "Root", "condition": True}, {"name": "Other", "condition": False}],
        }
    )
    assert [wanted.name for wanted in request.authorities] == ["Root"]
    assert [wanted.path for wanted in request.certificates] == ["certificates[1]"]
    assert request.anchors == ("Root",)


def test_a_users_certificate_takes_the_place_of_one_to_be_issued() -> None:
    request = parse_request({**leaf(), **user(name="leaf"), "bundles": ["leaf", "leaf"]})
    assert request.certificates == ()
    assert [entry.name for entry in request.user_certificates] == ["leaf"]
    assert request.bundles == ("leaf",)


@pytest.mark.parametrize(
    ("regen_ca", "regen_cert", "again"),
    [
        ("", "", set()),
        ("false", "False", set()),
        ("Root", "", {(True, "Root")}),
        ("true", "", {(True, "Root")}),
        ("", "leaf", {(False, "leaf")}),
        ("True", "True", {(True, "Root"), (False, "leaf")}),
    ],
)
def test_what_is_issued_again(regen_ca: str, regen_cert: str, again: set[tuple[bool, str]]) -> None:
    assert parse_request({**leaf(), "regen_ca": regen_ca, "regen_cert": regen_cert}).regen == again
