# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check and notify scripts of a text."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk

_MODE = 0o755


class Scripts:
    """Executable files of root's, installed before the check of the text, and restored if it is rejected.

    As with the text itself, ``PATH.previous`` exists from the switch until the proof, so the run after an interrupted
    one knows what to restore.
    """

    def __init__(self, contents: t.Mapping[str, str]) -> None:
        self._contents = {Path(path): content for path, content in contents.items()}
        self._new: list[Path] = []

    @property
    def missing(self) -> list[str]:
        return [str(path) for path in self._contents if not path.exists()]

    @property
    def are_unproven(self) -> bool:
        return any(_previous(path).exists() for path in self._contents)

    def changes(self) -> dict[str, tuple[str, str]]:
        """The text before and after of every file that differs."""
        found = {}
        for path, content in self._contents.items():
            before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            if before != content or not _is_safe(path):
                found[str(path)] = (before, content)
        return found

    def write(self) -> None:
        for name, (_before, content) in self.changes().items():
            path = Path(name)
            if not path.exists():
                self._new.append(path)
            elif not _previous(path).exists():
                os.link(path, _previous(path))
            disk.make_directories(path.parent)
            disk.replace(path, content.encode(), _MODE, (0, 0))

    def restore(self) -> None:
        for path in self._new:
            path.unlink(missing_ok=True)
        for path in self._contents:
            if _previous(path).exists():
                _previous(path).replace(path)

    def settle(self) -> None:
        for path in self._contents:
            _previous(path).unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


def _is_safe(path: Path) -> bool:
    if not path.exists():
        return False
    found = path.lstat()
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, _MODE)
