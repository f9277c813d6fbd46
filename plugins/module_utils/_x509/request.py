# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked for: the user's lists of dicts become typed values, or a list of every mistake in them."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown

# Option, attribute and longest value (RFC 5280, appendix A), in the order of a subject.
SUBJECT = (
    ("country_name", "C", 2),
    ("state_or_province_name", "ST", 128),
    ("locality_name", "L", 128),
    ("organization_name", "O", 64),
    ("organizational_unit_name", "OU", 64),
    ("cn", "CN", 64),
    ("email_address", "E", 255),
)
KEY_USAGES = (
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
)
EXTENDED_KEY_USAGES = ("serverAuth", "clientAuth")
SAN_TYPES = ("dns", "ip", "uri")
# What a node may get of a certificate.
PARTS = ("certificate", "certificate_chain", "ca_bundle", "private_key")
# An Ed25519 key (RFC 8410) has one size, which nobody gives.
KEY_SIZES: dict[str, tuple[int, ...]] = {"ECDSA": (256, 384, 521), "RSA": (2048, 3072, 4096, 8192), "Ed25519": ()}
# RFC 5280, 5.3.1, without those that mean nothing outside of a large authority.
REVOCATION_REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
)

# Clients take 398 days, also of private CAs, and Mozilla's guidelines less than 366.
LEAF_LIFETIME = "365d"
AUTHORITY_LIFETIME = "3650d"
CRL_LIFETIME = LEAF_LIFETIME
LONGEST_LIFETIME = datetime.timedelta(days=36525)

