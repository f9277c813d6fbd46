# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacements of files that only the processes of a private mount namespace see.

A copy of a directory in memory, whose entries are links to the original ones, is mounted over the directory. Files
written there exist only in this namespace, and all others are unchanged. It works for every file system, and without
root.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.stage import StageError

# <sys/mount.h>
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
# Its sockets belong to the running services of this host, so it is empty here.
RUN = Path("/run")


class PrivateFiles:
    """The file system of this mount namespace."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._numbers = itertools.count()
        self._mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)
        self._mount("tmpfs", RUN, "tmpfs", 0)
        RUN.chmod(0o755)
        self.home = RUN / "lbforge-rehearsal"
        # HAProxy must be able to read it after it has dropped root.
        self.home.mkdir(0o755)
        self._device = RUN.stat().st_dev

    def put(self, path: Path, content: bytes, mode: int = 0o600) -> None:
        """Write a file with this content, in place of an existing one."""
        place = self.hide(path)
        place.write_bytes(content)
        place.chmod(mode)

    def hide(self, path: Path) -> Path:
        """Remove a file from view, and return the path for a replacement."""
        place = self.directory(path.parent) / path.name
        if os.path.lexists(place):
            place.unlink()
        return place

    def directory(self, path: Path) -> Path:
        """Make a directory private, and create it if needed. Return its real path."""
        place = Path(os.path.realpath(path))
        there = next(parent for parent in (place, *place.parents) if parent.is_dir())
        if there.stat().st_dev != self._device:
            self._mirror(there)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _mirror(self, directory: Path) -> None:
        number = next(self._numbers)
        real, copy = self.home / f"real-{number}", self.home / f"copy-{number}"
        real.mkdir()
        copy.mkdir()
        self._mount(str(directory), real, "", _BIND | _RECURSIVE)
        for entry in real.iterdir():
            (copy / entry.name).symlink_to(entry.readlink() if entry.is_symlink() else entry)
        copy.chmod(real.stat().st_mode & 0o7777)
        self._mount(str(copy), directory, "", _BIND)

    def _mount(self, source: str, target: Path, kind: str, flags: int) -> None:
        words = [os.fsencode(word) for word in (source, target, kind)]
        if self._libc.mount(*words, ctypes.c_ulong(flags), None) != 0:
            raise StageError(f"{target} cannot be made private: {os.strerror(ctypes.get_errno())}")
