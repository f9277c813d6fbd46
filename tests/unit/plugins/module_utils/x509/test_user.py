# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that a user brings, made by openssl as users make them."""

from __future__ import annotations

import datetime
import pathlib
import re
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.x509.request import PkiError, UserCertificate
from ansible_collections.lbforge.haproxy.plugins.module_utils.x509.user import load_user_certificates


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Files of a company: root, two intermediates, a leaf, all in one directory."""
    home = tmp_path_factory.mktemp("company")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=home)

    (home / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (home / "leaf.ext").write_text("subjectAltName=DNS:www.example.org\n")
    for name in ("root", "upper", "lower", "leaf", "other"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", f"{name}.key")  # With an "EC PARAMETERS" block.
    for name in ("root", "other"):
        openssl("req", "-x509", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "99", "-out", f"{name}.crt")
    for name, signer, kind, days in (
        ("upper", "root", "ca", "50"),
        ("lower", "upper", "ca", "99"),
        ("leaf", "lower", "leaf", "20"),
    ):
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{signer}.crt", "-CAkey", f"{signer}.key"),
            *("-CAcreateserial", "-days", days, "-extfile", f"{kind}.ext", "-out", f"{name}.crt"),
        )
    openssl("genrsa", "-traditional", "-out", "rsa.key", "2048")
    openssl("req", "-x509", "-key", "rsa.key", "-subj", "/CN=rsa", "-days", "9", "-out", "rsa.crt")
    openssl("pkey", "-in", "leaf.key", "-aes256", "-passout", "pass:x", "-out", "secret.key")
    (home / "empty").touch()
    (home / "bad.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for joined in (
        "leaf+lower",
        "leaf+lower+upper",
        "leaf+upper+lower",
        "lower+leaf",
        "lower+upper",
        "lower+upper+root",
    ):
        (home / joined).write_text("".join((home / f"{part}.crt").read_text() for part in joined.split("+")))
    # What the seed warns of: one long line, and the line ends of another system.
    body = "".join((home / "leaf.crt").read_text().splitlines()[1:-1])
    (home / "oneline").write_text(f"-----BEGIN CERTIFICATE-----\r\n{body}\r\n-----END CERTIFICATE-----\r\n")
    return home


def load(home: pathlib.Path, cert: str, key: str, ca_cert: str = "", days: int = 0) -> t.Any:
    def path(name: str) -> str:
        return str(home / name) if name else ""

    user = UserCertificate("user_certificates[0]", "own", path(cert), path(key), path(ca_cert))
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, seconds=1)
    return load_user_certificates([user], lambda path: pathlib.Path(path).read_bytes(), later)["own"]


@pytest.mark.parametrize(
    ("cert", "key", "ca_cert", "sent"),
    [
        ("leaf.crt", "leaf.key", "", ["leaf.crt"]),
        ("leaf.crt", "leaf.key", "lower+upper", ["leaf.crt", "lower.crt", "upper.crt"]),
        ("leaf.crt", "leaf.key", "lower+upper+root", ["leaf.crt", "lower.crt", "upper.crt"]),
        ("leaf+lower+upper", "leaf.key", "", ["leaf.crt", "lower.crt", "upper.crt"]),
        ("leaf+lower+upper", "leaf.key", "root.crt", ["leaf.crt", "lower.crt", "upper.crt"]),
        ("leaf+lower", "leaf.key", "lower+upper", ["leaf.crt", "lower.crt", "upper.crt"]),
        ("oneline", "leaf.key", "lower.crt", ["leaf.crt", "lower.crt"]),
        ("rsa.crt", "rsa.key", "", ["rsa.crt"]),
        ("rsa.crt", "rsa.key", "rsa.crt", ["rsa.crt"]),
    ],
)
def test_good_ones_are_joined(home: pathlib.Path, cert: str, key: str, ca_cert: str, sent: list[str]) -> None:
    bundle = load(home, cert, key, ca_cert).bundle().decode()
    assert re.sub(r"-----BEGIN PRIVATE.*", "", bundle, flags=re.DOTALL) == "".join(
        (home / name).read_text() for name in sent
    )
    public = [
        subprocess.run(["openssl", "pkey", "-pubout"], input=text, check=True, capture_output=True, text=True).stdout
        for text in (bundle, (home / key).read_text())
    ]
    assert public[0] == public[1]


@pytest.mark.parametrize(
    ("cert", "key", "ca_cert", "days", "option", "words"),
    [
        ("nowhere", "leaf.key", "", 0, "cert", "cannot be read: No such file"),
        ("leaf.crt", "nowhere", "", 0, "key", "cannot be read: No such file"),
        ("leaf.crt", "leaf.key", "nowhere", 0, "ca_cert", "cannot be read: No such file"),
        ("empty", "leaf.key", "", 0, "cert", "holds no certificate"),
        ("bad.crt", "leaf.key", "", 0, "cert", "damaged certificate"),
        ("leaf.crt", "leaf.crt", "", 0, "key", "holds no private key"),
        ("leaf.crt", "secret.key", "", 0, "key", "with a passphrase"),
        ("leaf.crt", "other.key", "", 0, "key", "other.key is not the key of"),
        ("lower+leaf", "leaf.key", "", 0, "key", "must begin with the certificate"),
        ("leaf+upper+lower", "leaf.key", "", 0, "cert", "'CN=upper' does not sign 'CN=leaf'"),
        ("leaf.crt", "leaf.key", "other.crt", 0, "ca_cert", "'CN=other' does not sign 'CN=leaf'"),
        ("leaf+lower", "leaf.key", "root.crt", 0, "ca_cert", "'CN=root' does not sign 'CN=lower'"),
        ("leaf.crt", "leaf.key", "", 21, "cert", "'CN=leaf' in"),
        ("leaf.crt", "leaf.key", "", 21, "cert", "expired on"),
        ("leaf.crt", "leaf.key", "", -1, "cert", "is valid only from"),
    ],
)
def test_bad_ones_are_refused(
    home: pathlib.Path, cert: str, key: str, ca_cert: str, days: int, option: str, words: str
) -> None:
    with pytest.raises(PkiError) as caught:
        load(home, cert, key, ca_cert, days)
    assert (f"user_certificates[0].{option}", True) in [
        (problem.path, words in problem.why) for problem in caught.value.problems
    ]
    assert "PRIVATE" not in str(caught.value)


def test_an_expired_intermediate_is_found(home: pathlib.Path) -> None:
    with pytest.raises(PkiError) as caught:
        load(home, "leaf.crt", "leaf.key", "lower+upper", days=51)
    assert [problem.path for problem in caught.value.problems] == [
        "user_certificates[0].cert",
        "user_certificates[0].ca_cert",
    ]
    assert "'CN=upper'" in caught.value.problems[1].why
