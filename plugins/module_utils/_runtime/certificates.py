# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates, CA files and CRL files of a running HAProxy: read them, replace them, prove it. For 2.6 and later.

HAProxy has one transaction per kind, and it belongs to nobody: whoever sets a file while another's transaction is open
overwrites what is in it. So a writer holds the lock (_host/lock.py), and begins only when no transaction is open.
"""

from __future__ import annotations

import re
import ssl
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session, escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import FEATURES, require
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import (
    Certificate,
    certificates,
    normalised,
    revocation_lists,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator

CERTIFICATE, CA_FILE, CRL_FILE = "cert", "ca-file", "crl-file"  # HAProxy's names of the three kinds

_DAY = 86400
_BLOCK = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----.*?-----END (?P=label)-----", re.DOTALL)
_CREATED = re.compile(r"transaction created for (?:certificate|CA|CRL) (?P<path>.*)!\s*", re.IGNORECASE)
_COUNT = re.compile(r" - \d+ certificate\(s\)$")


class CertificateError(LbforgeError):
    """A certificate cannot be loaded, or differs afterwards. The message never quotes a PEM."""


@dataclass(frozen=True)
class Listing:
    """The answer to ``show ssl cert`` and the like: the loaded files, and that of an open transaction."""

    paths: tuple[str, ...]
    transaction: str | None


@dataclass(frozen=True)
class Shown:
    """A certificate as HAProxy shows it. Times are seconds since the epoch; an empty store has none."""

    serial: str = ""
    not_before: int = 0
    not_after: int = 0
    san: tuple[str, ...] = ()
    algorithm: str = ""
    sha1: str = ""
    subject: str = ""
    issuer: str = ""
    chain: tuple[str, ...] = ()  # the subjects


@dataclass(frozen=True)
class ShownList:
    """A CRL as HAProxy shows it."""

    issuer: str
    last_update: int
    next_update: int
    revoked: tuple[str, ...]  # serials


@dataclass(frozen=True)
class File:
    """The answer to ``show ssl cert PATH`` and the like. ``status`` is Used, Unused or Empty."""

    path: str
    status: str
    certificates: tuple[Shown, ...] = ()
    lists: tuple[ShownList, ...] = ()
    ocsp_id: str = ""  # by which HAProxy knows its OCSP response; empty without a responder

    @property
    def leaf(self) -> Shown:
        """The certificate of a file of the kind ``cert``."""
        return self.certificates[0] if self.certificates else Shown()


# Reading


def parse_listing(answer: str) -> Listing:
    """Read the answer to ``show ssl cert``, ``show ssl ca-file`` or ``show ssl crl-file``."""
    groups: dict[str, list[str]] = {"# transaction": [], "# filename": []}
    group: list[str] = []
    for line in answer.splitlines():
        if line in groups:
            group = groups[line]
        elif line:
            group.append(_COUNT.sub("", line))
    transactions = [path[1:] for path in groups["# transaction"]]
    return Listing(tuple(groups["# filename"]), transactions[0] if transactions else None)


def parse_file(answer: str) -> File:
    """Read the answer to ``show ssl cert PATH``, ``show ssl ca-file PATH`` or ``show ssl crl-file PATH``."""
    blocks = re.split(r"^Certificate (?:Revocation List )?#\d+:$", answer, flags=re.MULTILINE)
    first = _pairs(blocks[0])
    shown = [_pairs(block) for block in blocks[1:]] or [first]  # a CA or CRL file numbers its entries
    return File(
        path=first["Filename"][0],
        status=first["Status"][0],
        certificates=tuple(_certificate(pairs) for pairs in shown if pairs.keys() & {"Serial", "SHA1 FingerPrint"}),
        lists=tuple(_list(pairs) for pairs in shown if pairs.keys() & {"Last Update", "Next Update"}),
        ocsp_id=first.get("OCSP Response Key", [""])[0],
    )


def parse_ocsp_updates(answer: str) -> dict[str, str]:
    """Read the answer to ``show ssl ocsp-updates``: how the last update of each OCSP response ended, by its key."""
    header, *lines = answer.splitlines() or [""]
    names = [name.strip() for name in header.split(" | ")]
    rows = [Fields(zip(names, line.split(" | "))) for line in lines if line]
    return {row["OCSP Certid"]: row["Last Update Status (str)"] for row in rows}


def days_until(end: int, now: float) -> int:
    """How many whole days are left; negative when it has expired."""
    return int((end - now) // _DAY)


def _pairs(text: str) -> Fields[list[str]]:
    pairs: Fields[list[str]] = Fields()
    for line in text.splitlines():
        key, _colon, value = line.strip().partition(": ")
        pairs.setdefault(key.rstrip(": "), []).append(value.strip())
    return pairs


def _time(text: str) -> int:
    try:
        return ssl.cert_time_to_seconds(text)
    except ValueError:
        return 0  # a CRL may say nothing about the next one


def _certificate(pairs: Fields[list[str]]) -> Shown:
    return Shown(
        serial=pairs["Serial"][0],
        not_before=_time(pairs["notBefore"][0]),
        not_after=_time(pairs["notAfter"][0]),
        san=tuple(filter(None, pairs.get("Subject Alternative Name", [""])[0].rstrip(",").split(", "))),
        algorithm=pairs["Algorithm"][0],
        sha1=pairs["SHA1 FingerPrint"][0],
        subject=pairs["Subject"][0],
        issuer=pairs["Issuer"][0],
        chain=tuple(pairs.get("Chain Subject", [])),
    )


def _list(pairs: Fields[list[str]]) -> ShownList:
    return ShownList(
        issuer=pairs["Issuer"][0],
        last_update=_time(pairs["Last Update"][0]),
        next_update=_time(pairs["Next Update"][0]),
        revoked=tuple(pairs.get("Serial Number", [])),
    )


# Asking


def listing(session: Session, kind: str = CERTIFICATE) -> Listing:
    """Ask what is loaded."""
    return session.read(f"show ssl {kind}", parse_listing)


def shown(session: Session, path: str, kind: str = CERTIFICATE) -> File:
    """Ask about one file."""
    return session.read(f"show ssl {kind} {escaped(path)}", parse_file)


def ocsp_updates(session: Session) -> dict[str, str]:
    """Ask how the last update of each OCSP response ended; older versions update none."""
    if session.version < FEATURES["ocsp updates"].since:
        return {}
    return session.read("show ssl ocsp-updates", parse_ocsp_updates)


# Changing


def swap(session: Session, path: str, pem: str, kind: str = CERTIFICATE) -> None:
    """Replace the file that HAProxy has loaded under a path, and prove it. The caller holds the lock."""
    _clear_the_way(session, path, pem, kind)
    _replace(session, path, pem, kind)


def create(session: Session, path: str, pem: str, kind: str = CERTIFICATE) -> None:
    """Load a file that HAProxy does not know; a bind uses it once a crt-list names it. The caller holds the lock."""
    _clear_the_way(session, path, pem, kind)
    session.run(f"new ssl {kind} {escaped(path)}")
    try:
        _replace(session, path, pem, kind)
    except LbforgeError:
        with suppress(LbforgeError):
            delete(session, path, kind)
        raise


def delete(session: Session, path: str, kind: str = CERTIFICATE) -> None:
    """Make HAProxy forget a file that nothing uses. The caller holds the lock."""
    session.run(f"del ssl {kind} {escaped(path)}")


def obstacle(session: Session, path: str, pem: str, kind: str = CERTIFICATE) -> str | None:
    """The reason why a PEM cannot be loaded now: its size, or an open transaction of another client.

    A transaction for the same file with the same content was left by an interrupted run, and is no obstacle.
    """
    if why := _too_large(session, path, pem, kind):
        return why
    other = listing(session, kind).transaction
    if other is None:
        return None
    if other == path:
        with suppress(CommandError):  # a key alone cannot be shown
            if holds(session.read(f"show ssl {kind} *{escaped(path)}", parse_file), pem, kind):
                return None
    return (
        f"another client has an open transaction for {other}, and HAProxy allows only one. Wait until it ends; if it"
        f" was abandoned, send HAProxy 'abort ssl {kind} {other}', or reload."
    )


def holds(file: File, pem: str, kind: str = CERTIFICATE) -> bool:
    """Whether HAProxy has loaded this PEM, as far as it shows: never the key, and of a chain only the names."""
    if kind == CRL_FILE:
        lists = [(_seconds(crl.last_update), _seconds(crl.next_update), crl.revoked) for crl in revocation_lists(pem)]
        found_lists = [(crl.last_update, crl.next_update, crl.revoked) for crl in file.lists]
        return bool(lists) and sorted(lists) == sorted(found_lists)  # OpenSSL has its own order
    found = [certificate.sha1 for certificate in file.certificates]
    chain = certificates(pem)
    if not chain or kind == CA_FILE:
        return bool(chain) and set(found) == {certificate.sha1 for certificate in chain}
    return found == [chain[0].sha1] and (len(chain) == 1 or _is_chain(file.leaf.chain, chain[1:]))


def _is_chain(subjects: t.Sequence[str], chain: t.Sequence[Certificate]) -> bool:
    """Compare names: HAProxy writes /O=Example/CN=Root, with any word before an equals sign."""
    patterns = ("".join(f"/[^/=]+={re.escape(value)}" for value in issuer.subject) for issuer in chain)
    return len(subjects) == len(chain) and all(map(re.fullmatch, patterns, subjects))


def _seconds(time: datetime.datetime | None) -> int:
    return int(time.timestamp()) if time else 0


def _clear_the_way(session: Session, path: str, pem: str, kind: str) -> None:
    if why := obstacle(session, path, pem, kind):
        raise CertificateError(f"Cannot change {path}: {why}")
    if listing(session, kind).transaction:
        session.run(f"abort ssl {kind} {escaped(path)}")


def _too_large(session: Session, path: str, pem: str, kind: str) -> str | None:
    """Whether a PEM is too large; later versions accept a CA file in pieces."""
    most = session.limit
    pieces = _pieces(path, pem, kind, most)
    largest = max(map(_size, pieces)) + _overhead(path, kind)
    if largest > most:
        return (
            f"it has {largest} bytes with its command, and the buffer of this HAProxy takes {most}. Write the file and"
            " reload, or raise tune.bufsize."
        )
    if len(pieces) > 1:
        try:
            require("ca file additions", session.version)
        except LbforgeError as error:
            return f"it is larger than the buffer of this HAProxy, which takes {most} bytes. {error}"
    return None


def _replace(session: Session, path: str, pem: str, kind: str) -> None:
    first, *more = _pieces(path, pem, kind, session.limit)
    name = escaped(path)
    with _transaction(session, name, kind):
        answer = session.run(f"set ssl {kind} {name}", first)
        created = _CREATED.fullmatch(answer)
        if created is None or created["path"] != path:
            # "updated" is the answer if a client without the lock was faster.
            raise CommandError(f"set ssl {kind} {path}", f"it began no transaction, but answered: {_line(answer)}")
        for piece in more:
            session.run(f"add ssl {kind} {name}", piece)
        answer = session.run(f"commit ssl {kind} {name}")
        if "Success!" not in answer.splitlines():
            raise CommandError(f"commit ssl {kind} {path}", _line(answer))
    _prove(session, path, pem, kind)


@contextmanager
def _transaction(session: Session, name: str, kind: str) -> Iterator[None]:
    """Leave no transaction open, whatever happens."""
    try:
        yield
    except BaseException:
        with suppress(LbforgeError):  # there is none if it was not begun
            session.run(f"abort ssl {kind} {name}")
        raise


def _prove(session: Session, path: str, pem: str, kind: str) -> None:
    file = shown(session, path, kind)
    if not holds(file, pem, kind):
        found = ", ".join(certificate.sha1 for certificate in file.certificates) or "nothing of it"
        raise CertificateError(
            f"HAProxy reported that it replaced {path}, but shows other fingerprints (SHA-1): {found}."
        )


def _pieces(path: str, pem: str, kind: str, most: int) -> list[str]:
    """Split a CA file between certificates; other files are sent in one piece."""
    whole = normalised(pem)  # an empty line would end it too early
    room = most - _overhead(path, kind)
    if kind != CA_FILE or _size(whole) <= room:
        return [whole]
    pieces: list[str] = [""]
    for block in _BLOCK.finditer(whole):
        if pieces[-1] and _size(pieces[-1]) + _size(block[0]) + 1 > room:
            pieces.append("")
        pieces[-1] += f"{block[0]}\n"
    return pieces


def _overhead(path: str, kind: str) -> int:
    return _size(f"set ssl {kind} {escaped(path)} <<\n\n")


def _size(text: str) -> int:
    return len(text.encode())


def _line(answer: str) -> str:
    return " ".join(answer.split())