_FILE_NAME = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.:@%+*-]*")
# A name that ends so would be the name of another certificate's chain file.
_TAKEN_SUFFIXES = ("-chain", "-ca_bundle")
_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.IGNORECASE)
_DURATION = re.compile(r"\+?(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_DURATION_HINT = "write a number and a unit (w, d, h, m, s)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# RFC 5280, 4.1.2.2: positive, and up to 20 octets.
_SERIAL = re.compile(r"0*[1-9a-fA-F][0-9a-fA-F]{0,39}")


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
    """A certificate that an authority takes back."""

    serial: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Revocations:
    """The list that an authority publishes, whether or not there is anything on it."""

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
    """A certificate that the user brings: paths of its files on the setup host."""

    path: str
    name: str
    cert: str
    key: str
    ca_cert: str
    # Those by which clients ask for it; none where nobody knows them.
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
    # How long before its end a certificate is due; None for a third of its lifetime.
    renew_before: datetime.timedelta | None


def parse_duration(text: str) -> datetime.timedelta | None:
    """Return the duration that a text such as C(+3650d) or C(1w2d) means, None if it means none."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    try:
        return datetime.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None


def parse_request(params: t.Mapping[str, t.Any], present: t.Collection[str] = ()) -> Request:
    """Check what a user asks for; ``present`` are authorities that the directory already has."""
    problems: list[Problem] = []

    def entries(option: str) -> list[_Entry]:
        listed = enumerate(params.get(option) or ())
        return [
            _Entry(f"{option}[{at}]", entry, problems) for at, entry in listed if entry.get("condition") is not False
        ]

    authorities = [_authority(entry) for entry in entries("authorities")]
    known = {authority.name for authority in authorities} | set(present)
    user_certificates = [_user_certificate(entry) for entry in entries("user_certificates")]
    brought = {user.name for user in user_certificates}
    certificates = [_certificate(entry, known) for entry in entries("certificates")]
    files = [_installed_file(entry) for entry in entries("files")]
    anchors = [(entry.path, entry.text("name", "the name of the authority to trust")) for entry in entries("anchors")]
    ca_files = list(enumerate(params.get("ca_files") or ()))

    problems += _duplicates(authorities) + _duplicates(certificates) + _duplicates(user_certificates)
    problems += _broken_chains(authorities, known)
    bundles = list(enumerate(params.get("bundles") or ()))
    issued = brought | {certificate.name for certificate in certificates}
    problems += [_unknown(f"bundles[{at}]", name, issued, "certificate") for at, name in bundles if name not in issued]
    problems += [
        _unknown(f"{file.path}.name", file.name, issued, "certificate")
        for file in files
        if file.name and file.name not in issued
    ]
    problems += [
        _unknown(f"{path}.name", name, known, "authority") for path, name in anchors if name not in {*known, ""}
    ]
    problems += [_unknown(f"ca_files[{at}]", name, known, "authority") for at, name in ca_files if name not in known]

    renew_before = None
    if asked := str(params.get("renew_before") or ""):
        renew_before = parse_duration(asked)
        if not renew_before:
            problems.append(
                Problem("renew_before", shown(asked), f"{asked!r} is not a time: {_DURATION_HINT}, such as 30d")
            )
        else:
            problems += [
                Problem(
                    f"{certificate.path}.ttl", shown(str(certificate.lifetime)), f"renew_before {asked} is not shorter"
                )
                for certificate in certificates
                if datetime.timedelta() < certificate.lifetime <= renew_before
            ]

    again: set[tuple[bool, str]] = set()
    for option, is_authority, listed in (("regen_ca", True, authorities), ("regen_cert", False, certificates)):
        asked, names = str(params.get(option) or ""), {wanted.name for wanted in listed}
        if asked.lower() == "true":
            again |= {(is_authority, name) for name in names}
        elif asked in names:
            again.add((is_authority, asked))
        elif asked.lower() not in ("", "false"):
            problems.append(_unknown(option, asked, names, "authority" if is_authority else "certificate"))

    if problems:
        raise PkiError(problems)
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
    """One dict of the user's: hands out checked values and takes down what is wrong with them."""

    def __init__(self, path: str, values: t.Mapping[str, t.Any], problems: list[Problem]) -> None:
        self.path = path
        self._values = values
        self._problems = problems

    def raw(self, key: str) -> t.Any:
        return self._values.get(key)

    def wrong(self, key: str, why: str) -> None:
        value = "(hidden)" if key == "key_passphrase" else shown(self._values.get(key))
        self._problems.append(Problem(f"{self.path}.{key}", value, why))

    def text(self, key: str, missing: str = "", longest: int = 4096) -> str:
        value = str(self._values.get(key) if self._values.get(key) is not None else "").strip()
        if missing and not value:
            self.wrong(key, f"missing: give {missing}")
        elif _CONTROL.search(value):
            self.wrong(key, "holds a newline or a control character")
        elif len(value) > longest:
            self.wrong(key, f"{len(value)} characters long, {longest} are allowed")
        else:
            return value
        return ""  # What is wrong already needs no further check.

    def file_name(self) -> str:
        name = self.text("name", "a name, which is also that of the files", longest=200)
        if name and not _FILE_NAME.fullmatch(name):
            self.wrong("name", f"{name!r} cannot be a file name here: use letters, digits and any of _ . : @ % + * -")
        elif name.endswith(_TAKEN_SUFFIXES):
            self.wrong("name", f"{name!r} ends like a chain file of another certificate: choose another name")
        return name

    def subject(self) -> tuple[tuple[str, str], ...]:
        values = []
        for option, attribute, longest in SUBJECT:
            value = self.text(option, "the common name" if option == "cn" else "", longest)
            if option == "country_name" and value and not re.fullmatch("[A-Za-z]{2}", value):
                self.wrong(option, f"{value!r} is not a country code of two letters, such as GB")
            if option == "email_address" and value and not (value.isascii() and value.count("@") == 1):
                self.wrong(option, f"{value!r} is not an e-mail address")
            if value:
                values.append((attribute, value.upper() if attribute == "C" else value))
        return tuple(values)

    def lifetime(self, default: str, key: str = "ttl") -> datetime.timedelta:
        asked = self.text(key) or default
        lifetime = parse_duration(asked)
        if not lifetime:
            self.wrong(key, f"{asked!r} is not a lifetime: {_DURATION_HINT}, such as 365d")
        elif lifetime > LONGEST_LIFETIME:
            self.wrong(key, f"{asked!r} is longer than {LONGEST_LIFETIME.days} days")
        return lifetime or datetime.timedelta()

    def key(self, rsa_size: int) -> KeySpec:
        asked = self.text("key_type") or "ECDSA"
        kind = {kind.upper(): kind for kind in KEY_SIZES}.get(asked.upper())
        if kind is None:
            self.wrong("key_type", f"{asked!r} is none of {', '.join(KEY_SIZES)}")
            return KeySpec("ECDSA", 256)
        size = self.raw("key_size") or {"RSA": rsa_size, "ECDSA": 256, "Ed25519": 0}[kind]
        if size and size not in KEY_SIZES[kind]:
            sizes = ", ".join(map(str, KEY_SIZES[kind])) or "leave it out"
            self.wrong("key_size", f"{size} is no size of {kind} keys here: {sizes}")
        return KeySpec(kind, size)

    def usages(self, key: str, choices: t.Sequence[str], default: t.Sequence[str]) -> tuple[str, ...]:
        asked = tuple(dict.fromkeys(self.raw(key) or default))
        for usage in asked:
            if usage not in choices:
                self.wrong(key, f"{usage!r} is none of {', '.join(choices)}")
        return asked

    def path_length(self) -> int | None:
        """Read the original's basic constraints, of which only the path length is a choice."""
        length = None
        for part in self.raw("basic_constraints") or ():
            name, _colon, value = (piece.strip() for piece in str(part).partition(":"))
            if (name.upper(), value.upper()) == ("CA", "TRUE") or not name:
                continue
            if name.lower() == "pathlen" and value.isdecimal():
                length = int(value)
            else:
                self.wrong(
                    "basic_constraints", f"{part!r} is neither CA:TRUE nor pathlen:NUMBER, as an authority needs"
                )
        return length

    def constraints(self) -> Constraints:
        """Read C(DNS:example.org) and C(IP:192.0.2.0/24), as openssl and RFC 5280, 4.2.1.10, have them."""
        found: dict[str, frozenset[tuple[str, str]]] = {}
        for kind in ("permitted", "excluded"):
            option, names = f"name_constraints_{kind}", set()
            if kind == "permitted" and self.raw(option) == []:
                self.wrong(option, "it is empty, and an authority without permitted names may sign for all")
            for text in self.raw(option) or ():
                of, colon, value = (part.strip() for part in str(text).partition(":"))
                name = _constraint(of.lower(), value) if colon else None
                if name is None:
                    self.wrong(option, f"{text!r} is neither DNS:DOMAIN nor IP:NETWORK, such as IP:192.0.2.0/24")
                else:
                    names.add((of.lower(), name))
            found[kind] = frozenset(names)
        return Constraints(**found)

    def revocations(self) -> Revocations | None:
        """Read the list of what is revoked; an authority without one publishes no list."""
        if self.raw("revoked") is None:
            return None
        entries: dict[int, Revocation] = {}
        for at, item in enumerate(self.raw("revoked")):
            serial, reason = str(item.get("serial") or "").replace(":", ""), item.get("reason") or "unspecified"
            if not _SERIAL.fullmatch(serial):
                self.wrong(
                    "revoked", f"[{at}].serial: {serial!r} is no serial number in hexadecimal, as openssl shows it"
                )
            elif reason not in REVOCATION_REASONS:
                self.wrong("revoked", f"[{at}].reason: {reason!r} is none of {', '.join(REVOCATION_REASONS)}")
            else:
                entries[int(serial, 16)] = Revocation(int(serial, 16), reason)
        return Revocations(tuple(entries[serial] for serial in sorted(entries)), self.lifetime(CRL_LIFETIME, "crl_ttl"))

    def passphrase(self) -> bytes:
        # OpenSSL takes no more, and an empty one would mean none.
        return self.text("key_passphrase", longest=1023).encode()

    def signer(self, known: t.Collection[str]) -> str:
        name = self.text("signed_by", "the name of the authority that signs it")
        if name and name not in known:
            self.wrong("signed_by", _unknown("", name, known, "authority").why)
        return name

    def san(self, cn: str) -> frozenset[tuple[str, str]]:
        """Return the alternative names, the common name if the user gave none."""
        mistakes, names = len(self._problems), []
        for kind, value in self._san_pairs():
            name = _san_name(kind, value)
            if name is None:
                self.wrong("san", f"{value!r} is not valid as {kind}{_SAN_HINTS.get(kind, '')}")
            else:
                names.append((kind, name))
        if not names and mistakes == len(self._problems):
            names = [(kind, name) for kind in ("ip", "dns") if (name := _san_name(kind, cn))]
            if cn and not names:
                self.wrong("san", f"missing: clients look at nothing else, and cn {cn!r} is no host name or address")
        return frozenset(names)

    def _san_pairs(self) -> t.Iterator[tuple[str, str]]:
        """Yield kind and value of C({dns: [...], ip: [...]}) and of the older C(DNS:a,IP:b)."""
        asked = self.raw("san")
        if isinstance(asked, dict):
            pairs = [(str(kind).lower(), value) for kind, values in asked.items() for value in _listed(values)]
        elif isinstance(asked, (str, list)):
            pairs = []
            for text in (part.strip() for whole in _listed(asked) for part in str(whole).split(",")):
                kind, colon, value = text.partition(":")
                pairs += [(kind.lower() if colon else text, value)] if text else []
        elif asked is None:
            pairs = []
        else:
            pairs = []
            self.wrong("san", "neither a dict of lists (dns, ip, uri) nor a text such as DNS:a.example,IP:192.0.2.1")
        for kind, value in pairs:
            if kind in SAN_TYPES:
                yield kind, str(value).strip()
            else:
                self.wrong("san", f"{kind!r} is none of {', '.join(SAN_TYPES)}")


_SAN_HINTS = {
    "dns": ": letters, digits and hyphens between dots, IDNs as xn--…, a wildcard only as *.example.org",
    "ip": ": one address without brackets and prefix length",
}


def _listed(value: t.Any) -> list[t.Any]:
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _san_name(kind: str, value: str) -> str | None:
    """Return the one way to write an alternative name, None if it is none."""
    if kind == "ip":
        try:
            return None if "%" in value else str(ipaddress.ip_address(value))
        except ValueError:
            return None
    if kind == "dns":
        name = value.lower().rstrip(".")
        looks_like_address = re.fullmatch(r"[0-9.]+", name)
        return name if _DNS_NAME.fullmatch(name) and len(name) <= 253 and not looks_like_address else None
    return value if _URI.fullmatch(value) else None


def _constraint(kind: str, value: str) -> str | None:
    """Return the one way to write a name constraint, None if it is none."""
    if kind == "ip":
        try:
            return str(ipaddress.ip_network(value))
        except ValueError:
            return None
    name = _san_name(kind, value) if kind == "dns" else None
    return name if name and not name.startswith("*") else None


def _authority(entry: _Entry) -> Wanted:
    name, subject, signed_by = entry.file_name(), entry.subject(), entry.text("signed_by")
    provider = entry.text("provider") or ("ownca" if signed_by else "selfsigned")
    if provider not in ("selfsigned", "ownca"):
        entry.wrong("provider", f"{provider!r} is none of selfsigned, ownca")
    elif provider == "selfsigned" and signed_by:
        entry.wrong(
            "signed_by", "a self-signed authority is signed by no other: leave it out, or set provider to ownca"
        )
    elif provider == "ownca" and not signed_by:
        entry.wrong("signed_by", "missing: give the name of the authority that signs it, as provider is ownca")
    usages = entry.usages("key_usage", KEY_USAGES, ())
    return Wanted(
        path=entry.path,
        name=name,
        authority=True,
        subject=subject,
        signed_by=signed_by,
        lifetime=entry.lifetime(AUTHORITY_LIFETIME),
        key=entry.key(rsa_size=4096),
        key_given=bool(entry.raw("key_type") or entry.raw("key_size")),
        # RFC 5280, 4.2.1.3: without these two nothing below it verifies.
        key_usage=tuple(dict.fromkeys([*usages, "keyCertSign", "cRLSign"])),
        path_length=entry.path_length(),
        constraints=entry.constraints(),
        crl=entry.revocations(),
        passphrase=entry.passphrase(),
    )


def _certificate(entry: _Entry, known: t.Collection[str]) -> Wanted:
    name, subject, signed_by = entry.file_name(), entry.subject(), entry.signer(known)
    if (entry.text("provider") or "ownca") != "ownca":
        entry.wrong("provider", f"{entry.raw('provider')!r} is not ownca: a certificate is signed by an authority")
    key = entry.key(rsa_size=2048)
    usages = ["digitalSignature", "keyEncipherment"] if key.kind == "RSA" else ["digitalSignature"]
    key_usage = entry.usages("key_usage", KEY_USAGES, usages)
    if "keyCertSign" in key_usage:
        entry.wrong("key_usage", "keyCertSign belongs to authorities only")
    return Wanted(
        path=entry.path,
        name=name,
        authority=False,
        subject=subject,
        signed_by=signed_by,
        lifetime=entry.lifetime(LEAF_LIFETIME),
        key=key,
        key_given=True,
        key_usage=key_usage,
        extended_key_usage=entry.usages("extended_key_usage", EXTENDED_KEY_USAGES, ["serverAuth"]),
        san=entry.san(dict(subject).get("CN", "")),
    )


def _user_certificate(entry: _Entry) -> UserCertificate:
    return UserCertificate(
        path=entry.path,
        name=entry.file_name(),
        cert=entry.text("cert", "the path of the certificate on the setup host"),
        key=entry.text("key", "the path of the private key on the setup host"),
        ca_cert=entry.text("ca_cert"),
        names=tuple(map(str, entry.raw("names") or ())),
    )


def _installed_file(entry: _Entry) -> InstalledFile:
    src, part = entry.text("src"), entry.text("type")
    name = "" if src else entry.text("name", "the name of a certificate, or src")
    if not src and part not in PARTS:
        entry.wrong("type", f"{part!r} is none of {', '.join(PARTS)}")
    dest = entry.text("dest", "the path of the file on the node")
    mode = entry.text("mode") or ("0600" if part == "private_key" or src else "0644")
    owner, group = (entry.text(key) or "root" for key in ("owner", "group"))
    return InstalledFile(entry.path, name, part, src, dest, owner, group, mode)


def _unknown(path: str, name: str, known: t.Collection[str], kind: str) -> Problem:
    there = f"there is {', '.join(sorted(known))}" if known else "there is none"
    return Problem(path, shown(name), f"no {kind} is named {name!r} ({there})")


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
                if signer == authority.name == min(seen):  # Once for the whole circle.
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
