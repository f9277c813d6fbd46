# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate with its chain and key, as certbot writes it and HAProxy loads it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import tempfile
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused, listed
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import PemError, certificates

CLOCKS = 300.0  # seconds of clock difference
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A certificate with its chain and key, and the fields of the certificate."""

    pem: str
    serial: str
    sha1: str  # the fingerprint in HAProxy's answers
    not_before: int
    not_after: int
    names: frozenset[str]
    key_type: str

    @classmethod
    def read(cls, pem: str) -> Bundle:
        """Read a PEM; Refused reports a flaw that no context excuses."""
        chain, key = _CERTIFICATE.findall(pem), _KEY.search(pem)
        try:
            leaf = certificates("".join(chain[:1]))[0]
        except (PemError, IndexError):
            raise Refused("holds no certificate") from None
        text = openssl("x509", "-noout", "-text", text=chain[:1]) or ""
        public = openssl("x509", "-noout", "-pubkey", text=chain[:1])
        own = openssl("pkey", "-pubout", text=[key[0]]) if key else None
        if not own:
            raise Refused("holds no key")
        if own != public:
            raise Refused("holds a key that does not belong to the certificate")
        return cls(
            pem="".join(f"{part.strip()}\n" for part in (*chain, key[0] if key else "")),
            serial=leaf.serial,
            sha1=leaf.sha1,
            not_before=int(leaf.not_before.timestamp()),
            not_after=int(leaf.not_after.timestamp()),
            names=frozenset(name.lower() for name in (*leaf.names, *leaf.addresses)),
            key_type="ecdsa" if "id-ecPublicKey" in text else "rsa" if "rsaEncryption" in text else "other",
        )

    @property
    def age(self) -> tuple[int, str]:
        """The sort key for the newer of two, the same on all nodes."""
        return self.not_before, self.serial

    def problem(self, names: t.Collection[str], now: float) -> str:
        """Why HAProxy cannot use it; empty if it can."""
        if now >= self.not_after:
            return "has expired"
        if now + CLOCKS < self.not_before:
            return "is not valid yet"
        if self.names != {name.lower() for name in names}:
            return f"is for {listed(self.names)} and not for {listed(names)}"
        chain = _CERTIFICATE.findall(self.pem)
        with tempfile.TemporaryDirectory() as directory:
            for number, (subject, issuer) in enumerate(zip(chain, chain[1:])):
                files = [pathlib.Path(directory, f"{number}-{role}") for role in ("issuer", "subject")]
                for file, text in zip(files, (issuer, subject)):
                    file.write_text(text)
                if openssl("verify", "-partial_chain", "-trusted", *map(str, files)) is None:
                    return f"has a chain that breaks after certificate {number + 1}"
        return ""


def openssl(*words: str, text: t.Sequence[str] = ()) -> str | None:
    """The output of openssl; empty if it fails. Keys are passed on standard input."""
    result = run(["openssl", *words], text="".join(text), timeout=30)
    return result.stdout if result.code == 0 else None
