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

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import PkiError, UserCertificate
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.user import load_user_certificates


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


def load(
    home: pathlib.Path, cert: str, key: str, ca_cert: str = "", days: int = 0, names: tuple[str, ...] = ()
) -> t.Any:
    def path(name: str) -> str:
        return str(home / name) if name else ""

    user = UserCertificate("user_certificates[0]", "own", path(cert), path(key), path(ca_cert), names)
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
        ("lower+leaf", "leaf.key", "", 0, "key", "must begin with the leaf"),
        ("leaf+upper+lower", "leaf.key", "", 0, "cert", "'CN=upper' does not sign 'CN=leaf'"),
        ("leaf.crt", "leaf.key", "other.crt", 0, "ca_cert", "'CN=other' does not sign 'CN=leaf'"),
        ("leaf+lower", "leaf.key", "root.crt", 0, "ca_cert", "'CN=root' does not sign 'CN=lower'"),
        ("leaf.crt", "leaf.key", "", 21, "cert", "'CN=leaf' in"),
        ("leaf.crt", "leaf.key", "", 21, "cert", "expired on"),
        ("leaf.crt", "leaf.key", "", -1, "cert", "is not valid before"),
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


@pytest.mark.parametrize(
    ("cert", "names", "is_good"),
    [
        ("leaf", (), True),
        ("leaf", ("www.example.org",), True),
        ("leaf", ("WWW.example.org.", "192.0.2.1"), True),
        ("leaf", ("example.org", "www.example.org"), True),
        # Nobody said which name clients ask for there.
        ("leaf", ("192.0.2.1", "2001:db8::1"), True),
        ("leaf", ("www.example.com", "192.0.2.1"), False),
        ("leaf", ("example.org",), False),
        ("address", ("192.0.2.1",), True),
        ("address", ("2001:DB8:0::1", "192.0.2.9"), True),
        ("address", ("192.0.2.9",), False),
        ("address", ("www.example.org",), False),
        ("wild", ("www.example.org",), True),
        ("wild", ("a.b.example.org", "example.org"), False),
        # The common name is not asked any more.
        ("rsa", ("rsa",), False),
    ],
)
def test_clients_have_to_ask_for_its_host(
    home: pathlib.Path, tmp_path: pathlib.Path, cert: str, names: tuple[str, ...], is_good: bool
) -> None:
    own = {"address": "IP:192.0.2.1,IP:2001:db8::1", "wild": "DNS:*.example.org"}
    key = "leaf.key" if cert in own else f"{cert}.key"
    if cert in own:
        command = ["openssl", "req", "-x509", "-key", str(home / key), "-subj", "/CN=x", "-out", f"{cert}.crt"]
        command += ["-addext", f"subjectAltName={own[cert]}"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    path = (tmp_path if cert in own else home) / f"{cert}.crt"
    if is_good:
        load(home, str(path), key, names=names)
        return
    with pytest.raises(PkiError) as caught:
        load(home, str(path), key, names=names)
    (problem,) = caught.value.problems
    assert problem.path == "user_certificates[0].cert"
    for part in (str(path), str(home / key), f"clients ask for {', '.join(names)}", "Use a certificate"):
        assert part in problem.why


def test_one_for_several_addresses_is_complained_of_once(home: pathlib.Path) -> None:
    users = [
        UserCertificate(f"user_certificates[{at}]", name, str(home / "leaf.crt"), str(home / "other.key"), "")
        for at, name in enumerate(["a", "b"])
    ]
    with pytest.raises(PkiError) as caught:
        load_user_certificates(
            users, lambda path: pathlib.Path(path).read_bytes(), datetime.datetime.now(datetime.timezone.utc)
        )
    assert [problem.path for problem in caught.value.problems] == ["user_certificates[0].key"]
