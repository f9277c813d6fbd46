# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read PEM texts with the standard library alone: a node has no library for certificates, and maybe no openssl.

The module ssl decodes only what it has verified, so the few fields that matter are read from DER here (RFC 5280,
sections 4.1 and 5.1). Signatures and keys are judged elsewhere, by OpenSSL (bundle.py).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_BLOCK = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_LISTS = ("X509 CRL",)

# Tags of DER
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")  # 2.5.29.17


class PemError(LbforgeError):
    """A PEM text cannot be read. Nothing of it is in the message."""


@dataclass(frozen=True)
class Certificate:
    """A certificate. The names are the values of their attributes, in their order."""

    der: bytes
    serial: str  # hexadecimal digits, as OpenSSL and HAProxy show it
    not_before: datetime.datetime
    not_after: datetime.datetime
    subject: tuple[str, ...]
    issuer: tuple[str, ...]
    names: tuple[str, ...]  # the DNS names
    addresses: tuple[str, ...]

    @property
    def sha1(self) -> str:
        """The fingerprint that HAProxy shows; not for security."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @property
    def sha256(self) -> str:
        """The fingerprint."""
        return hashlib.sha256(self.der).hexdigest().upper()

    @property
    def label(self) -> str:
        """The name of the certificate in messages."""
        return f"'{', '.join(self.subject)}'"

    def covers(self, hostname: str) -> bool:
        """Whether a client takes the certificate for this host (RFC 6125, section 6.4.3; common names do not count)."""
        try:
            return str(ipaddress.ip_address(hostname)) in self.addresses
        except ValueError:
            name = _comparable(hostname)
        _label, _dot, domain = name.partition(".")
        return any(known in (name, f"*.{domain}") for known in map(_comparable, self.names))


@dataclass(frozen=True)
class RevocationList:
    """A CRL."""

    issuer: tuple[str, ...]
    last_update: datetime.datetime
    next_update: datetime.datetime | None
    revoked: tuple[str, ...]  # serials, as HAProxy shows them


def certificates(pem: str) -> list[Certificate]:
    """The certificates of a PEM text in its order, whatever else is in it."""
    return [_read(_certificate, der, "certificate") for der in _ders(pem, _CERTIFICATES)]


def revocation_lists(pem: str) -> list[RevocationList]:
    """The CRLs of a PEM text."""
    return [_read(_revocation_list, der, "CRL") for der in _ders(pem, _LISTS)]


def labels(pem: str) -> list[str]:
    """The labels of the blocks in a PEM text."""
    return [block["label"] for block in _BLOCK.finditer(pem)]


def normalised(pem: str) -> str:
    """A PEM text without empty lines and without the blanks around others; HAProxy's socket takes it only so."""
    return "".join(f"{line.strip()}\n" for line in pem.splitlines() if line.strip())


def fingerprint(content: bytes | None) -> str:
    """Describe a PEM bundle without showing any of it: the leaf, and the whole with its key and chain."""
    if content is None:
        return ""
    try:
        leaf = next(_ders(content.decode(errors="replace"), _CERTIFICATES), b"")
    except PemError:
        leaf = b""
    shown = f"certificate SHA-256 {hashlib.sha256(leaf).hexdigest()}" if leaf else "no readable certificate"
    return f"{shown}\nfile SHA-256 {hashlib.sha256(content).hexdigest()}\n"


def facts(certificate: Certificate, now: datetime.datetime) -> dict[str, t.Any]:
    """The public facts of a certificate."""
    return {
        "serial": certificate.serial,
        "not_before": instant(certificate.not_before.timestamp()),
        "not_after": instant(certificate.not_after.timestamp()),
        "days_left": (certificate.not_after - now).days,
        "san": [*certificate.names, *certificate.addresses],
        "sha1": certificate.sha1,
        "sha256": certificate.sha256,
    }


def instant(seconds: float) -> str:
    """A time as it is shown."""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _comparable(name: str) -> str:
    try:
        return name.rstrip(".").lower().encode("idna").decode() if not name.isascii() else name.rstrip(".").lower()
    except UnicodeError:
        return name


def _ders(pem: str, kinds: t.Collection[str]) -> t.Iterator[bytes]:
    for block in _BLOCK.finditer(pem):
        if block["label"] in kinds:
            try:
                yield base64.b64decode("".join(block["body"].split()), validate=True)
            except binascii.Error as error:
                raise PemError(f"The PEM block {block['label']} is damaged: it is not base64.") from error


# DER


class _Node(t.NamedTuple):
    tag: int
    content: bytes

    @property
    def children(self) -> list[_Node]:
        return list(_nodes(self.content))


_Fact = t.TypeVar("_Fact")


def _read(parse: t.Callable[[bytes], _Fact], der: bytes, kind: str) -> _Fact:
    try:
        return parse(der)
    except (IndexError, ValueError) as error:
        raise PemError(f"A {kind} is damaged: it is not DER.") from error


def _nodes(data: bytes) -> t.Iterator[_Node]:
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        if position + length > len(data):
            raise ValueError("cut off")
        yield _Node(tag, data[position : position + length])
        position += length


def _root(data: bytes) -> list[_Node]:
    (node,) = _nodes(data)
    return node.children


def _certificate(der: bytes) -> Certificate:
    fields = _root(der)[0].children
    if fields[0].tag == _VERSION:
        fields = fields[1:]
    serial, _algorithm, issuer, validity, subject, _key, *optional = fields
    not_before, not_after = map(_time, validity.children)
    alternatives = list(_alternatives(optional))
    return Certificate(
        der=der,
        serial=_serial(serial),
        not_before=not_before,
        not_after=not_after,
        subject=_name(subject),
        issuer=_name(issuer),
        names=tuple(node.content.decode(errors="replace") for node in alternatives if node.tag == _DNS_NAME),
        addresses=tuple(str(ipaddress.ip_address(node.content)) for node in alternatives if node.tag == _IP_ADDRESS),
    )


def _alternatives(optional: t.Iterable[_Node]) -> t.Iterator[_Node]:
    for holder in optional:
        if holder.tag == _EXTENSIONS:
            for extension in holder.children[0].children:
                if extension.content.startswith(_SUBJECT_ALT_NAME):
                    yield from _root(extension.children[-1].content)


def _revocation_list(der: bytes) -> RevocationList:
    fields = _root(der)[0].children
    if fields[0].tag != _SEQUENCE:
        fields = fields[1:]  # the version
    _algorithm, issuer, *more = fields
    times = [_time(node) for node in more if node.tag in (_UTC_TIME, _GENERALIZED_TIME)]
    entries = next((node.children for node in more if node.tag == _SEQUENCE), [])
    return RevocationList(
        issuer=_name(issuer),
        last_update=times[0],
        next_update=times[1] if len(times) > 1 else None,
        revoked=tuple(_serial(entry.children[0]) for entry in entries),
    )


def _serial(node: _Node) -> str:
    number = int.from_bytes(node.content, "big", signed=True)
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + "0" * (len(digits) % 2) + digits


def _name(node: _Node) -> tuple[str, ...]:
    pairs = (pair.children for relative in node.children for pair in relative.children)
    return tuple(value.content.decode(errors="replace") for _type, value in pairs)


def _time(node: _Node) -> datetime.datetime:
    text = node.content.decode("ascii")
    if node.tag == _UTC_TIME:  # RFC 5280: 00 to 49 are in this century
        text = f"{'20' if text[:2] < '50' else '19'}{text}"
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
