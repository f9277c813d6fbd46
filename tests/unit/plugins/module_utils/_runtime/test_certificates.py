# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of a real HAProxy, made by ``cryptography`` and looked at with ``openssl s_client``."""

from __future__ import annotations

import datetime
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.certificates import (
    CA_FILE,
    CRL_FILE,
    File,
    Listing,
    Shown,
    ShownList,
    create,
    days_until,
    delete,
    listing,
    parse_file,
    parse_listing,
    shown,
    swap,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import NOW, Made, make, make_crl, served

SECTIONS = """\
frontend web-front-1
    bind 127.0.0.1:@port-tls@ ssl crt-list @home@/crt.list ca-file @home@/ca.pem crl-file @home@/crl.pem verify optional
    http-request return status 200
"""


@pytest.fixture(scope="module")
def root() -> Made:
    return make("Root", authority=True)


@pytest.fixture(scope="module")
def first(root: Made) -> Made:
    return make("first.test", root)


@pytest.fixture(scope="module")
def second(root: Made) -> Made:
    return make("second.test", root)


@pytest.fixture
def running(haproxy: t.Callable[..., t.Any], root: Made, first: Made) -> t.Any:
    return haproxy(
        SECTIONS,
        crt_list="@home@/a.pem\n",
        a_pem=first.pem + root.crt,
        ca_pem=root.crt,
        crl_pem=make_crl(root),
    )


LISTINGS = [
    ("# filename\n/a.pem\n/b c.pem\n\n", Listing(("/a.pem", "/b c.pem"), None)),
    ("# transaction\n*/a.pem\n# filename\n/a.pem\n\n", Listing(("/a.pem",), "/a.pem")),
    (
        "# filename\n@system-ca - 144 certificate(s)\nmyca.pem - 1 certificate(s)\n\n",
        Listing(("@system-ca", "myca.pem"), None),
    ),
    ("# transaction\n*/ca.pem - 2 certificate(s)\n# filename\n\n", Listing((), "/ca.pem")),
    ("# filename\n\n", Listing((), None)),
]


@pytest.mark.parametrize(("answer", "expected"), LISTINGS)
def test_a_listing(answer: str, expected: Listing) -> None:
    assert parse_listing(answer) == expected


def test_an_empty_store() -> None:
    assert parse_file("Filename: /new.pem\nStatus: Empty\nOCSP Response Key: \n\n") == File("/new.pem", "Empty")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(86400 * 3, 3), (86400 * 3 - 1, 2), (86399, 0), (0, 0), (-1, -1), (-86401, -2)]
)
def test_days_until(seconds: int, expected: int) -> None:
    assert days_until(1_800_000_000 + seconds, 1_800_000_000) == expected


def test_all_of_a_certificate_is_read(running: t.Any, root: Made, first: Made) -> None:
    path = f"{running.home}/a.pem"
    with running.client.session() as session:
        assert listing(session) == Listing((path,), None)
        assert shown(session, path) == File(
            path,
            "Used",
            (
                Shown(
                    serial=first.serial,
                    not_before=int((NOW - datetime.timedelta(days=1)).timestamp()),
                    not_after=int((NOW + datetime.timedelta(days=30)).timestamp()),
                    san=("DNS:first.test",),
                    algorithm="EC256",
                    sha1=first.sha1,
                    subject="/C=DE/CN=first.test",
                    issuer="/C=DE/CN=Root",
                    chain=("/C=DE/CN=Root",),
                ),
            ),
        )


def test_all_of_a_ca_file_and_of_a_crl_is_read(running: t.Any, root: Made) -> None:
    with running.client.session() as session:
        assert f"{running.home}/ca.pem" in listing(session, CA_FILE).paths
        file = shown(session, f"{running.home}/ca.pem", CA_FILE)
        assert [(shown.sha1, shown.subject) for shown in file.certificates] == [(root.sha1, "/C=DE/CN=Root")]
        assert shown(session, f"{running.home}/crl.pem", CRL_FILE).lists == (
            ShownList(
                "/C=DE/CN=Root",
                int((NOW - datetime.timedelta(days=1)).timestamp()),
                int((NOW + datetime.timedelta(days=3)).timestamp()),
                (),
            ),
        )


def test_a_swap_is_served(running: t.Any, first: Made, second: Made, root: Made) -> None:
    assert served(running.ports["tls"]) == first.serial
    with running.client.session() as session:
        swap(session, f"{running.home}/a.pem", second.crt + "\n \n\n" + root.crt + "\r\n" + second.key)
        assert listing(session).transaction is None
        assert shown(session, f"{running.home}/a.pem").leaf.chain == ("/C=DE/CN=Root",)
    assert served(running.ports["tls"]) == second.serial


def test_another_kind_of_key_in_place(running: t.Any, root: Made) -> None:
    other = make("rsa.test", root, key=rsa.generate_private_key(65537, 2048))
    with running.client.session() as session:
        swap(session, f"{running.home}/a.pem", other.pem)
        assert shown(session, f"{running.home}/a.pem").leaf.algorithm == "RSA2048"
    assert served(running.ports["tls"]) == other.serial


