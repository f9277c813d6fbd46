# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a wanted certificate to changes in its file, in a crt-list and in the running HAProxy.

Everything is checked before anything is touched. Then each file is written first, and restored when HAProxy rejects it,
so that a reload always finds what runs.
"""

from __future__ import annotations

import re
import stat
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates, crtlists
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.certificates import (
    CA_FILE,
    CERTIFICATE,
    CRL_FILE,
    CertificateError,
    File,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.crtlists import Entry
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import require
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import bundle, pem
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import fingerprint
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

if t.TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator

    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session

KINDS = {"cert": CERTIFICATE, "ca": CA_FILE, "crl": CRL_FILE}  # the user's words, and HAProxy's
_NO_WORD = re.compile(r"[\s\[\]#]")


@dataclass(frozen=True)
class Desired:
    """The wanted certificate. With ``sni`` and ``options`` None, any entry of the crt-list matches."""

    name: str
    kind: str = "cert"
    present: bool = True
    content: str = ""
    hostnames: tuple[str, ...] = ()
    crt_list: str = ""
    sni: tuple[str, ...] | None = None
    options: str | None = None
    persist: bool = True
    disk_path: str = ""

    @property
    def ssl(self) -> str:
        """The kind, as the commands of HAProxy call it."""
        return KINDS[self.kind]

    @property
    def path(self) -> Path:
        """The path of the file on the host."""
        return Path(self.disk_path or self.name)

    @property
    def entry(self) -> Entry | None:
        """The entry of the crt-list, if it matters which."""
        if self.sni is None and self.options is None:
            return None
        return Entry(self.name, " ".join((self.options or "").split()), self.sni or ())

    def problems(self, now: datetime.datetime) -> list[str]:
        """The mistakes in the name, the options and the PEM text, found before HAProxy is asked."""
        texts = (("name", self.name), ("crt_list", self.crt_list), ("options", self.options or ""))
        found = [
            f"{key} holds a line break or another control character." for key, text in texts if CONTROL.search(text)
        ]
        if not self.name:
            found.append("name is empty.")
        elif self.persist and not self.path.is_absolute():
            found.append("The name is relative to HAProxy's working directory; set disk_path to the path of the file.")
        if self.kind != "cert" and (self.crt_list or self.hostnames):
            found.append(f"crt_list and hostnames are for certificates, not for kind {self.kind}.")
        if self.entry and not self.crt_list:
            found.append("sni and options belong to an entry of a crt-list; set crt_list.")
        words = [*(self.sni or ()), *([self.name] if self.crt_list else [])]
        found += [f"{word!r} is not a valid word of a crt-list." for word in words if not word or _NO_WORD.search(word)]
        if re.search(r"[\[\]]", self.options or ""):
            found.append("Write options without brackets.")
        if self.present:
            found += self._content_problems(now)
        return found

    def _content_problems(self, now: datetime.datetime) -> list[str]:
        if self.kind == "cert":
            return bundle.bundle_problems(self.content, self.hostnames, now)
        return bundle.ca_problems(self.content) if self.kind == "ca" else bundle.crl_problems(self.content, now)


@dataclass(frozen=True)
class FileChange:
    """The text and mode of a file before and after; None means no file."""

    path: Path
    before: str | None
    after: str | None
    mode_before: int | None
    mode: int

    @classmethod
    def of(cls, path: Path, after: t.Callable[[str | None], str | None], mode: int | None = None) -> FileChange:
        """Look at a file. Without a mode it keeps its own, so that others still read it."""
        try:
            before = path.read_bytes().decode(errors="surrogateescape") if path.is_file() else None
            mode_before = None if before is None else stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            raise CertificateError(f"Cannot read {path}: {error.strerror}.") from error
        return cls(path, before, after(before), mode_before, mode or mode_before or 0o644)

    @property
    def needed(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after or (self.after is not None and self.mode_before != self.mode)

    def write(self) -> None:
        """Write the new text, or remove the file."""
        if self.needed:
            self._put(self.after, self.mode)

    def restore(self) -> None:
        """Restore the old text, or remove the file."""
        if self.needed:
            self._put(self.before, self.mode_before or self.mode)

    def _put(self, text: str | None, mode: int) -> None:
        try:
            old = self.path.stat() if self.path.is_file() else None
            if text is None:
                self.path.unlink(missing_ok=True)
            else:
                owner = (old.st_uid, old.st_gid) if old else (-1, -1)
                disk.replace(self.path, text.encode(errors="surrogateescape"), mode, owner)
            disk.sync(self.path.parent)
        except OSError as error:
            raise CertificateError(f"Cannot write {self.path}: {error.strerror}.") from error


@dataclass(frozen=True)
class Change:
    """A change, and its states before and after in words without secrets."""

    desired: Desired
    action: str  # with what is loaded: create, swap, delete, or nothing
    file: FileChange | None
    list_file: FileChange | None
    entries: tuple[str, str]  # the running crt-list before and after
    before: str
    after: str

    @property
    def needed(self) -> bool:
        """Whether anything differs."""
        return bool(self.action) or self.before != self.after or any(file and file.needed for file in self._files)

    @property
    def _files(self) -> tuple[FileChange | None, FileChange | None]:
        return self.file, self.list_file


# Comparing


def plan(session: Session, desired: Desired, now: datetime.datetime) -> Change:
    """Compare the wanted with the current state. One error reports every obstacle."""
    require("certificates" if desired.kind == "cert" else "ca files", session.version)
    _raise(desired.problems(now))
    known = certificates.listing(session, desired.ssl).paths
    found = certificates.shown(session, desired.name, desired.ssl) if desired.name in known else None
    file = _file(desired) if desired.persist else None
    list_file = _list_file(desired)
    entries = _entries(session, desired, list_file)
    action = _action(desired, found, file)
    problems = _place_problems(desired, found, known)
    if (
        desired.present
        and action
        and (why := certificates.obstacle(session, desired.name, desired.content, desired.ssl))
    ):
        problems.append(f"It cannot be loaded: {why}")
    stored = (list_file.before or "", list_file.after or "") if list_file else ("", "")
    problems += [
        f"The crt-list {desired.crt_list} cannot be changed at run time: {why}. Change its file, and reload."
        for before, after in (entries, stored)
        if (why := crtlists.reload_reason(crtlists.parse_text(before), crtlists.parse_text(after)))
    ]
    _raise(problems)
    loaded = _loaded(found)
    return Change(
        desired,
        action,
        file,
        list_file,
        entries,
        before=loaded + _stored(file, before=True) + _listed(desired, entries[0], stored[0]),
        after=(_wanted(desired) if action else loaded)
        + _stored(file, before=False)
        + _listed(desired, entries[1], stored[1]),
    )


def _raise(problems: list[str]) -> None:
    if problems:
        raise CertificateError(" ".join(dict.fromkeys(problems)))


def _action(desired: Desired, found: File | None, file: FileChange | None) -> str:
    if not desired.present:
        return "delete" if found else ""
    if found is None:
        return "create"
    # HAProxy shows only names of the chain: the old content may still be loaded.
    is_other = file is not None and file.before != file.after
    return "swap" if is_other or not certificates.holds(found, desired.content, desired.ssl) else ""


def _place_problems(desired: Desired, found: File | None, known: t.Sequence[str]) -> list[str]:
    if desired.crt_list:
        return []
    if found and not desired.present and found.status == "Used":
        return ["It is in use. Set crt_list to its list, or remove it from the configuration first."]
    if found or not desired.present:
        return []
    said = (
        "The running configuration does not name it, so nothing would use it.",
        did_you_mean(desired.name, known),
        "Use the name in the configuration, set crt_list to the list for it, or configure it first.",
    )
    return [" ".join(filter(None, said))]


def _file(desired: Desired) -> FileChange:
    wanted = pem.normalised(desired.content) if desired.present else None

    def after(before: str | None) -> str | None:
        same = before is not None and wanted is not None and pem.normalised(before) == wanted
        return before if same else wanted

    return FileChange.of(desired.path, after, 0o600 if desired.kind == "cert" else None)


def _list_file(desired: Desired) -> FileChange | None:
    """The file of the crt-list. A directory is a list, too, without any file but the certificates."""
    if not desired.crt_list or not desired.persist or Path(desired.crt_list).is_dir():
        return None
    path = Path(desired.crt_list).resolve()
    store = ReleaseStore(path.parent.parent.parent)
    if path.parent.parent == store.releases and store.pointer.is_symlink():
        raise CertificateError(
            f"{desired.crt_list} belongs to a release of haproxy_config, which replaces it. Change it there, or set"
            " persist: false for a change that lasts until the next reload."
        )
    if not path.is_file():
        raise CertificateError(
            f"There is no file {desired.crt_list} on this host, so the next reload would drop the entry. Set persist:"
            " false to leave files alone."
        )
    return FileChange.of(path, lambda text: _edited(desired, text or ""))


def _edited(desired: Desired, text: str) -> str:
    if not desired.present:
        return crtlists.without(text, desired.name)
    if desired.entry is None and crtlists.entries_of(crtlists.parse_text(text), desired.name):
        return text
    return crtlists.with_entry(text, desired.entry or Entry(desired.name))


def _entries(session: Session, desired: Desired, list_file: FileChange | None) -> tuple[str, str]:
    if not desired.crt_list:
        return "", ""
    running = crtlists.running(session, desired.crt_list)
    text = crtlists.as_text(running)
    own = crtlists.entries_of(running, desired.name)
    if desired.present and desired.entry and len(own) == 1 and own[0].serves(desired.entry):
        # HAProxy does not show all options; those that it shows must be in the file.
        shown, wanted = set(own[0].options.split()), set(desired.entry.options.split())
        if shown == wanted or (shown <= wanted and list_file is not None and not list_file.needed):
            return text, text
    return text, _edited(desired, text)


def _loaded(found: File | None) -> str:
    if found is None:
        return ""
    lines = [_line(shown.serial, shown.not_after, shown.sha1) for shown in found.certificates]
    lines += [_crl_line(crl.last_update, crl.next_update, len(crl.revoked)) for crl in found.lists]
    return "".join(lines)


def _wanted(desired: Desired) -> str:
    if not desired.present:
        return ""
    chain = pem.certificates(desired.content)[: 1 if desired.kind == "cert" else None]
    lines = [_line(one.serial, one.not_after.timestamp(), one.sha1) for one in chain if desired.kind != "crl"]
    for crl in pem.revocation_lists(desired.content) if desired.kind == "crl" else []:
        end = crl.next_update.timestamp() if crl.next_update else 0
        lines.append(_crl_line(crl.last_update.timestamp(), end, len(crl.revoked)))
    return "".join(lines)


def _line(serial: str, not_after: float, sha1: str) -> str:
    return f"loaded: serial {serial}, valid until {pem.instant(not_after)}, SHA-1 {sha1}\n"


def _crl_line(last_update: float, next_update: float, revoked: int) -> str:
    return f"loaded: CRL from {pem.instant(last_update)} to {pem.instant(next_update)}, {revoked} revoked\n"


def _stored(file: FileChange | None, *, before: bool) -> str:
    text = None if file is None else file.before if before else file.after
    if file is None or text is None:
        return ""
    mode = file.mode_before if before else file.mode
    return f"file {file.path}: mode {mode:04o}\n{fingerprint(text.encode(errors='surrogateescape'))}"


def _listed(desired: Desired, running: str, stored: str) -> str:
    texts = (("running", running), ("file", stored))
    return "".join(
        f"{where} {desired.crt_list}: {entry}\n"
        for where, text in texts
        for entry in crtlists.entries_of(crtlists.parse_text(text), desired.name)
    )


# Execution


def carry_out(session: Session, change: Change) -> None:
    """Make the change, files first. The caller holds the lock."""
    if change.desired.present:
        _put_in(session, change)
    else:
        _take_out(session, change)


def _put_in(session: Session, change: Change) -> None:
    desired = change.desired
    with _written(change.file):
        if change.action:
            load = certificates.create if change.action == "create" else certificates.swap
            load(session, desired.name, desired.content, desired.ssl)
    try:
        _change_entries(session, change)
    except LbforgeError:
        if change.action == "create":  # a reload would load a file that nobody uses, if a directory is the list
            certificates.delete(session, desired.name, desired.ssl)
            if change.file:
                change.file.restore()
        raise


def _take_out(session: Session, change: Change) -> None:
    desired = change.desired
    _change_entries(session, change)
    if change.action:
        try:
            certificates.delete(session, desired.name, desired.ssl)
        except LbforgeError as error:
            where = f"{desired.name} is not in {desired.crt_list} any more, but: " if desired.crt_list else ""
            raise CertificateError(f"{where}{error}") from error
    if change.file:
        change.file.write()  # last, because a start fails on a list that names a missing file


def _change_entries(session: Session, change: Change) -> None:
    with _written(change.list_file):
        before, after = change.entries
        if before != after:
            crtlists.apply(session, change.desired.crt_list, before, after)


@contextmanager
def _written(file: FileChange | None) -> Iterator[None]:
    """Write a file, and restore the old one when a later step fails."""
    if file is None:
        yield
        return
    file.write()
    try:
        yield
    except LbforgeError:
        file.restore()
        raise
