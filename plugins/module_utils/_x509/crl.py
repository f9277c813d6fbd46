# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of revoked certificates of an authority (RFC 5280, section 5): parse, compare, sign."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.certificate import (
    Unreadable,
    authority_key_identifier,
    hash_for,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    pass  # The module reports that before it calls anything here.

if t.TYPE_CHECKING:
    import datetime

    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.certificate import PrivateKey
    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import Revocations


def load_crl(pem: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(pem)
    except ValueError as error:
        raise Unreadable("holds no revocation list in PEM format") from error


def crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(serialization.Encoding.PEM)


def sign_crl(
    wanted: Revocations,
    issuer: x509.Certificate,
    key: PrivateKey,
    now: datetime.datetime,
    old: x509.CertificateRevocationList | None,
) -> x509.CertificateRevocationList:
    """Sign the successor of the old list, with the original revocation dates.

    Its number is the time: RFC 5280, 5.2.3, requires increasing numbers, even after the loss of a list.
    """
    since = {entry.serial_number: entry.revocation_date_utc for entry in old or ()}
    last = 0 if old is None else number(old)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(now)
        .next_update(now + wanted.lifetime)
        .add_extension(x509.CRLNumber(max(last + 1, int(now.timestamp()))), critical=False)
        .add_extension(authority_key_identifier(issuer), critical=False)
    )
    for revocation in wanted.entries:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(revocation.serial)
            .revocation_date(since.get(revocation.serial, now))
        )
        # RFC 5280, 5.3.1: the reason "unspecified" is told by its absence.
        if revocation.reason != "unspecified":
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(revocation.reason)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hash_for(key))


def differences(
    wanted: Revocations, crl: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime.datetime
) -> list[str]:
    """The reason why a list is not, or no longer, the wanted one."""
    reasons = []
    if crl.issuer != issuer.subject or not crl.is_signature_valid(t.cast("t.Any", issuer.public_key())):
        reasons.append("not signed by its authority")
    if revoked(crl) != {entry.serial: entry.reason for entry in wanted.entries}:
        reasons.append("the list of revoked certificates changed")
    end = crl.next_update_utc
    if end is None or end - now < (end - crl.last_update_utc) / 3:
        reasons.append("due for renewal")
    elif end - crl.last_update_utc != wanted.lifetime:
        reasons.append("lifetime differs")
    return reasons


def facts(crl: x509.CertificateRevocationList) -> dict[str, t.Any]:
    """Return the public facts of a list."""
    return {
        "number": number(crl),
        "next_update": f"{crl.next_update_utc:%Y-%m-%dT%H:%M:%SZ}",
        "revoked": [f"{serial:x}" for serial in sorted(revoked(crl))],
    }


def number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, ValueError):
        return 0


def revoked(crl: x509.CertificateRevocationList) -> dict[int, str]:
    """Return the reasons by serial number."""
    return {entry.serial_number: _reason(entry) for entry in crl}


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except (x509.ExtensionNotFound, ValueError):
        return "unspecified"
