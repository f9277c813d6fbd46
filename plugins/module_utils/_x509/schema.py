# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of certificate requests: one row per key.

The module's options, docs/pki-keys.md and docs/pki.schema.json are made of them. Meanings may use Markdown's backticks.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    Boolean,
    Choice,
    Integer,
    Kind,
    ListOf,
    Text,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record, homes
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.kinds import (
    AlternativeNames,
    Capitals,
    Constraint,
    FileName,
    KeyType,
    Lifetime,
    Listed,
    PathLength,
    Serial,
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
# The parts of a certificate for nodes.
PARTS = ("certificate", "certificate_chain", "ca_bundle", "private_key")
# An Ed25519 key (RFC 8410) has one size, which is never set.
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

# Clients accept 398 days, even from private CAs; Mozilla's guidelines recommend less than 366.
LEAF_LIFETIME = "365d"
AUTHORITY_LIFETIME = "3650d"
CRL_LIFETIME = LEAF_LIFETIME


@dataclasses.dataclass(frozen=True)
class Table(Record):
    """The keys of one entry of a request."""

    def refuse_missing(self, key: Key, place: Place) -> None:
        place.wrong(None, "is missing", f"Add {key.meaning[0].lower()}{key.meaning[1:]}")


FILE_NAME = FileName()
ANY = Text(longest=4096)
KEY_TYPE = KeyType(tuple(KEY_SIZES))
KEY_SIZE = Integer(0, max(max(sizes, default=0) for sizes in KEY_SIZES.values()), "a size of a key")
USAGES = Listed(Choice(KEY_USAGES))


def _subject() -> tuple[Key, ...]:
    """The attributes of a subject in their order, as long as RFC 5280, appendix A, lets them be."""
    return (
        Key(
            "country_name",
            Capitals("[A-Za-z]{2}", "a country code of two letters, such as GB", longest=2, hint=""),
            "Country of the subject, two letters.",
            aliases=("country",),
        ),
        Key("state_or_province_name", Text(longest=128), "State or province of the subject.", aliases=("state",)),
        Key("locality_name", Text(longest=128), "Locality of the subject.", aliases=("locality",)),
        Key("organization_name", Text(longest=64), "Organization of the subject.", aliases=("organization",)),
        Key(
            "organizational_unit_name",
            Text(longest=64),
            "Organizational unit of the subject.",
            aliases=("organizational_unit",),
        ),
        Key("cn", Text(longest=64), "Common name.", aliases=("common_name",), required=True),
        Key(
            "email_address",
            Text("[ -?A-~]*@[ -?A-~]*", "an e-mail address", longest=255, hint=""),
            "E-mail address in the subject.",
            aliases=("email",),
        ),
    )


SUBJECT = dict(zip((key.name for key in _subject()), ("C", "ST", "L", "O", "OU", "CN", "E")))
CONDITION = Key("condition", Boolean(), "An entry whose condition is false is left out.", True)

REVOKED = Table(
    what="a revoked certificate",
    keys=(
        Key(
            "serial",
            Serial(),
            "Serial number in hexadecimal, as openssl prints it.",
            required=True,
        ),
        Key("reason", Choice(REVOCATION_REASONS), "Reason of the revocation.", "unspecified"),
    ),
)

AUTHORITY = Table(
    what="an authority",
    keys=(
        Key("name", FILE_NAME, "Name of the authority and of its files.", required=True),
        CONDITION,
        Key(
            "provider",
            Choice(("selfsigned", "ownca")),
            "`selfsigned` for a root, `ownca` for an authority that another one signs; follows from `signed_by`.",
        ),
        Key("signed_by", ANY, "Name of the authority that signs this one, listed or already in the directory."),
        *_subject(),
        Key(
            "basic_constraints",
            PathLength(),
            "`CA:TRUE` is always true here; `pathlen:N` limits how many authorities may follow below.",
        ),
        Key("key_usage", USAGES, "Usages beside `keyCertSign` and `cRLSign`, which an authority always has."),
        Key("ttl", Lifetime(), "Lifetime.", AUTHORITY_LIFETIME, aliases=("not_after",)),
        Key(
            "name_constraints_permitted",
            Constraint(restricts=True),
            "Names that the authority, and all below it, may sign for. Names of other kinds stay allowed.",
        ),
        Key("name_constraints_excluded", Constraint(), "Names that it may not sign for."),
        Key(
            "key_passphrase",
            # OpenSSL accepts no more, and an empty one would mean none.
            Text(longest=1023),
            "Passphrase of the key file. A key that has none yet is encrypted with it.",
            secret=True,
        ),
        Key(
            "revoked",
            ListOf(REVOKED),
            "Revoked certificates of the authority. With this, even as an empty list, it has a revocation list.",
        ),
        Key("crl_ttl", Lifetime(), "Lifetime of the revocation list.", CRL_LIFETIME),
        Key("key_type", KEY_TYPE, "Kind of key. Without it an authority keeps the key that it has.", "ECDSA"),
        Key(
            "key_size",
            KEY_SIZE,
            "256, 384 or 521 for ECDSA, 256 by default; 2048, 3072, 4096 or 8192 for RSA, 4096 by default.",
        ),
    ),
)

CERTIFICATE = Table(
    what="a certificate",
    keys=(
        Key("name", FILE_NAME, "Name of the certificate and of its files.", required=True),
        CONDITION,
        Key(
            "provider",
            Choice(("ownca",), gone=(("selfsigned", "Use ownca: an authority signs every certificate."),)),
            "`ownca`, the only one.",
            "ownca",
        ),
        Key(
            "signed_by",
            ANY,
            "Name of the authority that signs it, listed or already in the directory.",
            required=True,
        ),
        *_subject(),
        Key(
            "san",
            AlternativeNames(),
            "Names and addresses that clients accept the certificate for. The default is `cn`, if it is a host name or"
            " an address.",
        ),
        Key("key_usage", USAGES, "Key usages. The default is `digitalSignature`, for RSA keys also `keyEncipherment`."),
        Key(
            "extended_key_usage",
            Listed(Choice(EXTENDED_KEY_USAGES)),
            "Purposes of the certificate.",
            ["serverAuth"],
        ),
        Key(
            "ttl",
            Lifetime(),
            "Lifetime. A certificate never outlives the authority that signs it.",
            LEAF_LIFETIME,
            aliases=("not_after",),
        ),
        Key("key_type", KEY_TYPE, "Kind of key; browsers do not support `Ed25519`.", "ECDSA"),
        Key(
            "key_size",
            KEY_SIZE,
            "256, 384 or 521 for ECDSA, 256 by default; 2048, 3072, 4096 or 8192 for RSA, 2048 by default.",
        ),
    ),
)

USER_CERTIFICATE = Table(
    what="a certificate of the user's",
    keys=(
        Key("name", FILE_NAME, "Name of the certificate.", required=True),
        CONDITION,
        Key("cert", ANY, "Path of the certificate on the setup host, optionally followed by its chain.", required=True),
        Key("key", ANY, "Path of the private key on the setup host, without a passphrase.", required=True),
        Key("ca_cert", ANY, "Path of the chain, or the rest of it; a root in it is not sent to clients."),
        Key(
            "names",
            Listed(Text()),
            "Names and addresses that clients use, one of which it must cover; unknown by default.",
        ),
    ),
)

FILE = Table(
    what="a file",
    keys=(
        Key("name", ANY, "Name of a certificate; required without `src`."),
        CONDITION,
        Key("type", Choice(PARTS), "The part of the certificate; required without `src`."),
        Key("src", ANY, "A file of the setup host instead."),
        Key("dest", ANY, "Its path on the node.", required=True),
        Key("owner", ANY, "Its user on the node.", "root"),
        Key("group", ANY, "Its group on the node.", "root"),
        Key("mode", ANY, "Its mode, in quotes; by default `0600` for keys and `src`, `0644` for the others."),
    ),
)

ANCHOR = Table(
    what="a trust anchor",
    keys=(Key("name", ANY, "Name of the authority to trust.", required=True), CONDITION),
)

#: the tables by the option of the module whose list has such entries
TABLES = {
    "authorities": AUTHORITY,
    "certificates": CERTIFICATE,
    "user_certificates": USER_CERTIFICATE,
    "files": FILE,
    "anchors": ANCHOR,
}
#: hints for misplaced keys
HOMES = homes(TABLES)
RENEW_BEFORE = Lifetime("a time", "30d", longest=None)


def module_options(table: Record) -> dict[str, t.Any]:
    """The suboptions of a module for entries of a table.

    None is required or has choices: the table reports all mistakes at once, AnsibleModule only the first.
    """
    return {key.name: {**_module_type(key.kind), **_module_rest(key)} for key in table.keys}


def _module_type(kind: Kind) -> dict[str, t.Any]:
    if isinstance(kind, ListOf) and isinstance(kind.of, Record):
        return {"type": "list", "elements": "dict", "options": module_options(kind.of)}
    if isinstance(kind, (ListOf, PathLength, Constraint)):
        return {"type": "list", "elements": "str"}
    if isinstance(kind, Boolean):
        return {"type": "bool", "default": True}
    return {"type": {Integer: "int", AlternativeNames: "raw"}.get(type(kind), "str")}


def _module_rest(key: Key) -> dict[str, t.Any]:
    aliases = {"aliases": list(key.aliases)} if key.aliases else {}
    # AnsibleModule warns about names like these.
    return {**aliases, **({"no_log": key.secret} if "key" in key.name else {})}
