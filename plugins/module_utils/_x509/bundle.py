# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a PEM is fit to be served: key, chain, dates and names, judged before anything is touched.

The judge is OpenSSL through the module ssl: it loads the bundle, and then shakes hands with itself in memory. So no
program is needed, and the key is on no command line and on no disk.
"""

from __future__ import annotations

import os
import ssl
import typing as t
from contextlib import contextmanager, suppress

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import (
    Certificate,
    PemError,
    certificates,
    labels,
    revocation_lists,
)

if t.TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator

_KEY = "PRIVATE KEY"
_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl.VERIFY_X509_PARTIAL_CHAIN came with Python 3.10
_WRONG_PURPOSE = 26  # X509_V_ERR_INVALID_PURPOSE
# The last is what OpenSSL says of a key of another type.
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def bundle_problems(pem: str, hostnames: t.Iterable[str], now: datetime.datetime) -> list[str]:
    """All mistakes of a certificate, its key and its chain."""
    try:
        chain = certificates(pem)
    except PemError as error:
        return [str(error)]
    if not chain:
        return ["It contains no certificate in PEM format."]
    found = _date_problems(chain, now)
    found += [
        f"The certificate does not cover the host name {name!r}; it covers"
        f" {', '.join((*chain[0].names, *chain[0].addresses)) or 'none'}."
        for name in hostnames
        if not chain[0].covers(name)
    ]
    if wrong := _order_problem(chain):
        found.append(wrong)
    if wrong := _key_problem(pem):
        found.append(wrong)
    elif len(chain) > 1 and not found and (wrong := _signature_problem(pem, chain)):
        found.append(wrong)  # an expired certificate or a wrong order is already reported
    return found


def ca_problems(pem: str) -> list[str]:
    """All mistakes of a CA file. Expired authorities in it do no harm."""
    try:
        found = [] if certificates(pem) else ["It contains no certificate in PEM format."]
    except PemError as error:
        return [str(error)]
    return found + _secret_problems(pem)


def crl_problems(pem: str, now: datetime.datetime) -> list[str]:
    """All mistakes of a CRL file. With an expired one HAProxy rejects every client."""
    try:
        lists = revocation_lists(pem)
    except PemError as error:
        return [str(error)]
    found = [] if lists else ["It contains no CRL in PEM format."]
    found += [
        f"The CRL of '{', '.join(crl.issuer)}' has been due for replacement since {_day(crl.next_update)}."
        for crl in lists
        if crl.next_update is not None and crl.next_update <= now
    ]
    return found + _secret_problems(pem)


def _secret_problems(pem: str) -> list[str]:
    return ["It contains a private key, which does not belong there."] if _keys(pem) else []


def _keys(pem: str) -> list[str]:
    return [label for label in labels(pem) if label.endswith(_KEY)]


def _date_problems(chain: t.Iterable[Certificate], now: datetime.datetime) -> list[str]:
    found = []
    for certificate in chain:
        if certificate.not_after <= now:
            found.append(f"The certificate {certificate.label} has expired on {_day(certificate.not_after)}.")
        if certificate.not_before > now:
            found.append(f"The certificate {certificate.label} is not valid before {_day(certificate.not_before)}.")
    return found


def _day(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _order_problem(chain: t.Sequence[Certificate]) -> str | None:
    for certificate, issuer in zip(chain, chain[1:]):
        if _folded(certificate.issuer) != _folded(issuer.subject):
            return (
                f"The chain is broken: {certificate.label} is followed by {issuer.label}, not by its issuer"
                f" '{', '.join(certificate.issuer)}'. Put the leaf first, then each issuer."
            )
    return None


def _folded(name: t.Iterable[str]) -> list[str]:
    """A name as RFC 5280 compares it (section 7.1)."""
    return [" ".join(value.split()).casefold() for value in name]


def _key_problem(pem: str) -> str | None:
    keys = _keys(pem)
    if not keys:
        return "It contains no private key; HAProxy needs certificate, chain and key in one file."
    if "ENCRYPTED" in keys[0] or "Proc-Type: 4,ENCRYPTED" in pem:
        return "The private key has a passphrase, which HAProxy cannot ask for."
    try:
        with _in_memory(pem) as path:
            _context(serving=True).load_cert_chain(path, password="")  # which keeps OpenSSL from asking a terminal
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            return "The private key does not belong to the certificate. Put the leaf first, then its chain."
        return f"OpenSSL cannot load the certificate and its key: {error.reason or 'unreadable'}."
    return None


def _signature_problem(pem: str, chain: t.Sequence[Certificate]) -> str | None:
    """Let OpenSSL verify the chain from the leaf to the last certificate that is given."""
    for serving in (True, False):  # HAProxy uses certificates in front of clients, and before servers
        try:
            _verify(pem, chain[-1].der, serving=serving)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code == _WRONG_PURPOSE and serving:
                continue
            return f"The chain is broken: OpenSSL says '{error.verify_message}'."
        except ssl.SSLError:
            return None  # the handshake failed for a reason that says nothing of the chain
        return None
    return None


def _verify(pem: str, anchor: bytes, *, serving: bool) -> None:
    holder, judge = _context(serving=serving), _context(serving=not serving)
    with _in_memory(pem) as path:
        holder.load_cert_chain(path)
        if not serving:
            judge.load_cert_chain(path)  # a server needs one, too
    judge.load_verify_locations(cadata=anchor)
    judge.verify_flags |= _PARTIAL_CHAIN
    judge.verify_mode = ssl.CERT_REQUIRED
    to_holder, to_judge = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        judge.wrap_bio(to_judge, to_holder, server_side=not serving),
        holder.wrap_bio(to_holder, to_judge, server_side=serving),
    )
    for _flight in range(5):
        for side in sides:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()


def _context(*, serving: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the client is verified within its handshake
    context.set_ciphers("ALL:@SECLEVEL=0")  # whether a key is long enough is HAProxy's to judge
    return context


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file in memory only, because OpenSSL's interface accepts only file names."""
    handle = os.memfd_create("pem")
    try:
        os.write(handle, text.encode())
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
