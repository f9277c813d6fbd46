# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request: the user's lists of dictionaries become typed values, or a list of all mistakes."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import either, is_set
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.kinds import alternative_name, parse_duration
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.schema import (
    ANCHOR,
    AUTHORITY,
    AUTHORITY_LIFETIME,
    CERTIFICATE,
    CRL_LIFETIME,
    FILE,
    HOMES,
    KEY_SIZES,
    LEAF_LIFETIME,
    PARTS,
    RENEW_BEFORE,
    SUBJECT,
    USER_CERTIFICATE,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown


class PkiError(ProblemsError):
    """Everything that is wrong, in one message."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        super().__init__(problems, f"{len(problems)} mistakes:" if len(problems) > 1 else "")


@dataclasses.dataclass(frozen=True)
class KeySpec:
    """A kind of key: C(ECDSA) with the size of its curve, C(RSA) with the size of its modulus, C(Ed25519) with 0."""

    kind: str
    size: int

    def __str__(self) -> str:
        return f"{self.kind} {self.size}" if self.size else self.kind


@dataclasses.dataclass(frozen=True)
class Constraints:
    """Names that an authority, and all below it, may sign for: pairs such as (C(dns), C(example.org))."""

    permitted: frozenset[tuple[str, str]] = frozenset()
    excluded: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.permitted or self.excluded)


@dataclasses.dataclass(frozen=True)
class Revocation:
    """A certificate that an authority revokes."""

    serial: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Revocations:
    """The revocation list of an authority, which may be empty."""

    entries: tuple[Revocation, ...]
    lifetime: datetime.timedelta


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One certificate as the user wants it."""

    path: str
    name: str
    authority: bool
    subject: tuple[tuple[str, str], ...]
    signed_by: str
    lifetime: datetime.timedelta
    key: KeySpec
    # An authority keeps the key it has, of whatever kind, unless the user named a kind.
    key_given: bool = False
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    path_length: int | None = None
    constraints: Constraints = Constraints()
    crl: Revocations | None = None
    # For the key file of an authority, which is encrypted with it.
    passphrase: bytes = dataclasses.field(default=b"", repr=False)
    san: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass(frozen=True)
class UserCertificate:
    """A certificate of the user's: paths of its files on the setup host."""

    path: str
    name: str
    cert: str
    key: str
    ca_cert: str
    # The names that clients use; empty if unknown.
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class InstalledFile:
    """A file for a node: a part of a certificate, or any file of the setup host."""

    path: str
    name: str
    part: str
    src: str
    dest: str
    owner: str
    group: str
    mode: str


@dataclasses.dataclass(frozen=True)
class Request:
    """Everything that one call asks for; an authority comes after the one that signs it."""

    authorities: tuple[Wanted, ...]
    certificates: tuple[Wanted, ...]
    user_certificates: tuple[UserCertificate, ...]
    bundles: tuple[str, ...]
    files: tuple[InstalledFile, ...]
    anchors: tuple[str, ...]
    ca_files: tuple[str, ...]
    regen: frozenset[tuple[bool, str]]
    # The time before its end at which a certificate is due; None for a third of its lifetime.
    renew_before: datetime.timedelta | None


def parse_request(params: t.Mapping[str, t.Any], present: t.Collection[str] = ()) -> Request:
    """Check a user's request; ``present`` are the authorities in the directory."""
    problems = Problems(homes=HOMES)

    def entries(option: str, table: Record) -> list[_Entry]:
        place = Place(problems, option)
        listed = enumerate(params.get(option) or ())
        return [_Entry(table, entry, place.item(at)) for at, entry in listed if entry.get("condition") is not False]

    authorities = [_authority(entry) for entry in entries("authorities", AUTHORITY)]
    known = {authority.name for authority in authorities} | set(present)
    user_certificates = [_user_certificate(entry) for entry in entries("user_certificates", USER_CERTIFICATE)]
    brought = {user.name for user in user_certificates}
    certificates = [_certificate(entry, known) for entry in entries("certificates", CERTIFICATE)]
    files = [_installed_file(entry) for entry in entries("files", FILE)]
    anchors = [(entry.place.path, entry.text("name")) for entry in entries("anchors", ANCHOR)]
    ca_files = list(enumerate(params.get("ca_files") or ()))

    found = _duplicates(authorities) + _duplicates(certificates) + _duplicates(user_certificates)
    found += _broken_chains(authorities, known)
    bundles = list(enumerate(params.get("bundles") or ()))
    issued = brought | {certificate.name for certificate in certificates}
    found += [_unknown(f"bundles[{at}]", name, issued, "certificate") for at, name in bundles if name not in issued]
    found += [
        _unknown(f"{file.path}.name", file.name, issued, "certificate")
        for file in files
        if file.name and file.name not in issued
    ]
    found += [_unknown(f"{path}.name", name, known, "authority") for path, name in anchors if name not in {*known, ""}]
    found += [_unknown(f"ca_files[{at}]", name, known, "authority") for at, name in ca_files if name not in known]

    renew_before = None
    if asked := str(params.get("renew_before") or ""):
        read = RENEW_BEFORE.read(asked, Place(problems, "renew_before"))
        renew_before = read if isinstance(read, datetime.timedelta) else None
        found += [
            Problem(f"{certificate.path}.ttl", shown(str(certificate.lifetime)), f"renew_before {asked} is not shorter")
            for certificate in certificates
            if renew_before and datetime.timedelta() < certificate.lifetime <= renew_before
        ]

    again: set[tuple[bool, str]] = set()
    for option, is_authority, listed in (("regen_ca", True, authorities), ("regen_cert", False, certificates)):
        asked, names = str(params.get(option) or ""), {wanted.name for wanted in listed}
        if asked.lower() == "true":
            again |= {(is_authority, name) for name in names}
        elif asked in names:
            again.add((is_authority, asked))
        elif asked.lower() not in ("", "false"):
            found.append(_unknown(option, asked, names, "authority" if is_authority else "certificate"))

    for problem in found:
        problems.add_error(problem)
    if problems.errors:
        raise PkiError(problems.errors)
    return Request(
        authorities=tuple(_parents_first(authorities)),
        certificates=tuple(certificate for certificate in certificates if certificate.name not in brought),
        user_certificates=tuple(user_certificates),
        bundles=tuple(dict.fromkeys(name for _at, name in bundles)),
        files=tuple(files),
        anchors=tuple(dict.fromkeys(name for _path, name in anchors)),
        ca_files=tuple(dict.fromkeys(name for _at, name in ca_files)),
        regen=frozenset(again),
        renew_before=renew_before,
    )


class _Entry:
    """One dictionary of the user's, read with its table: its valid keys, and their combined meaning."""

    def __init__(self, table: Record, values: t.Mapping[str, t.Any], place: Place) -> None:
        self.place = place
        own = {key.name: key for key in table.keys}
        names = {alias: key.name for key in table.keys for alias in key.aliases}
        # A module has given the value of an alias to the key as well, and None to what is not set.
        given = {
            name: value
            for name, value in values.items()
            if value is not None and (name in own or values.get(names.get(name, "")) is None)
        }
        self._read, _is_whole = table.read_keys(given, place)
        self._wrong = {names.get(name, name) for name in given if is_set(given[name])} - self._read.keys()

    def get(self, key: str, default: t.Any = None) -> t.Any:
        return self._read.get(key, default)

    def text(self, key: str, default: str = "") -> str:
        return str(self._read.get(key, default))

    def is_unset(self, key: str) -> bool:
        """Whether a key is neither set nor invalid."""
        return not self._read.get(key) and key not in self._wrong

    def wrong(self, key: str, value: t.Any, why: str) -> None:
        self.place.key(key).wrong(value, why)

    def subject(self) -> tuple[tuple[str, str], ...]:
        return tuple((attribute, self._read[key]) for key, attribute in SUBJECT.items() if key in self._read)

    def lifetime(self, default: str, key: str = "ttl") -> datetime.timedelta:
        """The lifetime; zero if it is invalid."""
        if key in self._wrong:
            return datetime.timedelta()
        return self._read.get(key) or parse_duration(default) or datetime.timedelta()

    def key(self, rsa_size: int) -> KeySpec:
        kind = self.text("key_type", "ECDSA")
        size = self.get("key_size") or {"RSA": rsa_size, "ECDSA": 256, "Ed25519": 0}[kind]
        if size and size not in KEY_SIZES[kind] and "key_type" not in self._wrong:
            sizes = tuple(map(str, KEY_SIZES[kind]))
            remedy = f"use {either(sizes)}" if sizes else "remove it"
            self.wrong("key_size", size, f"is not a valid size of {kind} keys; {remedy}")
        return KeySpec(kind, size)

    def revocations(self) -> Revocations | None:
        """Read the revoked certificates; an authority without the key publishes no list."""
        if self.get("revoked") is None:
            return None
        entries = {
            serial: Revocation(serial, entry.get("reason", "unspecified"))
            for entry in self.get("revoked")
            for serial in [int(entry["serial"].replace(":", ""), 16)]
        }
        return Revocations(tuple(entries[serial] for serial in sorted(entries)), self.lifetime(CRL_LIFETIME, "crl_ttl"))

    def san(self, cn: str) -> frozenset[tuple[str, str]]:
        """Return the alternative names, the common name if the user gave none."""
        names: frozenset[tuple[str, str]] = self.get("san", frozenset())
        if self.is_unset("san"):
            names = frozenset((kind, name) for kind in ("ip", "dns") if (name := alternative_name(kind, cn)))
            if cn and not names:
                why = f"is missing: clients check only these names, and cn {cn!r} is neither a host name nor an address"
                self.wrong("san", None, why)
        return names


def _authority(entry: _Entry) -> Wanted:
    signed_by = entry.text("signed_by")
    provider = entry.text("provider") or ("ownca" if signed_by else "selfsigned")
    if provider == "selfsigned" and signed_by:
        why = "but a self-signed authority has no other signer: remove it, or set provider to ownca"
        entry.wrong("signed_by", signed_by, f"signs this one, {why}")
    elif provider == "ownca" and entry.is_unset("signed_by"):
        why = "is required with provider ownca: the name of the signing authority"
        entry.wrong("signed_by", None, why)
    return Wanted(
        path=entry.place.path,
        name=entry.text("name"),
        authority=True,
        subject=entry.subject(),
        signed_by=signed_by,
        lifetime=entry.lifetime(AUTHORITY_LIFETIME),
        key=entry.key(rsa_size=4096),
        key_given=bool(entry.get("key_type") or entry.get("key_size")),
        # RFC 5280, 4.2.1.3: without these two nothing below it verifies.
        key_usage=tuple(dict.fromkeys([*entry.get("key_usage", ()), "keyCertSign", "cRLSign"])),
        path_length=entry.get("basic_constraints"),
        constraints=Constraints(
            entry.get("name_constraints_permitted", frozenset()), entry.get("name_constraints_excluded", frozenset())
        ),
        crl=entry.revocations(),
        passphrase=entry.text("key_passphrase").encode(),
    )


def _certificate(entry: _Entry, known: t.Collection[str]) -> Wanted:
    signed_by = entry.text("signed_by")
    if signed_by and signed_by not in known:
        entry.place.problems.add_error(_unknown(f"{entry.place.path}.signed_by", signed_by, known, "authority"))
    key = entry.key(rsa_size=2048)
    usages = ["digitalSignature", "keyEncipherment"] if key.kind == "RSA" else ["digitalSignature"]
    key_usage = entry.get("key_usage") or tuple(usages)
    if "keyCertSign" in key_usage:
        entry.wrong("key_usage", "keyCertSign", "is for authorities only")
    subject = entry.subject()
    return Wanted(
        path=entry.place.path,
        name=entry.text("name"),
        authority=False,
        subject=subject,
        signed_by=signed_by,
        lifetime=entry.lifetime(LEAF_LIFETIME),
        key=key,
        key_given=True,
        key_usage=key_usage,
        extended_key_usage=entry.get("extended_key_usage") or ("serverAuth",),
        san=entry.san(dict(subject).get("CN", "")),
    )


def _user_certificate(entry: _Entry) -> UserCertificate:
    return UserCertificate(
        path=entry.place.path,
        name=entry.text("name"),
        cert=entry.text("cert"),
        key=entry.text("key"),
        ca_cert=entry.text("ca_cert"),
        names=entry.get("names", ()),
    )


def _installed_file(entry: _Entry) -> InstalledFile:
    src, part = entry.text("src"), entry.text("type")
    if not src and entry.is_unset("name"):
        entry.wrong("name", None, "is required without src: the name of a certificate")
    if not src and entry.is_unset("type"):
        entry.wrong("type", None, f"is required without src; use {either(tuple(PARTS))}")
    return InstalledFile(
        path=entry.place.path,
        name="" if src else entry.text("name"),
        part=part,
        src=src,
        dest=entry.text("dest"),
        owner=entry.text("owner", "root"),
        group=entry.text("group", "root"),
        mode=entry.text("mode", "0600" if part == "private_key" or src else "0644"),
    )


def _unknown(path: str, name: str, known: t.Collection[str], kind: str) -> Problem:
    there = f"known: {', '.join(sorted(known))}" if known else "none is known"
    return Problem(path, shown(name), f"there is no {kind} {name!r} ({there})")


def _duplicates(entries: t.Sequence[Wanted | UserCertificate]) -> list[Problem]:
    first: dict[str, str] = {}
    return [
        Problem(f"{entry.path}.name", shown(entry.name), f"{entry.name!r} is already the name of {first[entry.name]}")
        for entry in entries
        if entry.name and first.setdefault(entry.name, entry.path) != entry.path
    ]


def _broken_chains(authorities: t.Sequence[Wanted], known: t.Collection[str]) -> list[Problem]:
    """Find signers that do not exist, sign each other in a circle, or may not sign an authority."""
    by_name = {authority.name: authority for authority in authorities if authority.name}
    problems = []
    for authority in authorities:
        path, signer, seen = f"{authority.path}.signed_by", authority.signed_by, [authority.name]
        if signer and signer not in known:
            problems.append(_unknown(path, signer, known, "authority"))
        while signer in by_name:
            if signer in seen:
                if signer == authority.name == min(seen):  # Once per circle.
                    circle = " → ".join([*seen, signer])
                    why = f"authorities sign each other in a circle: {circle}"
                    problems.append(Problem(path, shown(authority.signed_by), why))
                break
            limit = by_name[signer].path_length
            if limit is not None and limit < len(seen):
                why = f"{signer!r} has pathlen:{limit} and allows no further authority at this depth"
                problems.append(Problem(path, shown(authority.signed_by), why))
            seen.append(signer)
            signer = by_name[signer].signed_by
    return problems


def _parents_first(authorities: t.Sequence[Wanted]) -> t.Iterator[Wanted]:
    waiting = list(authorities)
    while waiting:
        names = {authority.name for authority in waiting}
        yield from (authority for authority in waiting if authority.signed_by not in names)
        waiting = [authority for authority in waiting if authority.signed_by in names]
