# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are either the old or the new ones, whatever happens in between.

Each is closed to whom it is not for from its first byte on, and errors name the file also where the system does not. An
``owner`` is the numbers of a user and a group; -1 leaves one as it is.
"""

from __future__ import annotations

import os
import secrets
import shutil
import typing as t
from contextlib import contextmanager
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: How names of files and directories begin that are not whole yet. HAProxy does not load such a file from a directory.
NEW = ".new-"


def write(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Write a file that is not there yet."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with _naming(path), os.fdopen(handle, "wb") as file:
        if owner != (-1, -1):
            os.fchown(handle, *owner)
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)


@contextmanager
def staged(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> Iterator[Path]:
    """A whole file beside another one, to be tried and put in its place; what is left of it at the end goes."""
    with _beside(path) as new:
        write(new, content, mode, owner)
        yield new


def replace(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Put a file in the place of another, or of a link, or of nothing."""
    with staged(path, content, mode, owner) as new:
        new.replace(path)


def link(path: Path, target: str) -> None:
    """Put a symbolic link in the place of a file or another link."""
    with _beside(path) as new:
        new.symlink_to(target)
        new.replace(path)


def make_directories(directory: Path) -> None:
    """Make a directory and those above it that are missing, open to all whatever the umask is."""
    if directory.is_dir():
        return
    make_directories(directory.parent)
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)


def sync(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _naming(directory):
            os.fsync(handle)
    finally:
        os.close(handle)


def tidy(directory: Path, prefix: str = NEW) -> None:
    """Remove what an interrupted run left unfinished."""
    for path in directory.glob(f"{prefix}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file that an error is about: a full disk shows when the file is open, and then the system names none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the same directory that nobody has, and where nothing is left."""
    new = path.with_name(f"{NEW}{secrets.token_hex(8)}")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)
