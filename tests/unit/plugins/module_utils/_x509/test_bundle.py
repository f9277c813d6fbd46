# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from PEMs is what ``cryptography`` put in, and the names are judged as the program ``openssl`` does."""

from __future__ import annotations

import datetime
import subprocess
import typing as t

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.bundle import (
    bundle_problems,
    ca_problems,
    crl_problems,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import (
    PemError,
    certificates,
    labels,
    normalised,
    revocation_lists,
)
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import NOW, Made, make, make_crl

ROOT = make("Root", authority=True)
OTHER = make("Root", authority=True)  # the same name, another key
MIDDLE = make("Mid dle", ROOT, authority=True)
LEAF = make("a.test", MIDDLE, names=["a.test", "*.a.test", "192.0.2.1", "2001:db8::1"])
DAY = datetime.timedelta(days=1)


def test_all_of_a_certificate_is_read() -> None:
    leaf, middle = certificates(LEAF.key + LEAF.crt + "Bag Attributes\n" + MIDDLE.crt)
    assert (leaf.serial, leaf.sha1, leaf.sha256) == (LEAF.serial, LEAF.sha1, LEAF.sha256)
    assert (leaf.not_before, leaf.not_after) == (NOW - DAY, NOW + 30 * DAY)
    assert (leaf.subject, leaf.issuer, middle.subject) == (("DE", "a.test"), ("DE", "Mid dle"), ("DE", "Mid dle"))
    assert (leaf.names, leaf.addresses) == (("a.test", "*.a.test"), ("192.0.2.1", "2001:db8::1"))
    assert middle.names == ()


def test_times_after_2050() -> None:
    (certificate,) = certificates(make("later.test", days=(365 * 30, 365 * 60)).crt)
    assert (certificate.not_before, certificate.not_after) == (NOW + 365 * 30 * DAY, NOW + 365 * 60 * DAY)


def test_all_of_a_crl_is_read() -> None:
    first, second = revocation_lists(make_crl(ROOT) + make_crl(MIDDLE, LEAF, ROOT))
    assert (first.issuer, first.revoked) == (("DE", "Root"), ())
    assert (second.last_update, second.next_update) == (NOW - DAY, NOW + 3 * DAY)
    assert second.revoked == (LEAF.serial, ROOT.serial)


@pytest.mark.parametrize(
    "damaged",
    [
        LEAF.crt.replace("MII", "M!I", 1),
        LEAF.crt.replace("MII", "MIJ", 1),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_damaged_is_said_to_be(damaged: str) -> None:
    with pytest.raises(PemError, match="damaged"):
        certificates(damaged)


def test_empty_lines_go() -> None:
    assert normalised(" \r\n\n-----BEGIN X-----\r\n  a\n\n-----END X-----") == "-----BEGIN X-----\na\n-----END X-----\n"
    assert labels(LEAF.pem) == ["CERTIFICATE", "PRIVATE KEY"]


NAMES = ["a.test", "A.TEST", "a.test.", "x.a.test", "x.y.a.test", ".a.test", "b.test", "test", "192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("name", [*NAMES, "2001:db8:0::1", "xn--bcher-kva.a.test"])
def test_names_are_covered_as_openssl_says(name: str) -> None:
    kind = "-checkip" if ":" in name or name[:3] == "192" else "-checkhost"
    said = subprocess.run(
        ["openssl", "x509", "-noout", kind, name.rstrip(".")], input=LEAF.crt.encode(), capture_output=True, check=True
    ).stdout
    assert certificates(LEAF.crt)[0].covers(name) == (b"does match" in said)


def test_a_common_name_is_no_name() -> None:
    assert not certificates(make("a.test", names=["b.test"]).crt)[0].covers("a.test")


def test_an_international_name() -> None:
    assert certificates(make("x", names=["xn--bcher-kva.test"]).crt)[0].covers("bücher.test")


def expired(name: str, days: tuple[int, int], issuer: Made | None = None, **more: t.Any) -> Made:
    return make(name, issuer, days=days, **more)


OLD_MIDDLE = make("Old", ROOT, authority=True, days=(-9, -2))
CLIENT = make("client", MIDDLE, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
SIGNER = make("signer", MIDDLE, usage=ExtendedKeyUsageOID.CODE_SIGNING)
NO_AUTHORITY = make("No authority", ROOT)
EC, RSA = make("ec", ROOT), make("rsa", ROOT, key=rsa.generate_private_key(65537, 2048))
ED = make("ed", MIDDLE, key=ed25519.Ed25519PrivateKey.generate())
WITH_PASSPHRASE = LEAF.private.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
).decode()
OLD_FORMAT = LEAF.private.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.BestAvailableEncryption(b"x"),
).decode()

GOOD = [
    LEAF.pem,
    LEAF.key + LEAF.crt + MIDDLE.crt,
    LEAF.crt + MIDDLE.crt + ROOT.crt + LEAF.key,
    LEAF.crt + MIDDLE.crt + LEAF.key.replace("\n", "\r\n"),
    CLIENT.crt + MIDDLE.crt + CLIENT.key,
    RSA.crt + ROOT.crt + RSA.key,
    make("old key", ROOT, key=rsa.generate_private_key(65537, 1024)).pem,
    ROOT.pem,
]


@pytest.mark.parametrize("pem", GOOD)
def test_what_is_good(pem: str) -> None:
    assert bundle_problems(pem, [], NOW) == []


@pytest.mark.parametrize("made", [make("p384", key=ec.generate_private_key(ec.SECP384R1())), ED])
def test_other_keys(made: Made) -> None:
    assert bundle_problems(made.crt + made.key, [], NOW) == []


BAD = [
    ("", "no certificate in PEM"),
    (LEAF.key, "no certificate in PEM"),
    (LEAF.crt, "no private key"),
    (LEAF.crt.replace("MII", "M!I", 1) + LEAF.key, "not base64"),
    (LEAF.crt + MIDDLE.key, "does not belong to the certificate"),
    (MIDDLE.crt + LEAF.crt + LEAF.key, "followed by 'DE, a.test', not by its issuer 'DE, Root'"),
    (MIDDLE.crt + LEAF.crt + LEAF.key, "does not belong to the certificate"),
    (EC.crt + RSA.key, "does not belong to the certificate"),
    (LEAF.crt + WITH_PASSPHRASE, "passphrase"),
    (LEAF.crt + OLD_FORMAT, "passphrase"),
    (LEAF.crt + LEAF.key.replace("M", "N", 1), "cannot load the certificate and its key"),
    (LEAF.crt + ROOT.crt + MIDDLE.crt + LEAF.key, "'DE, a.test' is followed by 'DE, Root'"),
    (EC.crt + OTHER.crt + EC.key, "OpenSSL says 'certificate signature failure'"),
    (make("x", NO_AUTHORITY).crt + NO_AUTHORITY.crt + ROOT.crt, "no private key"),
    (expired("x", (-9, -2)).pem, f"has expired on {NOW - 2 * DAY:%Y-%m-%d %H:%M:%S} UTC"),
    (expired("x", (2, 9)).pem, f"is not valid before {NOW + 2 * DAY:%Y-%m-%d %H:%M:%S} UTC"),
]


@pytest.mark.parametrize(("pem", "expected"), BAD, ids=map(str, range(len(BAD))))
def test_what_is_bad(pem: str, expected: str) -> None:
    found = " ".join(bundle_problems(pem, [], NOW))
    assert expected in found
    assert not any(line in found for line in pem.splitlines() if line and not line.startswith("-----"))


def test_an_issuer_that_is_none() -> None:
    made = make("x", NO_AUTHORITY)
    (found,) = bundle_problems(made.crt + NO_AUTHORITY.crt + ROOT.crt + made.key, [], NOW)
    assert "OpenSSL says" in found


def test_an_expired_issuer() -> None:
    made = make("x", OLD_MIDDLE)
    (found,) = bundle_problems(made.crt + OLD_MIDDLE.crt + made.key, [], NOW)
    assert "'DE, Old' has expired" in found


def test_a_certificate_for_nothing_of_haproxys() -> None:
    (found,) = bundle_problems(SIGNER.crt + MIDDLE.crt + SIGNER.key, [], NOW)
    assert "purpose" in found


def test_everything_is_said_at_once() -> None:
    made = make("x", OLD_MIDDLE, days=(-9, -1), names=["x.test"])
    found = bundle_problems(made.crt + OLD_MIDDLE.crt + LEAF.key, ["x.test", "y.test", "192.0.2.9"], NOW)
    assert len(found) == 5
    assert "'y.test'; it covers x.test" in found[2]


def test_authorities() -> None:
    assert ca_problems(ROOT.crt + OLD_MIDDLE.crt) == []
    assert "no certificate" in ca_problems("x")[0]
    assert "private key" in ca_problems(ROOT.pem)[0]


def test_crls() -> None:
    assert crl_problems(make_crl(ROOT) + make_crl(MIDDLE), NOW) == []
    assert "no CRL" in crl_problems(ROOT.crt, NOW)[0]
    assert "'DE, Root' has been due for replacement since" in crl_problems(make_crl(ROOT, days=(-5, -1)), NOW)[0]
