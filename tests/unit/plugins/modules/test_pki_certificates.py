# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole calls on a real directory; openssl says whether what comes out is right."""

from __future__ import annotations

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import store as store_file
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.issue import issue
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import PkiError, parse_request
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import (
    Store,
    authority_place,
    certificate_place,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.modules import pki_certificates

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

# The authorities of the seed, as they are printed there.
ROOT: dict[str, t.Any] = {
    "name": "HAProxyRoot",
    "country_name": "GB",
    "state_or_province_name": "England",
    "organization_name": "Example Corporation",
    "organizational_unit_name": "IT Security",
    "cn": "HAProxy Root CA",
    "provider": "selfsigned",
    "basic_constraints": ["CA:TRUE"],
    "key_usage": ["digitalSignature"],
    "ttl": "+3650d",
}
INTERMEDIATE: dict[str, t.Any] = {
    **ROOT,
    "name": "HAProxyIntermediate",
    "cn": "HAProxy Intermediate CA",
    "provider": "ownca",
    "basic_constraints": ["CA:TRUE", "pathlen:0"],
    "signed_by": "HAProxyRoot",
}
ONE: dict[str, t.Any] = {
    "name": "haproxy_lb1-192.0.2.10",
    "cn": "lb1",
    "provider": "ownca",
    "signed_by": "HAProxyIntermediate",
    "san": {"dns": ["lb1", "www.example.org"], "ip": ["192.0.2.10"]},
}
TWO: dict[str, t.Any] = {**ONE, "name": "haproxy_lb1-fd00::10", "san": "DNS:lb1.internal,IP:fd00::10"}
EVERYTHING: dict[str, t.Any] = {"authorities": [ROOT, INTERMEDIATE], "certificates": [ONE, TWO]}
ALL_NAMES = {"HAProxyRoot", "HAProxyIntermediate", ONE["name"], TWO["name"]}

ROOT_CRT = "roots/HAProxyRoot/certs/HAProxyRoot.crt"
ROOT_KEY = "roots/HAProxyRoot/private/HAProxyRoot.key.pem"
INTERMEDIATE_CRT = "roots/HAProxyIntermediate/certs/HAProxyIntermediate.crt"
INTERMEDIATE_KEY = "roots/HAProxyIntermediate/private/HAProxyIntermediate.key.pem"
ONE_CRT = f"certs/certs/{ONE['name']}.crt"
ONE_KEY = f"certs/private/{ONE['name']}.key.pem"
TWO_CRT = f"certs/certs/{TWO['name']}.crt"


def call(
    directory: pathlib.Path, now: datetime.datetime = NOW, check: bool = False, **params: t.Any
) -> dict[str, t.Any]:
    return pki_certificates.run({"directory": str(directory), **params}, check, now)


def done(result: dict[str, t.Any]) -> dict[str, str]:
    return {action["name"]: action["action"] for action in result["actions"]}


def files(directory: pathlib.Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_mode & 0o777, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
        if path.name != ".lock"
    }


def openssl(*arguments: t.Any) -> str:
    return subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def verify(directory: pathlib.Path, leaf: str, *arguments: str) -> bool:
    """Verify as a client does that has the root and gets leaf and chain from the server."""
    name = pathlib.Path(leaf).stem
    chain = directory / f"certs/certs/{name}-chain.crt"
    verified = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", "sslserver"),
            *("-CAfile", directory / ROOT_CRT, "-untrusted", chain, *arguments, directory / leaf),
        ],
        check=False,
        capture_output=True,
    )
    return verified.returncode == 0


def whole(directory: pathlib.Path) -> bool:
    return verify(directory, ONE_CRT) and verify(directory, TWO_CRT)


def public_key(path: pathlib.Path) -> str:
    return (
        openssl("pkey", "-in", path, "-pubout")
        if path.suffix == ".pem"
        else openssl("x509", "-in", path, "-noout", "-pubkey")
    )


