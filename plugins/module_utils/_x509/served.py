# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that a HAProxy serves, on its host. They are state: no release holds them, no rollback brings an
older one back.

Several programs write them: haproxy_config, haproxy_certificate and haproxy-acme. Each holds the lock of the directory
from its decision to the proof that HAProxy has what it wrote. Certificates nobody asks for are left alone.
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked_directories

if t.TYPE_CHECKING:
    from pathlib import Path


class CertificateStore:
    """PEM files that only root reads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def lock(self, timeout: float) -> t.ContextManager[None]:
        """Lock the directory against other writers; wait up to ``timeout`` seconds for them."""
        return locked_directories([self.directory], timeout)

    def read(self, names: t.Iterable[str]) -> dict[str, bytes]:
        """The files that are there."""
        paths = (self.directory / name for name in names)
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def holds(self, name: str) -> bool:
        """Whether the file exists, whatever its content."""
        return (self.directory / name).is_file()

    def differing(self, wanted: t.Mapping[str, bytes]) -> dict[str, bytes | None]:
        """The existing content of the files to write (different, or readable by others); None if missing."""
        found = self.read(wanted)
        return {
            name: found.get(name) for name in sorted(wanted) if found.get(name) != wanted[name] or self._is_open(name)
        }

    def write(self, certificates: t.Mapping[str, bytes]) -> None:
        """Write each file whole; a link in its place is replaced, not followed."""
        if not certificates:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk.tidy(self.directory)
        for name, content in certificates.items():
            disk.replace(self.directory / name, content, 0o600)
        disk.sync(self.directory)

    def restore(self, before: t.Mapping[str, bytes | None]) -> None:
        """Undo a write: new files are removed, because HAProxy loads every file of a directory."""
        for name, content in before.items():
            if content is None:
                (self.directory / name).unlink(missing_ok=True)
        self.write({name: content for name, content in before.items() if content is not None})

    def _is_open(self, name: str) -> bool:
        return bool((self.directory / name).stat().st_mode & 0o077)
