# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One certificate and its key: parse, compare with the wanted one, sign.

All of C(cryptography) is behind this file and the one of revocation lists.
"""

from __future__ import annotations

import datetime
import ipaddress
import math
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import KeySpec, Wanted

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    pass  # The module reports that before it calls anything here.

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificateIssuerPrivateKeyTypes,
        CertificateIssuerPublicKeyTypes,
    )

    PrivateKey = CertificateIssuerPrivateKeyTypes

# Clocks differ a little: a new certificate is also valid for slow ones.
BACKDATE = datetime.timedelta(minutes=5)

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_KEY_USAGE_FLAGS = {
    "digitalSignature": "digital_signature",
    "contentCommitment": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}


class Unreadable(Exception):
    """A file without the expected key or certificates."""


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text in its order, whatever else is in it."""
    blocks = [found.group() for found in _PEM_BLOCK.finditer(pem) if found.group(1) == b"CERTIFICATE"]
    if not blocks:
        raise Unreadable("holds no certificate in PEM format")
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        raise Unreadable("holds a damaged certificate") from error


def load_key(pem: bytes, passphrase: bytes = b"") -> PrivateKey:
    """Return the private key of a PEM text, whatever else is in it; the passphrase is for a key that has one."""
    block = _key_block(pem)
    if not block:
        raise Unreadable("holds no private key in PEM format")
    encrypted = is_encrypted(pem)
    if encrypted and not passphrase:
        raise Unreadable("holds a private key with a passphrase, but no passphrase is set")
    try:
        # Whether the primes of an RSA key are prime takes up to a quarter of a second, and damage shows without it.
        key = serialization.load_pem_private_key(
            block, passphrase if encrypted else None, unsafe_skip_rsa_key_validation=True
        )
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        flaw = "that its passphrase does not open" if encrypted else "that is damaged"
        raise Unreadable(f"holds a private key {flaw}") from error
    if isinstance(key, rsa.RSAPrivateKey) and not _is_consistent(key.private_numbers()):
        raise Unreadable("holds a private key that is damaged")
    return t.cast("PrivateKey", key)


def _is_consistent(key: rsa.RSAPrivateNumbers) -> bool:
    """Whether the numbers of an RSA key belong to each other (RFC 8017, 3.2)."""
    public, below_p, below_q = key.public_numbers, key.p - 1, key.q - 1
    return (
        min(below_p, below_q) > 0
        and key.p * key.q == public.n
        and public.e * key.d % math.lcm(below_p, below_q) == 1
        and (key.dmp1, key.dmq1) == (key.d % below_p, key.d % below_q)
        and key.iqmp * key.q % key.p == 1
    )


def is_encrypted(pem: bytes) -> bool:
    """Whether a private key has a passphrase, in PKCS #8 or in the older form of OpenSSL."""
    return b"ENCRYPTED" in _key_block(pem)


def _key_block(pem: bytes) -> bytes:
    keys = (found.group() for found in _PEM_BLOCK.finditer(pem) if found.group(1).endswith(b"PRIVATE KEY"))
    return next(keys, b"")


def new_key(spec: KeySpec) -> PrivateKey:
    if spec.kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if spec.kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=spec.size)
    curves: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
    return ec.generate_private_key(curves[spec.size])