@pytest.fixture
def store(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory in which everything has been issued."""
    directory = tmp_path / "pki"
    assert set(done(call(directory, **EVERYTHING)).values()) == {"create"}
    return directory


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"key_type": "ECDSA", "key_size": 384},
        {"key_type": "ecdsa", "key_size": 521},
        {"key_type": "RSA"},
        {"key_type": "RSA", "key_size": 3072},
        {"key_type": "ed25519"},
    ],
)
def test_clients_accept_what_is_issued(tmp_path: pathlib.Path, kind: dict[str, t.Any]) -> None:
    # An RSA authority of the default 4096 bits takes a second or two to make.
    authority = {**kind, "key_size": kind.get("key_size", 2048)} if kind.get("key_type") == "RSA" else kind
    call(tmp_path, authorities=[{**ROOT, **authority}, {**INTERMEDIATE, **authority}], certificates=[{**ONE, **kind}])
    assert verify(tmp_path, ONE_CRT, "-verify_hostname", "www.example.org")
    assert verify(tmp_path, ONE_CRT, "-verify_ip", "192.0.2.10")
    assert not verify(tmp_path, ONE_CRT, "-verify_hostname", "lb1.internal")
    assert public_key(tmp_path / ONE_CRT) == public_key(tmp_path / ONE_KEY)
    assert call(tmp_path, authorities=[ROOT, INTERMEDIATE], certificates=[{**ONE, **kind}])["actions"] == []


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (
            ROOT_CRT,
            [
                "X509v3 Basic Constraints: critical|CA:TRUE|",
                "X509v3 Key Usage: critical|Digital Signature, Certificate Sign, CRL Sign|",
                "X509v3 Subject Key Identifier:",
            ],
        ),
        (
            INTERMEDIATE_CRT,
            [
                "X509v3 Basic Constraints: critical|CA:TRUE, pathlen:0|",
                "X509v3 Key Usage: critical|Digital Signature, Certificate Sign, CRL Sign|",
                "X509v3 Subject Key Identifier:",
                "X509v3 Authority Key Identifier:",
            ],
        ),
        (
            ONE_CRT,
            [
                "X509v3 Basic Constraints: critical|CA:FALSE|",
                "X509v3 Key Usage: critical|Digital Signature|",
                "X509v3 Extended Key Usage:|TLS Web Server Authentication|",
                "X509v3 Subject Key Identifier:",
                "X509v3 Authority Key Identifier:",
                "X509v3 Subject Alternative Name:|DNS:lb1, DNS:www.example.org, IP Address:192.0.2.10|",
            ],
        ),
        (TWO_CRT, ["X509v3 Subject Alternative Name:|DNS:lb1.internal, IP Address:FD00:0:0:0:0:0:0:10|"]),
    ],
)
def test_extensions_are_those_of_rfc_5280(store: pathlib.Path, path: str, lines: list[str]) -> None:
    text = openssl("x509", "-in", store / path, "-noout", "-text")
    text = "|".join(line.strip() for line in text.splitlines())
    for line in lines:
        assert line in text
    assert text.count("|X509v3 ") - 1 == len(lines) or path == TWO_CRT  # The first is the heading.


def test_subject_and_lifetime(store: pathlib.Path) -> None:
    subject = openssl("x509", "-in", store / ROOT_CRT, "-noout", "-subject", "-nameopt", "RFC2253")
    assert subject.strip() == ("subject=CN=HAProxy Root CA,OU=IT Security,O=Example Corporation,ST=England,C=GB")
    day = 86400
    for path, days in ((ROOT_CRT, 3650), (INTERMEDIATE_CRT, 3650), (ONE_CRT, 365)):
        openssl("x509", "-in", store / path, "-noout", "-checkend", days * day - 3600)
        with pytest.raises(subprocess.CalledProcessError):
            openssl("x509", "-in", store / path, "-noout", "-checkend", days * day + 60)


def test_serial_numbers_are_random(store: pathlib.Path) -> None:
    paths = (ROOT_CRT, INTERMEDIATE_CRT, ONE_CRT, TWO_CRT)
    serials = {openssl("x509", "-in", store / path, "-noout", "-serial").strip().partition("=")[2] for path in paths}
    assert len(serials) == 4
    assert all(len(serial) >= 16 for serial in serials)


def test_the_result_says_what_openssl_says(store: pathlib.Path) -> None:
    (one, _two) = call(store, **EVERYTHING)["certificates"]
    assert one["name"] == ONE["name"]
    assert one["path"] == str(store / ONE_CRT)
    serial = openssl("x509", "-in", one["path"], "-noout", "-serial").strip().partition("=")[2]
    assert int(one["serial"], 16) == int(serial, 16)
    fingerprint = openssl("x509", "-in", one["path"], "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]
    assert one["fingerprint"].upper() == fingerprint
    end = openssl("x509", "-in", one["path"], "-noout", "-enddate").strip().partition("=")[2]
    assert datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y %Z").strftime("%Y-%m-%dT%H:%M:%SZ") == one["not_after"]
    assert one["san"] == ["DNS:lb1", "DNS:www.example.org", "IP:192.0.2.10"]


def test_a_second_run_touches_nothing(store: pathlib.Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    result = call(store, **EVERYTHING)
    assert not result["changed"]
    assert result["actions"] == []
    assert result["diff"] == {"before": {}, "after": {}}
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


def test_check_mode_predicts_and_writes_nothing(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "pki"
    predicted = call(directory, check=True, bundles=[ONE["name"]], anchors=[{"name": "HAProxyRoot"}], **EVERYTHING)
    assert not directory.exists()
    assert predicted["changed"]
    assert [certificate["serial"] for certificate in predicted["certificates"]] == [None, None]
    assert "PRIVATE KEY" in predicted["bundles"][0]["content"]
    real = call(directory, **EVERYTHING)
    assert real["actions"] == predicted["actions"]
    assert [entry["not_after"] for entry in real["certificates"]] == [
        entry["not_after"] for entry in predicted["certificates"]
    ]
    assert real["diff"]["after"].keys() == predicted["diff"]["after"].keys()


def remove(path: str) -> t.Callable[[pathlib.Path], None]:
    return lambda directory: (directory / path).unlink()


def damage(path: str, content: str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") -> t.Any:
    return lambda directory: (directory / path).write_text(content)


def loosen(path: str, mode: int) -> t.Callable[[pathlib.Path], None]:
    return lambda directory: (directory / path).chmod(mode)


def copy(source: str, target: str) -> t.Callable[[pathlib.Path], t.Any]:
    return lambda directory: shutil.copy(directory / source, directory / target)


# What happens to the directory, what a run then does, and a part of the reason.
HURTS: list[tuple[t.Callable[[pathlib.Path], t.Any], dict[str, str], str]] = [
    (remove(ONE_CRT), {ONE["name"]: "reissue"}, "certificate is missing"),
    (remove(ONE_KEY), {ONE["name"]: "reissue"}, "key is missing"),
    (damage(ONE_CRT), {ONE["name"]: "reissue"}, "damaged certificate"),
    (damage(ONE_CRT, ""), {ONE["name"]: "reissue"}, "holds no certificate"),
    (damage(ONE_KEY, "no key"), {ONE["name"]: "reissue"}, "holds no private key"),
    (copy(TWO_CRT, ONE_CRT), {ONE["name"]: "reissue"}, "belongs to another certificate"),
    (copy(INTERMEDIATE_KEY, ONE_KEY), {ONE["name"]: "reissue"}, "belongs to another certificate"),
    (remove(ONE_CRT.replace(".crt", "-chain.crt")), {ONE["name"]: "repair"}, "-chain.crt is missing"),
    (damage(ONE_CRT.replace(".crt", "-ca_bundle.crt")), {ONE["name"]: "repair"}, "out of date"),
    (loosen(ONE_KEY, 0o644), {ONE["name"]: "repair"}, "is 0644, wanted 0600"),
    (loosen(ROOT_KEY, 0o640), {"HAProxyRoot": "repair"}, "is 0640, wanted 0600"),
    (loosen("roots/HAProxyRoot/private", 0o755), {"HAProxyRoot": "repair"}, "is 0755, wanted 0700"),
    (loosen(ONE_CRT, 0o600), {ONE["name"]: "repair"}, "is 0600, wanted 0644"),
    # The key of an authority is there, so the certificate comes back and all below it stays good.
    (remove(INTERMEDIATE_CRT), {"HAProxyIntermediate": "reissue"}, "certificate is missing"),
    (damage(INTERMEDIATE_CRT), {"HAProxyIntermediate": "reissue"}, "damaged certificate"),
    (remove(ROOT_CRT), {"HAProxyRoot": "reissue"}, "certificate is missing"),
    (remove("roots/HAProxyRoot/certs/HAProxyRoot-chain.crt"), {"HAProxyRoot": "repair"}, "-chain.crt is missing"),
]


@pytest.mark.parametrize(("hurt", "actions", "reason"), HURTS)
def test_what_is_hurt_heals(
    store: pathlib.Path, hurt: t.Callable[[pathlib.Path], t.Any], actions: dict[str, str], reason: str
) -> None:
    hurt(store)
    before = files(store)
    predicted = call(store, check=True, **EVERYTHING)
    assert files(store) == before
    result = call(store, **EVERYTHING)
    assert result["actions"] == predicted["actions"]
    # Chains above and below follow an authority's new certificate.
    healed = {name: action for name, action in done(result).items() if name in actions}
    assert healed == actions
    assert set(done(result).values()) - set(actions.values()) <= {"repair"}
    assert reason in next(action for action in result["actions"] if action["name"] in actions)["reasons"][0]
    assert whole(store)
    assert not call(store, **EVERYTHING)["changed"]
    assert all(mode & 0o077 == 0 for path, (mode, _content) in files(store).items() if "private" in path)


# A change of what is wanted: of which entry, what is issued again because of it, and a part of the reason.
CHANGES: list[tuple[str, dict[str, t.Any], set[str], str]] = [
    (ONE["name"], {"san": "DNS:lb1,DNS:new.example.org"}, {ONE["name"]}, "wanted DNS:lb1, DNS:new.example.org"),
    (ONE["name"], {"cn": "lb9"}, {ONE["name"]}, "subject is CN=lb1, wanted CN=lb9"),
    (ONE["name"], {"organization_name": "New"}, {ONE["name"]}, "wanted O=New, CN=lb1"),
    (ONE["name"], {"key_type": "RSA"}, {ONE["name"]}, "key is ECDSA 256, wanted RSA 2048"),
    (ONE["name"], {"key_size": 384}, {ONE["name"]}, "key is ECDSA 256, wanted ECDSA 384"),
    (ONE["name"], {"extended_key_usage": ["serverAuth", "clientAuth"]}, {ONE["name"]}, "extended key usage differs"),
    (ONE["name"], {"key_usage": ["digitalSignature", "keyAgreement"]}, {ONE["name"]}, "key usage differs"),
    (ONE["name"], {"ttl": "90d"}, {ONE["name"]}, "lifetime is 365 days, wanted 90 days"),
    (ONE["name"], {"ttl": "800d"}, {ONE["name"]}, "lifetime is 365 days, wanted 800 days"),
    (ONE["name"], {"signed_by": "HAProxyRoot"}, {ONE["name"]}, "not signed by the key of HAProxyRoot"),
    # The key stays, and so does all that it has signed under the same name.
    ("HAProxyRoot", {"key_usage": []}, {"HAProxyRoot"}, "key usage differs"),
    ("HAProxyRoot", {"basic_constraints": ["pathlen:1"]}, {"HAProxyRoot"}, "basic constraints differs"),
    ("HAProxyIntermediate", {"ttl": "1000d"}, {"HAProxyIntermediate"}, "lifetime is 3650 days, wanted 1000 days"),
    # A new name above has to be in the certificates below.
    ("HAProxyRoot", {"cn": "New Root"}, {"HAProxyRoot", "HAProxyIntermediate"}, "CN=New Root"),
    ("HAProxyIntermediate", {"cn": "New"}, ALL_NAMES - {"HAProxyRoot"}, "CN=New"),
]


@pytest.mark.parametrize(("name", "change", "again", "reason"), CHANGES)
def test_a_changed_wish_is_met(
    store: pathlib.Path, name: str, change: dict[str, t.Any], again: set[str], reason: str
) -> None:
    keys = {path: content for path, content in files(store).items() if path in (ROOT_KEY, INTERMEDIATE_KEY)}
    wanted = {
        option: [{**entry, **change} if entry["name"] == name else entry for entry in entries]
        for option, entries in EVERYTHING.items()
    }
    result = call(store, **wanted)
    assert {name for name, action in done(result).items() if action == "reissue"} == again
    assert any(reason in text for action in result["actions"] if action["name"] == name for text in action["reasons"])
    assert whole(store)
    assert not call(store, **wanted)["changed"]
    assert {path: files(store)[path] for path in keys} == keys


@pytest.mark.parametrize(
    ("days", "again"),
    [
        (242, set()),
        (244, {ONE["name"], TWO["name"]}),  # Less than a third of 365 days is left.
        (398, {ONE["name"], TWO["name"]}),
        (2500, ALL_NAMES),  # The same rule for authorities: with their keys, so that old trust stores keep working.
        (4000, ALL_NAMES),
        (-1, ALL_NAMES),  # The clock has been put right.
    ],
)
def test_what_is_due_is_renewed(store: pathlib.Path, days: int, again: set[str]) -> None:
    root = public_key(store / ROOT_KEY)
    later = NOW + datetime.timedelta(days=days)
    result = call(store, now=later, **EVERYTHING)
    assert {name for name, action in done(result).items() if action == "reissue"} == again
    assert not call(store, now=later, **EVERYTHING)["changed"]
    assert public_key(store / ROOT_CRT) == root
    at = str(int(later.timestamp()))
    assert verify(store, ONE_CRT, "-attime", at)
    assert verify(store, TWO_CRT, "-attime", at)


def test_a_certificate_that_expires_in_real_time_is_replaced(tmp_path: pathlib.Path) -> None:
    def now() -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

    wanted = {"authorities": [ROOT, INTERMEDIATE], "certificates": [{**ONE, "ttl": "1s"}]}
    call(tmp_path, now=now(), **wanted)
    time.sleep(2.1)
    assert not verify(tmp_path, ONE_CRT)
    result = call(tmp_path, now=now(), **wanted)
    assert done(result) == {ONE["name"]: "reissue"}
    assert result["actions"][0]["reasons"][0].startswith("expired on ")


def test_no_certificate_outlives_its_authority(tmp_path: pathlib.Path) -> None:
    wanted = {"authorities": [{**ROOT, "ttl": "300d"}, INTERMEDIATE], "certificates": [ONE]}
    result = call(tmp_path, **wanted)
    assert {entry["not_after"] for entry in result["authorities"] + result["certificates"]} == {
        (NOW + datetime.timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    }
    assert not call(tmp_path, **wanted)["changed"]


def test_a_regenerated_root_signs_everything_again(store: pathlib.Path) -> None:
    old, key, below = (
        (store / ROOT_CRT).read_bytes(),
        public_key(store / ROOT_KEY),
        public_key(store / INTERMEDIATE_KEY),
    )
    result = call(store, regen_ca="HAProxyRoot", **EVERYTHING)
    assert done(result) == {
        "HAProxyRoot": "reissue",
        "HAProxyIntermediate": "reissue",
        ONE["name"]: "repair",  # Its chain file's root; intermediate and leaf keep their keys.
        TWO["name"]: "repair",
    }
    assert whole(store)
    assert public_key(store / ROOT_KEY) != key
    assert public_key(store / INTERMEDIATE_KEY) == below
    (kept,) = (store / ROOT_CRT).parent.glob("HAProxyRoot-2*.crt")
    assert kept.read_bytes() == old
    assert len(list((store / ROOT_KEY).parent.glob("HAProxyRoot-2*.key.pem"))) == 1
    assert not call(store, **EVERYTHING)["changed"]
    (store / ROOT_CRT).write_bytes(old)
    assert not verify(store, ONE_CRT)


def test_everything_can_be_regenerated(store: pathlib.Path) -> None:
    keys = {path: public_key(store / path) for path in (ROOT_KEY, INTERMEDIATE_KEY, ONE_KEY)}
    result = call(store, regen_ca="true", **EVERYTHING)
    assert done(result) == dict.fromkeys(ALL_NAMES, "reissue")
    assert all(public_key(store / path) != key for path, key in keys.items())
    assert whole(store)


def test_one_certificate_can_be_issued_again(store: pathlib.Path) -> None:
    result = call(store, regen_cert=ONE["name"], **EVERYTHING)
    assert done(result) == {ONE["name"]: "reissue"}
    assert result["actions"][0]["reasons"] == ["requested by regen_cert"]


def encrypt(directory: pathlib.Path) -> None:
    openssl("pkey", "-in", directory / ROOT_KEY, "-aes256", "-passout", "pass:x", "-out", directory / "new")
    (directory / "new").replace(directory / ROOT_KEY)


@pytest.mark.parametrize(
    ("hurt", "words"),
    [
        (remove(ROOT_KEY), "is missing: put it back from your backup, or set regen_ca to HAProxyRoot"),
        (remove(INTERMEDIATE_KEY), "set regen_ca to HAProxyIntermediate"),
        (copy(INTERMEDIATE_KEY, ROOT_KEY), "is not the key of the certificate beside it"),
        (damage(ROOT_KEY, "no key"), "holds no private key"),
        (
            damage(ROOT_KEY, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "private key that is damaged",
        ),
        (encrypt, "set key_passphrase"),
    ],
)
def test_the_key_of_an_authority_is_never_replaced_in_silence(
    store: pathlib.Path, hurt: t.Callable[[pathlib.Path], t.Any], words: str
) -> None:
    hurt(store)
    before = files(store)
    with pytest.raises(PkiError, match=r"^authorities\[[01]\]: ") as caught:
        call(store, **EVERYTHING)
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1
    assert files(store) == before
    assert "regen_ca" in str(caught.value)
    call(store, regen_ca="true", **EVERYTHING)
    assert whole(store)


def test_an_early_renewal_is_asked_for_in_days(store: pathlib.Path) -> None:
    wanted = {**EVERYTHING, "renew_before": "348d"}
    assert not call(store, now=NOW + datetime.timedelta(days=16), **wanted)["changed"]
    assert done(call(store, now=NOW + datetime.timedelta(days=18), **wanted)) == {
        ONE["name"]: "reissue",
        TWO["name"]: "reissue",
    }


def test_an_early_renewal_does_not_go_round_in_circles(tmp_path: pathlib.Path) -> None:
    """What the end of its authority cut short would be due again at once."""
    wanted = {"authorities": [{**ROOT, "ttl": "60d"}, INTERMEDIATE], "certificates": [ONE], "renew_before": "90d"}
    call(tmp_path, **wanted)
    assert not call(tmp_path, **wanted)["changed"]


def test_a_key_with_a_passphrase_is_of_use_to_its_owner_alone(tmp_path: pathlib.Path) -> None:
    sealed = {**EVERYTHING, "authorities": [{**ROOT, "key_passphrase": "s3cr3t words"}, INTERMEDIATE]}
    result = call(tmp_path, **sealed)
    assert whole(tmp_path)
    assert (tmp_path / ROOT_KEY).read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert public_key(tmp_path / ROOT_CRT) == openssl(
        "pkey", "-in", tmp_path / ROOT_KEY, "-passin", "pass:s3cr3t words", "-pubout"
    )
    assert "s3cr3t" not in json.dumps(result)
    assert not call(tmp_path, **sealed)["changed"]
    for authority in (ROOT, {**ROOT, "key_passphrase": "another"}):
        before = files(tmp_path)
        with pytest.raises(PkiError, match=r"^authorities\[0\]: .*: set key_passphrase to its passphrase"):
            call(tmp_path, authorities=[authority, INTERMEDIATE])
        assert files(tmp_path) == before
    (tmp_path / INTERMEDIATE_CRT).unlink()
    with pytest.raises(PkiError, match="list it in authorities with its key_passphrase"):
        call(tmp_path, authorities=[INTERMEDIATE])


def test_a_key_gets_its_passphrase_later(store: pathlib.Path) -> None:
    sealed = {**EVERYTHING, "authorities": [{**ROOT, "key_passphrase": "later"}, INTERMEDIATE]}
    assert done(call(store, **sealed)) == {"HAProxyRoot": "repair"}
    assert b"ENCRYPTED" in (store / ROOT_KEY).read_bytes()
    assert whole(store)


@pytest.mark.parametrize(
    ("constraints", "san", "allowed"),
    [
        ({"permitted": ["DNS:example.org"]}, "DNS:www.example.org,DNS:example.org,DNS:*.example.org", True),
        ({"permitted": ["DNS:example.org"]}, "DNS:www.example.org,IP:192.0.2.1", True),
        ({"permitted": ["DNS:example.org"]}, "DNS:notexample.org", False),
        ({"permitted": ["DNS:example.org", "IP:192.0.2.0/24"]}, "DNS:a.example.org,IP:192.0.2.200", True),
        ({"permitted": ["IP:192.0.2.0/24"]}, "IP:198.51.100.1", False),
        ({"permitted": ["IP:2001:db8::/32"]}, "IP:2001:db8::1", True),
        ({"permitted": ["IP:2001:db8::/32"]}, "IP:fd00::1", False),
        ({"excluded": ["DNS:secret.example.org"]}, "DNS:www.example.org", True),
        ({"excluded": ["DNS:secret.example.org"]}, "DNS:a.secret.example.org", False),
        ({"permitted": ["DNS:example.org"], "excluded": ["DNS:b.example.org"]}, "DNS:b.example.org", False),
    ],
)
def test_name_constraints_mean_what_openssl_says(
    store: pathlib.Path, tmp_path: pathlib.Path, constraints: dict[str, list[str]], san: str, allowed: bool
) -> None:
    options = {f"name_constraints_{kind}": names for kind, names in constraints.items()}
    bound = {**EVERYTHING, "authorities": [{**ROOT, **options}, INTERMEDIATE], "certificates": [{**ONE, "san": san}]}
    # The leaf as it would be: made while the root, with the same key, had no constraints yet.
    call(store, authorities=[ROOT, INTERMEDIATE], certificates=[{**ONE, "san": san}])
    call(store, authorities=[{**ROOT, **options}, INTERMEDIATE])
    assert "X509v3 Name Constraints: critical" in openssl("x509", "-in", store / ROOT_CRT, "-noout", "-text")
    # Roots bind nobody in OpenSSL's eyes, authorities below them do.
    call(store, authorities=[ROOT, {**INTERMEDIATE, **options}])
    chain = store / f"certs/certs/{ONE['name']}-chain.crt"
    chain.write_bytes((store / ONE_CRT).read_bytes() + (store / INTERMEDIATE_CRT).read_bytes())
    assert verify(store, ONE_CRT) is allowed
    if allowed:
        call(tmp_path / "new", **bound)
    else:
        with pytest.raises(PkiError, match=r"^certificates\[0\]\.san: name constraints: '.*CN=.*' may not sign for"):
            call(tmp_path / "new", **bound)
        assert not list((tmp_path / "new").rglob("*.pem"))


def test_a_revoked_certificate_is_refused(store: pathlib.Path) -> None:
    crl = store / "roots/HAProxyIntermediate/crl/HAProxyIntermediate.crl.pem"
    serial = openssl("x509", "-in", store / ONE_CRT, "-noout", "-serial").strip().partition("=")[2]

    def revoking(*entries: dict[str, str], now: datetime.datetime = NOW, **more: str) -> dict[str, t.Any]:
        authorities = [ROOT, {**INTERMEDIATE, "revoked": list(entries), **more}]
        return call(store, now=now, **{**EVERYTHING, "authorities": authorities})

    def text() -> str:
        signer = store / INTERMEDIATE_CRT
        return openssl("crl", "-in", crl, "-CAfile", signer, "-noout", "-text")

    first = revoking()
    assert done(first) == {"HAProxyIntermediate": "create"}
    checked = ("-crl_check", "-CRLfile", str(crl))
    assert verify(store, ONE_CRT, *checked)
    assert not revoking()["changed"]

    second = revoking({"serial": serial, "reason": "keyCompromise"})
    assert done(second) == {"HAProxyIntermediate": "reissue"}
    assert not verify(store, ONE_CRT, *checked)
    assert verify(store, TWO_CRT, *checked)
    assert "Key Compromise" in text()
    assert second["crls"][0]["number"] > first["crls"][0]["number"]
    assert second["crls"][0]["content"] == crl.read_text()
    assert [int(each, 16) for each in second["crls"][0]["revoked"]] == [int(serial, 16)]

    # It is signed again in time, and who was on it stays on it since when he was.
    later = NOW + datetime.timedelta(days=244)
    revoking({"serial": serial, "reason": "keyCompromise"}, now=later)
    assert f"{NOW:%b %e %H:%M:%S %Y} GMT" in text().partition("Serial Number:")[2]
    assert f"Next Update: {later + datetime.timedelta(days=365):%b %e %H:%M:%S %Y} GMT" in text()

    crl.write_text("damaged")
    assert done(revoking(now=later))["HAProxyIntermediate"] == "reissue"
    assert "No Revoked Certificates" in text()


def test_a_regenerated_authority_signs_its_revocation_list_again(store: pathlib.Path) -> None:
    listed = {**EVERYTHING, "authorities": [ROOT, {**INTERMEDIATE, "revoked": [{"serial": "0A:bc"}]}]}
    call(store, **listed)
    call(store, regen_ca="HAProxyIntermediate", **listed)
    crl = store / "roots/HAProxyIntermediate/crl/HAProxyIntermediate.crl.pem"
    assert verify(store, ONE_CRT, "-crl_check", "-CRLfile", str(crl))


def test_the_old_root_is_trusted_beside_the_new_one(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    asked = {**EVERYTHING, "anchors": [{"name": "HAProxyRoot"}]}
    shutil.copytree(store, tmp_path / "before")
    call(store, regen_ca="HAProxyRoot", **asked)
    new, old = call(store, **asked)["anchors"]
    assert new["content"] == (store / ROOT_CRT).read_text()
    assert old["content"] == (tmp_path / "before" / ROOT_CRT).read_text()
    assert re.fullmatch(r"HAProxyRoot-\d{8}T\d{6}Z", old["name"])
    assert len(call(store, now=NOW + datetime.timedelta(days=3651), **asked)["anchors"]) == 1
    (store / f"roots/HAProxyRoot/certs/{old['name']}.crt").unlink()
    assert len(call(store, **asked)["anchors"]) == 1


def knows(tmp_path: pathlib.Path, given: list[dict[str, str]], client: pathlib.Path) -> bool:
    """Whether a server with these files lets a client in, which HAProxy decides by OpenSSL's rules."""
    for file in given:
        (tmp_path / file["name"]).write_text(file["content"])
    judged = subprocess.run(
        [
            *("openssl", "verify", "-crl_check_all", "-purpose", "sslclient", "-CAfile"),
            *(tmp_path / "Clients.ca.pem", "-CRLfile", tmp_path / "Clients.crl.pem", client),
        ],
        check=False,
        capture_output=True,
    )
    return judged.returncode == 0


def test_a_server_knows_clients_of_before_and_after_a_regeneration(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    clients = [{"name": name, "cn": name, "extended_key_usage": ["clientAuth"]} for name in ("good", "bad")]
    asked: dict[str, t.Any] = {
        "authorities": [{"name": "Clients", "cn": "Clients CA", "revoked": []}],
        "certificates": [{**client, "signed_by": "Clients"} for client in clients],
        "ca_files": ["Clients"],
    }
    serial = {each["name"]: each["serial"] for each in call(store, **asked)["certificates"]}
    good, bad = (store / f"certs/certs/{name}.crt" for name in ("good", "bad"))
    given = call(store, **asked)["ca_files"]
    assert [file["name"] for file in given] == ["Clients.ca.pem", "Clients.crl.pem"]
    assert knows(tmp_path, given, good) and knows(tmp_path, given, bad)

    asked["authorities"][0]["revoked"] = [{"serial": serial["bad"]}]
    given = call(store, **asked)["ca_files"]
    assert knows(tmp_path, given, good) and not knows(tmp_path, given, bad)

    old_good, old_bad = (shutil.copy(path, tmp_path / path.name) for path in (good, bad))
    call(store, regen_ca="Clients", **asked)
    given = call(store, **asked)["ca_files"]
    assert knows(tmp_path, given, good), "has a certificate of the new authority"
    assert knows(tmp_path, given, old_good), "does not have its new certificate yet"
    assert not knows(tmp_path, given, old_bad)
    later = NOW + datetime.timedelta(days=366)
    assert "Clients" in done(call(store, later, **asked))
    assert call(store, later, **asked)["ca_files"][1]["content"].count("BEGIN") == 1, "the old list has expired"


def test_a_node_gets_the_parts_it_asks_for(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "any").write_text("any file")
    dest = {"owner": "nobody", "mode": "0640"}
    files = [
        {"name": ONE["name"], "type": "certificate", "dest": "/etc/a.crt"},
        {"name": ONE["name"], "type": "certificate_chain", "dest": "/etc/chain.crt"},
        {"name": ONE["name"], "type": "ca_bundle", "dest": "/etc/ca.crt"},
        {"name": ONE["name"], "type": "private_key", "dest": "/etc/a.key", **dest},
        {"src": str(tmp_path / "any"), "dest": "/etc/any"},
        {"name": ONE["name"], "type": "certificate", "dest": "/etc/nothing", "condition": False},
    ]
    got = {file["dest"]: file for file in call(store, **EVERYTHING, files=files)["files"]}
    assert {path: (file["owner"], file["group"], file["mode"]) for path, file in got.items()} == {
        "/etc/a.crt": ("root", "root", "0644"),
        "/etc/chain.crt": ("root", "root", "0644"),
        "/etc/ca.crt": ("root", "root", "0644"),
        "/etc/a.key": ("nobody", "root", "0640"),
        "/etc/any": ("root", "root", "0600"),
    }
    assert got["/etc/a.crt"]["content"] == (store / ONE_CRT).read_text()
    assert got["/etc/chain.crt"]["content"] == (store / ONE_CRT).read_text() + (store / INTERMEDIATE_CRT).read_text()
    assert got["/etc/ca.crt"]["content"] == (store / INTERMEDIATE_CRT).read_text() + (store / ROOT_CRT).read_text()
    assert got["/etc/any"]["content"] == "any file"
    (tmp_path / "a.key").write_text(got["/etc/a.key"]["content"])
    assert openssl("pkey", "-in", tmp_path / "a.key", "-pubout") == public_key(store / ONE_CRT)


def test_a_file_of_the_setup_host_that_cannot_be_read_is_told_before_anything_is_written(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(PkiError, match=r"files\[0\]\.src: /nowhere cannot be read: No such file"):
        call(tmp_path / "pki", **EVERYTHING, files=[{"src": "/nowhere", "dest": "/a"}])
    assert not list((tmp_path / "pki").rglob("*.pem"))


def test_another_kind_of_key_for_an_authority_needs_regen_ca(store: pathlib.Path) -> None:
    wanted = {"authorities": [ROOT, {**INTERMEDIATE, "key_size": 384}]}
    with pytest.raises(PkiError, match=r"^authorities\[1\]\.key_type: .* ECDSA 256, wanted ECDSA 384: only regen_ca"):
        call(store, **wanted)
    call(store, regen_ca="HAProxyIntermediate", **wanted)
    assert "ECDSA 384" not in json.dumps(call(store, **wanted)["actions"])


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: pathlib.Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        call(tmp_path / "pki", **EVERYTHING)
    finally:
        os.umask(old)
    for path, (mode, content) in files(tmp_path / "pki").items():
        if path.endswith("private"):
            assert mode == 0o700
        elif path.endswith(".key.pem"):
            assert mode == 0o600
            assert b"PRIVATE KEY" in content
        else:
            assert mode == (0o644 if path.endswith(".crt") else 0o755)
            assert b"PRIVATE KEY" not in content


def test_keys_are_in_the_bundles_only(store: pathlib.Path) -> None:
    shutil.rmtree(store / "certs")
    quiet = call(store, anchors=[{"name": "HAProxyRoot"}], **EVERYTHING)
    assert "PRIVATE KEY" not in json.dumps(quiet)
    assert quiet["anchors"] == [{"name": "HAProxyRoot", "content": (store / ROOT_CRT).read_text()}]
    assert quiet["bundles"] == []
    (bundle,) = call(store, bundles=[TWO["name"]], **EVERYTHING)["bundles"]
    assert bundle["name"] == f"{TWO['name']}.pem"
    parts = re.findall(r"-----BEGIN .*?-----END [A-Z ]+-----\n", bundle["content"], re.DOTALL)
    # The leaf, the intermediate, not the root, the key.
    key = store / f"certs/private/{TWO['name']}.key.pem"
    assert parts == [(store / path).read_text() for path in (TWO_CRT, INTERMEDIATE_CRT)] + [key.read_text()]


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_haproxy_takes_a_bundle(store: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (bundle,) = call(store, bundles=[ONE["name"]], **EVERYTHING)["bundles"]
    pem = tmp_path / bundle["name"]
    pem.write_text(bundle["content"])
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        "defaults\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
        f"frontend f\n bind 127.0.0.1:65001 ssl crt {pem}\n http-request return status 200\n"
    )
    checked = subprocess.run(["haproxy", "-c", "-f", configuration], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_signers_may_be_in_the_directory_only(store: pathlib.Path) -> None:
    result = call(store, certificates=[ONE, {**ONE, "name": "more"}], anchors=[{"name": "HAProxyRoot"}])
    assert done(result) == {"more": "create"}
    assert [entry["name"] for entry in result["authorities"]] == ["HAProxyIntermediate", "HAProxyRoot"]
    assert verify(store, "certs/certs/more.crt")


@pytest.mark.parametrize(
    ("hurt", "words"),
    [
        (remove(INTERMEDIATE_KEY), "holds no private key"),
        (copy(ROOT_KEY, INTERMEDIATE_KEY), "do not belong together"),
    ],
)
def test_a_signer_in_the_directory_has_to_be_usable(
    store: pathlib.Path, hurt: t.Callable[[pathlib.Path], t.Any], words: str
) -> None:
    hurt(store)
    with pytest.raises(PkiError, match=r"^certificates\[0\]\.signed_by: .*" + words):
        call(store, certificates=[{**ONE, "name": "more"}])


def test_a_signer_in_the_directory_may_forbid_authorities_below_it(store: pathlib.Path) -> None:
    with pytest.raises(PkiError, match=r"^authorities\[0\]\.signed_by: 'HAProxyIntermediate' has pathlen:0"):
        call(store, authorities=[{"name": "Sub", "cn": "Sub", "signed_by": "HAProxyIntermediate"}])


def test_a_directory_of_the_original_role_is_taken_over(tmp_path: pathlib.Path) -> None:
    """There certificates are links to numbered files, keys are RSA, and the root may only sign data."""
    certs, private = tmp_path / "roots/HAProxyRoot/certs", tmp_path / "roots/HAProxyRoot/private"
    certs.mkdir(parents=True)
    private.mkdir()
    key = private / "HAProxyRoot.key.pem"
    openssl("genrsa", "-traditional", "-out", key, "2048")
    openssl(
        *("req", "-x509", "-key", key, "-days", "3650", "-subj", "/ST=England/CN=HAProxy Root CA"),
        *("-addext", "keyUsage=digitalSignature", "-out", certs / "HAProxyRoot-1.crt"),
    )
    (certs / "HAProxyRoot.crt").symlink_to("HAProxyRoot-1.crt")
    old_key, old_certificate = key.read_bytes(), (certs / "HAProxyRoot-1.crt").read_bytes()
    result = call(tmp_path, **EVERYTHING)
    assert done(result)["HAProxyRoot"] == "reissue"
    assert whole(tmp_path)
    assert key.read_bytes() == old_key
    assert (certs / "HAProxyRoot-1.crt").read_bytes() == old_certificate
    assert not call(tmp_path, **EVERYTHING)["changed"]


# One call in a process of its own, as Ansible's forks make it.
PROCESS = """
import datetime, json, sys
from ansible_collections.lbforge.haproxy.plugins.modules.pki_certificates import run
run(json.loads(sys.argv[1]), False, datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0))
"""


def process(directory: pathlib.Path, **params: t.Any) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", PROCESS, json.dumps({"directory": str(directory), **params})]
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE)


def test_calls_at_once_share_one_authority(tmp_path: pathlib.Path) -> None:
    names = [f"lb{number}" for number in range(1, 9)]
    calls = [
        process(
            tmp_path / "pki",
            authorities=[ROOT, INTERMEDIATE],
            certificates=[{**ONE, "name": name}, {**ONE, "name": "shared"}],
        )
        for name in names
    ]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        errors = list(pool.map(lambda running: running.communicate()[1], calls))
    assert errors == [b""] * len(names)
    assert all(verify(tmp_path / "pki", f"certs/certs/{name}.crt") for name in [*names, "shared"])
    wanted = [{**ONE, "name": name} for name in [*names, "shared"]]
    # The processes have the time of the system.
    now = datetime.datetime.now(datetime.timezone.utc)
    assert not call(tmp_path / "pki", now, authorities=[ROOT, INTERMEDIATE], certificates=wanted)["changed"]


@pytest.mark.parametrize("regen", [{}, {"regen_ca": "true", "regen_cert": "true"}])
def test_a_call_cut_off_after_any_step_is_finished_by_the_next(tmp_path: pathlib.Path, regen: dict[str, str]) -> None:
    """Even one that replaces the keys of all authorities, which is the longest and most dangerous of all."""
    start = tmp_path / "start"
    start.mkdir()
    if regen:
        call(start, **EVERYTHING)
    places = [authority_place(ROOT["name"]), authority_place(INTERMEDIATE["name"])]
    places += [certificate_place(ONE["name"]), certificate_place(TWO["name"])]
    changes = issue(parse_request({**EVERYTHING, **regen}), Store(start).read(places), NOW).changes
    assert len(changes) >= 14
    for steps in range(1, len(changes)):
        directory = tmp_path / str(steps)
        shutil.copytree(start, directory)
        Store(directory).apply(changes[:steps])
        call(directory, **EVERYTHING)
        assert whole(directory), f"cut off after step {steps}, before {changes[steps]}"
        assert not call(directory, **EVERYTHING)["changed"]


def test_a_killed_call_leaves_nothing_behind(store: pathlib.Path) -> None:
    for _round in range(5):
        running = process(store, regen_ca="true", regen_cert="true", **EVERYTHING)
        # Most of the time goes into starting Python: wait for the first sign of work.
        known = set(store.rglob("*"))
        while running.poll() is None and set(store.rglob("*")) == known:
            pass
        running.kill()
        running.communicate()
        call(store, **EVERYTHING)
        assert whole(store)
        assert not call(store, **EVERYTHING)["changed"]
    assert not list(store.rglob(".new-*"))


def test_another_call_is_waited_for_but_not_for_ever(store: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_file, "_LOCK_TIMEOUT", 0.2)
    with (
        Store(store).lock(read_only=False),
        pytest.raises(LbforgeError, match=r"\.lock has been locked by another run"),
    ):
        call(store, **EVERYTHING)


def test_the_module_speaks_as_ansible_expects(
    run_module: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    directory = str(tmp_path / "pki")
    old_names = {"country_name": "country", "ttl": "not_after", "email_address": "email", "cn": "common_name"}
    root = {old_names.get(option, option): value for option, value in ROOT.items()}
    result = run_module(pki_certificates, directory=directory, authorities=[root], _ansible_diff=True)
    assert result["changed"]
    assert result["authorities"][0]["subject"].startswith("C=GB, ST=England, O=Example Corporation")
    assert "authority HAProxyRoot" in result["diff"]["after"]
    assert not run_module(pki_certificates, directory=directory, authorities=[ROOT])["changed"]
    failed = run_module(pki_certificates, directory=directory, authorities=[{"name": "A"}, {"cn": "B"}])
    assert [error["path"] for error in failed["errors"]] == ["authorities[0].cn", "authorities[1].name"]
    (tmp_path / "file").touch()
    assert "file" in run_module(pki_certificates, directory=str(tmp_path / "file/pki"), authorities=[ROOT])["msg"]


@pytest.mark.parametrize("version", [0, 41])
def test_a_missing_library_is_named(
    run_module: t.Callable[..., dict[str, t.Any]],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
) -> None:
    monkeypatch.setattr(pki_certificates, "CRYPTOGRAPHY_VERSION", version)
    failed = run_module(pki_certificates, directory=str(tmp_path), authorities=[ROOT])
    assert "cryptography >= 42" in failed["msg"]
