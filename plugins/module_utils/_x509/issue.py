# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From wanted and existing certificates to the files to write: the whole plan, in memory.

Certificates are really signed here, so that check mode is the same path without the writing.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import certificate as crypto
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import crl as revocation
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import (
    PkiError,
    Request,
    Revocations,
    Wanted,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import (
    Change,
    File,
    Mode,
    Move,
    Place,
    Write,
    authority_place,
    certificate_place,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

if t.TYPE_CHECKING:
    from cryptography import x509

KEY_MODE, KEY_DIRECTORY_MODE, CERTIFICATE_MODE = 0o600, 0o700, 0o644


@dataclasses.dataclass(frozen=True)
class Holding:
    """A certificate, its key, and the authorities above it, the nearest first and the root last."""

    key: crypto.PrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def intermediates(self) -> list[x509.Certificate]:
        """What a server sends after its own certificate: clients have the root, or do not trust it."""
        return [certificate for certificate in self.above if not crypto.is_self_signed(certificate)]

    def part(self, name: str) -> bytes:
        """Return a part of it by the name that users know: one of C(PARTS)."""
        if name == "private_key":
            return crypto.key_pem(self.key)
        parts = {
            "certificate": [self.certificate],
            "certificate_chain": [self.certificate, *self.intermediates],
            "ca_bundle": self.above,
        }
        return crypto.certificates_pem(parts[name])

    def bundle(self) -> bytes:
        """Return certificate, chain and key in one PEM text, as HAProxy reads them."""
        return crypto.certificates_pem([self.certificate, *self.intermediates]) + crypto.key_pem(self.key)


@dataclasses.dataclass(frozen=True)
class Action:
    """An action on one certificate or revocation list, and its reason."""

    type: str
    name: str
    action: str
    reasons: tuple[str, ...]
    old: x509.Certificate | None = None
    new: x509.Certificate | None = None

    def to_dict(self) -> dict[str, t.Any]:
        return {"type": self.type, "name": self.name, "action": self.action, "reasons": list(self.reasons)}


@dataclasses.dataclass
class Outcome:
    """All actions and certificates of one call."""

    actions: list[Action] = dataclasses.field(default_factory=list)
    changes: list[Change] = dataclasses.field(default_factory=list)
    authorities: dict[str, Holding] = dataclasses.field(default_factory=dict)
    certificates: dict[str, Holding] = dataclasses.field(default_factory=dict)
    crls: dict[str, x509.CertificateRevocationList] = dataclasses.field(default_factory=dict)


def issue(request: Request, present: t.Mapping[str, File], now: datetime.datetime) -> Outcome:
    """Plan a whole call; raise PkiError with every problem that needs a person."""
    planner = _Planner(request, present, now)
    problems: list[Problem] = []
    for wanted in (*request.authorities, *request.certificates):
        try:
            planner.take(wanted)
        except PkiError as error:
            problems += error.problems
    for option, name in (
        *(("anchors", name) for name in request.anchors),
        *(("ca_files", name) for name in request.ca_files),
    ):
        try:
            planner.authority(name, option)
        except PkiError as error:
            problems += error.problems
    if problems:
        raise PkiError(problems)
    return planner.outcome


class _Planner:
    def __init__(self, request: Request, present: t.Mapping[str, File], now: datetime.datetime) -> None:
        self.outcome = Outcome()
        self._request = request
        self._listed = {wanted.name for wanted in request.authorities}
        self._present = present
        self._now = now

    def take(self, wanted: Wanted) -> None:
        """Provide the wanted certificate: the existing one, or a new one."""
        issuer = self.authority(wanted.signed_by, f"{wanted.path}.signed_by") if wanted.signed_by else None
        if wanted.authority and issuer and crypto.path_length(issuer.certificate) == 0:
            why = f"{wanted.signed_by!r} has pathlen:0 and allows no further authority"
            raise _refusal(f"{wanted.path}.signed_by", wanted.signed_by, why)
        issuer_certificate = issuer.certificate if issuer else None
        above = (issuer.certificate, *issuer.above) if issuer else ()
        if forbidden := crypto.forbidden_names(above, wanted.san):
            raise _refusal(f"{wanted.path}.san", wanted.name, f"name constraints: {'; '.join(forbidden)}")

        place = authority_place(wanted.name) if wanted.authority else certificate_place(wanted.name)
        certificate, flaw = self._certificate(place)
        regen = (wanted.authority, wanted.name) in self._request.regen
        if regen:
            key, flaw = None, f"requested by {'regen_ca' if wanted.authority else 'regen_cert'}"
        elif wanted.authority:
            key = self._authority_key(wanted, place, certificate)
            flaw = flaw if key else "does not exist yet"
        else:
            key, key_flaw = self._leaf_key(wanted, place, certificate)
            flaw = key_flaw or flaw
        reasons = [flaw] if flaw else []
        if certificate and key and not flaw:
            early = None if wanted.authority else self._request.renew_before
            reasons = crypto.differences(wanted, certificate, key, issuer_certificate, self._now, early)

        if certificate and key and not reasons:
            holding = Holding(key, certificate, above)
        else:
            # A new leaf gets a new key; an authority keeps its own, or everything below it would be invalid.
            key = key if key and wanted.authority else crypto.new_key(wanted.key)
            signed = crypto.sign(wanted, key, issuer_certificate, issuer.key if issuer else None, self._now)
            holding = Holding(key, signed, above)
        if regen and wanted.authority:
            self._keep_old(place)
        (self.outcome.authorities if wanted.authority else self.outcome.certificates)[wanted.name] = holding
        self._put(wanted, place, holding, reasons, certificate)
        if wanted.crl:
            self._put_crl(wanted, wanted.crl, place, holding)

    def authority(self, name: str, path: str) -> Holding:
        """Return an authority of this call, or one that the directory already has."""
        if name in self.outcome.authorities:
            return self.outcome.authorities[name]
        if name in self._listed:
            raise PkiError([])  # Its mistakes are already reported.
        place = authority_place(name)
        try:
            key = crypto.load_key(self._content(place.key))
            certificate = crypto.load_certificates(self._content(place.certificate))[0]
            chain = crypto.load_certificates(self._content(place.chain))
        except crypto.Unreadable as error:
            remedy = ": list it in authorities with its key_passphrase" if "no passphrase is set" in str(error) else ""
            why = f"{name!r} in the directory is unusable: one of its files {error}{remedy}"
            raise _refusal(path, name, why) from error
        flaw = crypto.expiry_problem(certificate, self._now)
        if not crypto.belongs(key, certificate):
            flaw = "its key and its certificate do not belong together"
        elif not crypto.is_authority(certificate):
            flaw = "it is not an authority"
        if flaw:
            raise _refusal(path, name, f"{name!r} in the directory is unusable: {flaw}")
        above = tuple(other for other in chain if other != certificate)
        self.outcome.authorities[name] = Holding(key, certificate, above)
        return self.outcome.authorities[name]

    def _authority_key(
        self, wanted: Wanted, place: Place, certificate: x509.Certificate | None
    ) -> crypto.PrivateKey | None:
        """Return an authority's own key, if it ever had one: only regen_ca may replace it."""
        if place.key not in self._present and place.certificate not in self._present:
            return None
        remedy = (
            f"put it back from your backup, or set regen_ca to {wanted.name} for a new authority: everything"
            " below it is then signed again, and every trust store needs its new certificate"
        )
        if place.key not in self._present:
            why = f"the certificate of {wanted.name} exists, but its key {place.key} is missing: {remedy}"
            raise _refusal(wanted.path, place.key, why)
        pem = self._content(place.key)
        try:
            key = crypto.load_key(pem, wanted.passphrase)
        except crypto.Unreadable as error:
            if crypto.is_encrypted(pem):
                remedy = f"set key_passphrase to its passphrase, or {remedy}"
            raise _refusal(wanted.path, place.key, f"{place.key} {error}: {remedy}") from error
        if certificate and not crypto.belongs(key, certificate):
            why = f"{place.key} is not the key of the certificate beside it: {remedy}"
            raise _refusal(wanted.path, place.key, why)
        if wanted.key_given and crypto.key_spec(key) != wanted.key:
            why = (
                f"{wanted.name} has a key of type {crypto.key_spec(key)}, wanted {wanted.key}: only regen_ca replaces"
                " the key of an authority"
            )
            raise _refusal(f"{wanted.path}.key_type", str(wanted.key), why)
        return key

    def _leaf_key(
        self, wanted: Wanted, place: Place, certificate: x509.Certificate | None
    ) -> tuple[crypto.PrivateKey | None, str]:
        """Return a leaf's key, or the reason for a new one."""
        if place.key not in self._present:
            return None, "key is missing" if place.certificate in self._present else "does not exist yet"
        try:
            key = crypto.load_key(self._content(place.key))
        except crypto.Unreadable as error:
            return None, f"the key file {error}"
        if certificate and not crypto.belongs(key, certificate):
            return None, "the key belongs to another certificate"
        if crypto.key_spec(key) != wanted.key:
            return None, f"key is {crypto.key_spec(key)}, wanted {wanted.key}"
        return key, ""

    def _certificate(self, place: Place) -> tuple[x509.Certificate | None, str]:
        if place.certificate not in self._present:
            return None, "certificate is missing"
        try:
            return crypto.load_certificates(self._content(place.certificate))[0], ""
        except crypto.Unreadable as error:
            return None, f"the certificate file {error}"

    def _keep_old(self, place: Place) -> None:
        """Move a replaced authority aside: the certificate first, so that the next run can finish it."""
        suffix = f"{self._now:%Y%m%dT%H%M%SZ}"
        for path in (place.certificate, place.key, place.crl):
            if path in self._present:
                stem, dot, extension = path.partition(f"/{place.name}.")
                self.outcome.changes.append(Move(path, f"{stem}/{place.name}-{suffix}.{extension}" if dot else path))

    def _put(
        self,
        wanted: Wanted,
        place: Place,
        holding: Holding,
        reasons: list[str],
        old: x509.Certificate | None,
    ) -> None:
        """Write the files that differ; the key before its certificate."""
        files = [
            (place.key, self._kept_key(place, holding, wanted.passphrase), KEY_MODE),
            (place.certificate, crypto.certificates_pem([holding.certificate]), CERTIFICATE_MODE),
        ]
        if wanted.authority:
            files.append(
                (place.chain, crypto.certificates_pem([holding.certificate, *holding.above]), CERTIFICATE_MODE)
            )
        else:
            chain = [holding.certificate, *holding.intermediates]
            files.append((place.chain, crypto.certificates_pem(chain), CERTIFICATE_MODE))
            files.append((place.bundle, crypto.certificates_pem(holding.above), CERTIFICATE_MODE))
        repairs = []
        directory = self._present.get(place.key_directory)
        if directory and directory.mode != KEY_DIRECTORY_MODE:
            repairs.append(f"mode of {place.key_directory} is {directory.mode:04o}, wanted {KEY_DIRECTORY_MODE:04o}")
            self.outcome.changes.append(Mode(place.key_directory, KEY_DIRECTORY_MODE))
        for path, content, mode in files:
            file = self._present.get(path)
            if file is None:
                repairs.append(f"{path} is missing")
            elif file.content != content:
                repairs.append(f"{path} is out of date")
            elif file.mode != mode:
                repairs.append(f"mode of {path} is {file.mode:04o}, wanted {mode:04o}")
            else:
                continue
            self.outcome.changes.append(Write(path, content, mode))
        if reasons or repairs:
            kind = "authority" if wanted.authority else "certificate"
            is_new = place.certificate not in self._present and place.key not in self._present
            action = "create" if is_new else "reissue" if reasons else "repair"
            self.outcome.actions.append(
                Action(kind, wanted.name, action, tuple(reasons or repairs), old, holding.certificate)
            )

    def _put_crl(self, wanted: Wanted, asked: Revocations, place: Place, holding: Holding) -> None:
        """Sign a revocation list that is missing, damaged, due or outdated."""
        old, reasons = None, ["does not exist yet"]
        if place.crl in self._present:
            try:
                old = revocation.load_crl(self._content(place.crl))
                reasons = revocation.differences(asked, old, holding.certificate, self._now)
            except crypto.Unreadable as error:
                reasons = [f"the file {error}"]
        if old is None or reasons:
            crl = revocation.sign_crl(asked, holding.certificate, holding.key, self._now, old)
            self.outcome.changes.append(Write(place.crl, revocation.crl_pem(crl), CERTIFICATE_MODE))
            action = "reissue" if place.crl in self._present else "create"
            self.outcome.actions.append(Action("crl", wanted.name, action, tuple(reasons)))
        else:
            crl = old
        self.outcome.crls[wanted.name] = crl

    def _kept_key(self, place: Place, holding: Holding, passphrase: bytes) -> bytes:
        """Leave a key file that holds the right key as it is, in whatever format it came."""
        content = self._content(place.key)
        try:
            same = crypto.belongs(crypto.load_key(content, passphrase), holding.certificate)
        except crypto.Unreadable:
            same = False
        if same and (crypto.is_encrypted(content) or not passphrase):
            return content
        return crypto.key_pem(holding.key, passphrase)

    def _content(self, path: str) -> bytes:
        file = self._present.get(path)
        return file.content if file else b""


def _refusal(path: str, value: str, why: str) -> PkiError:
    return PkiError([Problem(path, shown(value), why)])
