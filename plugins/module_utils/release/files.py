# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are either the old or the new ones, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NEW = ".new-"  # how directories with something unfinished begin


def sync(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _naming(directory):
            os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, content: bytes, mode: int, gid: int = -1) -> None:
    """Write a new file, closed to others from its first byte on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with _naming(path), os.fdopen(handle, "wb") as file:
        if gid != -1:
            os.fchown(handle, -1, gid)
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Put a file in the place of another, whole."""
    with _beside(path) as temporary:
        write(temporary, content, mode)
        temporary.replace(path)


def link(path: Path, target: str) -> None:
    """Put a symbolic link in the place of a file or another link."""
    with _beside(path) as temporary:
        temporary.symlink_to(target)
        temporary.replace(path)


def tidy(directory: Path, prefix: str = NEW) -> None:
    """Remove what an interrupted run left unfinished."""
    for path in directory.glob(f"{prefix}*"):
        shutil.rmtree(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file an error is about: a full disk shows when the file is open, and then the system names none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Name a temporary file in the same file system, and leave none behind."""
    with tempfile.TemporaryDirectory(prefix=NEW, dir=path.parent) as directory:
        yield Path(directory) / path.name
