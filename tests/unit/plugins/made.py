# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for tests, made by ``cryptography`` and looked at with ``openssl s_client``."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


class Made(t.NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    private: t.Any

    @property
    def crt(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def pem(self) -> str:
        return self.crt + self.key

    @property
    def sha1(self) -> str:
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def sha256(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex().upper()

    @property
    def serial(self) -> str:
        number = self.certificate.serial_number
        return number.to_bytes((number.bit_length() + 7) // 8, "big").hex().upper()


def make(
    name: str,
    issuer: Made | None = None,
    *,
    key: t.Any = None,
    authority: bool = False,
    names: t.Sequence[str] | None = None,
    days: tuple[int, int] = (-1, 30),
    usage: x509.ObjectIdentifier | None = None,
    ocsp: str = "",
) -> Made:
    """Make a certificate that is valid between two days from now, for these names and addresses."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number() | 1 << 158)
        .not_valid_before(NOW + datetime.timedelta(days=days[0]))
        .not_valid_after(NOW + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names is None:
        names = [] if authority else [name]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(text) for text in names]), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if ocsp:
        responder = x509.AccessDescription(
            x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([responder]), critical=False)
    return Made(builder.sign(issuer.private if issuer else private, hashes.SHA256()), private)


def make_crl(issuer: Made, *revoked: Made, days: tuple[int, int] = (-1, 3)) -> str:
    """Make a list of revoked certificates."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + datetime.timedelta(days=days[0]))
        .next_update(NOW + datetime.timedelta(days=days[1]))
    )
    for made in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(made.certificate.serial_number)
            .revocation_date(NOW - datetime.timedelta(hours=1))
            .build()
        )
    return builder.sign(issuer.private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def served(port: int, name: str = "any.test") -> str:
    """The serial that a client sees who asks for a name."""
    hello = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    seen = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=hello.stdout, capture_output=True, check=True)
    return seen.stdout.decode().strip().partition("=")[2]


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