def refused(running: t.Any, path: str, pem: str, kind: str = certificates.CERTIFICATE) -> str:
    """Swap in vain: nothing is changed and no transaction stays open; return the message."""
    with running.client.session() as session:
        before = listing(session, kind)
        with pytest.raises(LbforgeError) as caught:
            swap(session, path, pem, kind)
        assert listing(session, kind) == before
    for secret in (line for line in pem.splitlines() if len(line) > 40):
        assert secret not in str(caught.value) + str(caught.value.details)
    return str(caught.value)


def test_bad_pems_leave_no_transaction_open(running: t.Any, first: Made, second: Made) -> None:
    path = f"{running.home}/a.pem"
    assert "inconsistencies between private key and certificate" in refused(running, path, second.crt + first.key)
    assert "private key" in refused(running, path, second.crt)
    assert "unable to load certificate" in refused(running, path, "garbage\n")
    assert "unable to load certificate" in refused(running, path, second.pem.replace("MII", "!!!", 1))
    assert served(running.ports["tls"]) == first.serial


def test_a_certificate_that_is_not_referenced(running: t.Any, second: Made) -> None:
    assert "not referenced by the configuration" in refused(running, "/none.pem", second.pem)


def test_a_chain_that_does_not_fit(running: t.Any, root: Made) -> None:
    large = make("large.test", root, names=[f"name-{number}.large.test" for number in range(800)])
    assert "the buffer of this HAProxy takes 15360" in refused(running, f"{running.home}/a.pem", large.pem)


def test_the_transaction_of_somebody_else_is_left_alone(running: t.Any, first: Made, second: Made) -> None:
    path = f"{running.home}/a.pem"
    with running.client.session() as other:
        other.run(f"set ssl cert {path}", second.pem)
        message = refused(running, path, make("third.test").pem)
        assert f"abort ssl cert {path}" in message
        other.run(f"commit ssl cert {path}")
    assert served(running.ports["tls"]) == second.serial


def test_what_an_interrupted_run_left_is_ended(running: t.Any, second: Made) -> None:
    path = f"{running.home}/a.pem"
    with running.client.session() as session:
        session.run(f"set ssl cert {path}", second.pem)
        swap(session, path, second.pem)
        assert listing(session).transaction is None
    assert served(running.ports["tls"]) == second.serial


def test_a_new_certificate_and_its_end(running: t.Any, second: Made) -> None:
    path = f"{running.home}/new one.pem"
    with running.client.session() as session:
        create(session, path, second.pem)
        assert shown(session, path).status == "Unused"
        assert shown(session, path).leaf.sha1 == second.sha1
        delete(session, path)
        assert path not in listing(session).paths
        with pytest.raises(LbforgeError, match="in use"):
            delete(session, f"{running.home}/a.pem")


def test_a_new_certificate_that_is_refused_leaves_nothing(running: t.Any, first: Made, second: Made) -> None:
    with running.client.session() as session:
        before = listing(session)
        with pytest.raises(LbforgeError, match="inconsistencies"):
            create(session, "/new.pem", second.crt + first.key)
        assert listing(session) == before


def test_a_ca_file_and_a_crl_are_swapped(running: t.Any, root: Made, first: Made) -> None:
    other = make("Other Root", authority=True)
    with running.client.session() as session:
        swap(session, f"{running.home}/ca.pem", root.crt + other.crt, CA_FILE)
        found = shown(session, f"{running.home}/ca.pem", CA_FILE).certificates
        assert [certificate.sha1 for certificate in found] == [root.sha1, other.sha1]
        swap(session, f"{running.home}/crl.pem", make_crl(root, first), CRL_FILE)
        assert shown(session, f"{running.home}/crl.pem", CRL_FILE).lists[0].revoked == (first.serial,)


def test_a_large_ca_file_goes_in_pieces_where_that_works(running: t.Any) -> None:
    several = [
        make(f"Root {number}", authority=True, names=[f"n{name}.test" for name in range(100)]) for number in range(12)
    ]
    pem = "".join(made.crt for made in several)
    path = f"{running.home}/ca.pem"
    if running.version < (2, 8):
        assert "2.8" in refused(running, path, pem, CA_FILE)
        return
    with running.client.session() as session:
        swap(session, path, pem, CA_FILE)
        found = shown(session, path, CA_FILE).certificates
    assert [certificate.sha1 for certificate in found] == [made.sha1 for made in several]


def test_two_crls_in_a_file(running: t.Any, root: Made, first: Made) -> None:
    other = make("Other Root", authority=True)
    pem = make_crl(root) + make_crl(other, first)
    with running.client.session() as session:
        swap(session, f"{running.home}/crl.pem", pem, CRL_FILE)
        found = shown(session, f"{running.home}/crl.pem", CRL_FILE)
    assert certificates.holds(found, pem, CRL_FILE)
    assert not certificates.holds(found, make_crl(root), CRL_FILE)


def test_garbage_is_held_by_nothing() -> None:
    for kind in (certificates.CERTIFICATE, CA_FILE, CRL_FILE):
        assert not certificates.holds(File("/a.pem", "Empty"), "garbage", kind)
