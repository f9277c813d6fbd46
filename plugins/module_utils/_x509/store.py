# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of keys and certificates on the setup host: the only code here that touches files."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.disk import NEW, replace
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_LOCK_TIMEOUT = 120
# The names of an authority's files that regen_ca replaced.
RETIRED = re.compile(r"(?P<name>.+)-\d{8}T\d{6}Z")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the files of one authority or certificate are, relative to the directory."""

    directory: str
    name: str

    @property
    def key_directory(self) -> str:
        return f"{self.directory}/private"

    @property
    def key(self) -> str:
        return f"{self.key_directory}/{self.name}.key.pem"

    @property
    def certificate(self) -> str:
        return f"{self.directory}/certs/{self.name}.crt"

    @property
    def chain(self) -> str:
        return f"{self.directory}/certs/{self.name}-chain.crt"

    @property
    def bundle(self) -> str:
        return f"{self.directory}/certs/{self.name}-ca_bundle.crt"

    @property
    def crl(self) -> str:
        return f"{self.directory}/crl/{self.name}.crl.pem"


@dataclasses.dataclass(frozen=True)
class File:
    """An existing file; a directory has no content."""

    content: bytes
    mode: int


@dataclasses.dataclass(frozen=True)
class Write:
    path: str
    content: bytes
    mode: int


@dataclasses.dataclass(frozen=True)
class Move:
    path: str
    target: str


@dataclasses.dataclass(frozen=True)
class Mode:
    path: str
    mode: int


Change = t.Union[Write, Move, Mode]


def authority_place(name: str) -> Place:
    return Place(f"roots/{name}", name)


def certificate_place(name: str) -> Place:
    return Place("certs", name)


class Store:
    """A directory that several runs may use at once, and in which any may be interrupted."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    @contextlib.contextmanager
    def lock(self, read_only: bool) -> t.Iterator[None]:
        """Lock the directory against other calls; a read-only call creates no lock file."""
        path = self.directory / ".lock"
        if read_only and not path.exists():
            yield
            return
        self._make(self.directory, 0o755)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)) as file:
            deadline = time.monotonic() + _LOCK_TIMEOUT
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LbforgeError(
                            f"{path} has been locked by another run for more than {_LOCK_TIMEOUT} seconds"
                        ) from None
                    time.sleep(0.05)
            yield

    def authorities(self) -> list[str]:
        """Return the names of the authorities that have a certificate here."""
        found = self.directory.glob("roots/*/certs/*.crt")
        return sorted(path.stem for path in found if path.stem == path.parent.parent.name)

    def retired(self, place: Place, path: str) -> dict[str, bytes]:
        """Return the earlier files of a regenerated authority by their new names."""
        file = self.directory / path
        extension = file.name[len(place.name) :]
        found = {old.name[: -len(extension)]: old for old in sorted(file.parent.glob(f"*{extension}"))}
        return {
            name: old.read_bytes()
            for name, old in found.items()
            if (match := RETIRED.fullmatch(name)) and match["name"] == place.name
        }

    def read(self, places: t.Iterable[Place]) -> dict[str, File]:
        """Return every file, and every directory of keys, that exists in these places."""
        paths = {
            path
            for place in places
            for path in (place.key_directory, place.key, place.certificate, place.chain, place.bundle, place.crl)
        }
        files = {}
        for path in sorted(paths):
            full = self.directory / path
            with contextlib.suppress(FileNotFoundError):
                content = b"" if full.is_dir() else full.read_bytes()
                files[path] = File(content, full.stat().st_mode & 0o7777)
        return files

    def apply(self, changes: t.Sequence[Change]) -> None:
        """Apply changes in their order, each atomically."""
        if not changes:
            return
        for leftover in self.directory.rglob(f"{NEW}*"):
            leftover.unlink()
        for change in changes:
            path = self.directory / change.path
            if isinstance(change, Write):
                self._make(path.parent, 0o700 if path.parent.name == "private" else 0o755)
                replace(path, change.content, change.mode)
            elif isinstance(change, Move):
                path.replace(self.directory / change.target)
            else:
                path.chmod(change.mode)

    def _make(self, directory: pathlib.Path, mode: int) -> None:
        if directory.is_dir():
            return
        if directory != self.directory:
            self._make(directory.parent, 0o755)
        directory.mkdir(mode=mode, parents=directory == self.directory, exist_ok=True)
        directory.chmod(mode)  # Whatever the umask took away.
