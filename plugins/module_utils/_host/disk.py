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

#: The prefix of names of unfinished files and directories. HAProxy does not load such files from a directory.
NEW = ".new-"


def write(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Write a new file."""
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
    """A complete file beside another one, to be tried and then moved into place; leftovers are removed."""
    with _beside(path) as new:
        write(new, content, mode, owner)
        yield new


def replace(path: Path, content: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Move a file to a path, and replace a file or link there."""
    with staged(path, content, mode, owner) as new:
        new.replace(path)


def link(path: Path, target: str) -> None:
    """Create a symbolic link, and replace a file or link there."""
    with _beside(path) as new:
        new.symlink_to(target)
        new.replace(path)


def make_directories(directory: Path) -> None:
    """Create a directory and its missing parents, open to all whatever the umask is."""
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
    """Remove the leftovers of an interrupted run."""
    for path in directory.glob(f"{prefix}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file name to an error: on a full disk the error occurs on an open file, and lacks the name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An unused name in the same directory."""
    new = path.with_name(f"{NEW}{secrets.token_hex(8)}")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)