def key_pem(key: PrivateKey, passphrase: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def certificates_pem(certificates: t.Iterable[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    return _raw(key.public_key()) == _raw(t.cast("CertificateIssuerPublicKeyTypes", certificate.public_key()))


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key really made the signature; names that agree are not enough."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject and is_signed_by(certificate, certificate)


def path_length(certificate: x509.Certificate) -> int | None:
    """Return how many authorities may follow below an authority, None for any number."""
    constraints = _extension(certificate, x509.BasicConstraints)
    return None if constraints is None else constraints.path_length


def is_authority(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def sign(
    wanted: Wanted,
    key: PrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: PrivateKey | None,
    now: datetime.datetime,
) -> x509.Certificate:
    """Make the certificate that is wanted; without an issuer it signs itself."""
    subject = _subject(wanted)
    end = now + wanted.lifetime
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(end, issuer.not_valid_after_utc) if issuer else end)
    )
    for extension, critical in _extensions(wanted, key, issuer):
        builder = builder.add_extension(extension, critical)
    signer = issuer_key or key
    return builder.sign(signer, hash_for(signer))


def differences(
    wanted: Wanted,
    certificate: x509.Certificate,
    key: PrivateKey,
    issuer: x509.Certificate | None,
    now: datetime.datetime,
    renew_before: datetime.timedelta | None = None,
) -> list[str]:
    """The reason, by meaning, why a certificate is not, or no longer, the wanted one."""
    reasons = []
    subject = _subject(wanted)
    if certificate.subject != subject:
        reasons.append(f"subject is {_text(certificate.subject)}, wanted {_text(subject)}")
    if not is_signed_by(certificate, issuer or certificate):
        reasons.append(f"not signed by the key of {wanted.signed_by}" if issuer else "not signed by its own key")
    reasons += _different_extensions(certificate, _extensions(wanted, key, issuer))
    reasons += _due(wanted, certificate, issuer, now, renew_before)
    return reasons


def key_spec(key: PrivateKey) -> KeySpec:
    if isinstance(key, rsa.RSAPrivateKey):
        return KeySpec("RSA", key.key_size)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return KeySpec("ECDSA", key.key_size)
    return KeySpec("Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else type(key).__name__, 0)


def facts(certificate: x509.Certificate) -> dict[str, t.Any]:
    """Return the public facts of a certificate."""
    sha256 = certificate.fingerprint(hashes.SHA256())
    return {
        "serial": f"{certificate.serial_number:x}",
        "not_before": certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fingerprint": sha256.hex(":"),
        "subject": _text(certificate.subject),
        "issuer": _text(certificate.issuer),
        "san": _san_texts(_extension(certificate, x509.SubjectAlternativeName)),
    }


def expiry_problem(certificate: x509.Certificate, now: datetime.datetime) -> str:
    """The reason why a certificate is not valid now; empty if it is."""
    if certificate.not_valid_after_utc <= now:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    if certificate.not_valid_before_utc > now:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def name_text(certificate: x509.Certificate) -> str:
    return _text(certificate.subject)


def _due(
    wanted: Wanted,
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    now: datetime.datetime,
    renew_before: datetime.timedelta | None,
) -> list[str]:
    problem = expiry_problem(certificate, now)
    if problem:
        return [problem]
    end = certificate.not_valid_after_utc
    lifetime = end - certificate.not_valid_before_utc - BACKDATE
    # One shortened by its authority's end would be due at once, in every run.
    early = renew_before if renew_before and renew_before < lifetime else lifetime / 3
    if end - now < early:
        return [f"due for renewal: expires on {end:%Y-%m-%d %H:%M:%S} UTC"]
    shortened = issuer is not None and end == issuer.not_valid_after_utc
    if lifetime > wanted.lifetime or (lifetime < wanted.lifetime and not shortened):
        return [f"lifetime is {_days(lifetime)}, wanted {_days(wanted.lifetime)}"]
    return []


def _subject(wanted: Wanted) -> x509.Name:
    oids = {
        "C": NameOID.COUNTRY_NAME,
        "ST": NameOID.STATE_OR_PROVINCE_NAME,
        "L": NameOID.LOCALITY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "CN": NameOID.COMMON_NAME,
        "E": NameOID.EMAIL_ADDRESS,
    }
    return x509.Name([x509.NameAttribute(oids[attribute], value) for attribute, value in wanted.subject])


def _extensions(
    wanted: Wanted, key: PrivateKey, issuer: x509.Certificate | None
) -> list[tuple[x509.ExtensionType, bool]]:
    """Return the extensions as RFC 5280 wants them, each with whether it is critical."""
    flags = {flag: usage in wanted.key_usage for usage, flag in _KEY_USAGE_FLAGS.items()}
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=wanted.authority, path_length=wanted.path_length), True),
        (x509.KeyUsage(**flags, encipher_only=False, decipher_only=False), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    if issuer:
        extensions.append((authority_key_identifier(issuer), False))
    if wanted.extended_key_usage:
        purposes = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
        extensions.append((x509.ExtendedKeyUsage([purposes[usage] for usage in wanted.extended_key_usage]), False))
    if wanted.constraints:
        permitted, excluded = (
            [_subtree(*name) for name in sorted(names)] or None
            for names in (wanted.constraints.permitted, wanted.constraints.excluded)
        )
        extensions.append((x509.NameConstraints(permitted, excluded), True))
    if wanted.san:
        extensions.append((x509.SubjectAlternativeName([_general_name(*name) for name in sorted(wanted.san)]), False))
    return extensions


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Name the key of an authority as the authority does it itself."""
    identifier = _extension(issuer, x509.SubjectKeyIdentifier)
    if identifier:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    key = t.cast("CertificateIssuerPublicKeyTypes", issuer.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _different_extensions(
    certificate: x509.Certificate, wanted: t.Sequence[tuple[x509.ExtensionType, bool]]
) -> list[str]:
    try:
        present = {extension.oid: extension for extension in certificate.extensions}
    except ValueError:
        return ["extensions are damaged"]
    reasons = []
    for value, critical in wanted:
        extension = present.pop(value.oid, None)
        if extension is None:
            reasons.append(f"{_label(value)} is missing")
        elif isinstance(value, x509.SubjectAlternativeName):
            have, want = _san_texts(extension.value), _san_texts(value)
            if have != want:
                reasons.append(f"{_label(value)} is {', '.join(have)}, wanted {', '.join(want)}")
        elif extension.value != value or extension.critical != critical:
            reasons.append(f"{_label(value)} differs")
    return reasons + [f"{_label(extension.value)} is unwanted" for extension in present.values()]


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _general_name(kind: str, value: str) -> x509.GeneralName:
    if kind == "ip":
        return x509.IPAddress(ipaddress.ip_address(value))
    return x509.DNSName(value) if kind == "dns" else x509.UniformResourceIdentifier(value)


def _subtree(kind: str, value: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_network(value)) if kind == "ip" else x509.DNSName(value)


def forbidden_names(above: t.Iterable[x509.Certificate], san: t.Iterable[tuple[str, str]]) -> list[str]:
    """The names that the constraints of the authorities above do not allow (RFC 5280, 4.2.1.10)."""
    problems = []
    for authority in above:
        constraints = _extension(authority, x509.NameConstraints)
        if constraints is None:
            continue
        for kind, value in sorted(san):
            permitted = [tree for tree in constraints.permitted_subtrees or () if _is_about(tree, kind)]
            excluded = [tree for tree in constraints.excluded_subtrees or () if _is_about(tree, kind)]
            if (permitted and not any(_is_in(value, tree) for tree in permitted)) or any(
                _is_in(value, tree) for tree in excluded
            ):
                problems.append(f"{name_text(authority)!r} may not sign for {value}")
    return problems


def _is_about(tree: x509.GeneralName, kind: str) -> bool:
    return {"ip": x509.IPAddress, "dns": x509.DNSName, "uri": x509.UniformResourceIdentifier}[kind] is type(tree)


def _is_in(value: str, tree: x509.GeneralName) -> bool:
    if isinstance(tree, x509.IPAddress):
        address, network = ipaddress.ip_address(value), tree.value
        return address in network if isinstance(network, (ipaddress.IPv4Network, ipaddress.IPv6Network)) else False
    return f".{value.removeprefix('*.')}".endswith(f".{tree.value}")


def _san_texts(names: t.Any) -> list[str]:
    """Write alternative names as C(DNS:a.example), sorted: their order means nothing."""
    kinds = {"DNSName": "DNS", "IPAddress": "IP", "UniformResourceIdentifier": "URI"}
    return sorted(f"{kinds.get(type(name).__name__, type(name).__name__)}:{name.value}" for name in names or ())


def _label(extension: x509.ExtensionType) -> str:
    """Turn the name of a class such as C(SubjectKeyIdentifier) into words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(extension).__name__).lower()


def _text(name: x509.Name) -> str:
    return ", ".join(f"{attribute.rfc4514_attribute_name}={attribute.value!s}" for attribute in name)


def _days(duration: datetime.timedelta) -> str:
    return f"{duration.days} days" if duration.days and not duration.seconds else str(duration)


def hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    spec = key_spec(key)
    if spec.kind == "ECDSA" and spec.size > 256:
        return hashes.SHA384() if spec.size == 384 else hashes.SHA512()
    # Ed25519 and Ed448 bring their own.
    return hashes.SHA256() if spec.size else None


def _raw(key: CertificateIssuerPublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


_Extension = t.TypeVar("_Extension", bound="x509.ExtensionType")
