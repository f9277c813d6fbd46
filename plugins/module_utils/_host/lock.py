# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer at a time, for the HAProxy behind a socket and for the files of a directory.

HAProxy has a single transaction for certificates, and it belongs to nobody. Whoever needs both locks takes those of
directories first.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
import typing as t
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = Path("/run/lock")
_PAUSE = 0.05


class LockError(LbforgeError):
    """Another process holds the lock, or its path is not a file."""


def locked(address: str, timeout: float) -> t.ContextManager[None]:
    """Lock the HAProxy behind a stats socket against other runs of this collection; wait up to ``timeout`` seconds."""
    return _held(lock_file(address), timeout, f"HAProxy on {address}")


@contextmanager
def locked_directories(directories: t.Iterable[Path], timeout: float) -> Iterator[None]:
    """Lock directories against other runs of this collection, whether they exist yet or not."""
    files = {lock_file(str(directory.absolute())): directory for directory in directories}
    with ExitStack() as locks:
        for path in sorted(files):  # always in one order, so that no two runs wait for each other
            locks.enter_context(_held(path, timeout, str(files[path])))
        yield


@contextmanager
def _held(path: Path, timeout: float, subject: str) -> Iterator[None]:
    """Hold a lock. The file stays: removing it would let two holders in."""
    handle = _opened(path)
    try:
        acquire(handle, path, timeout, subject)
        yield
    finally:
        os.close(handle)


def acquire(handle: int, path: Path, timeout: float, subject: str) -> None:
    """Lock an open file or directory until it is closed, which the system does when its holder dies."""
    deadline = time.monotonic() + timeout
    while not _acquired(handle):
        if time.monotonic() >= deadline:
            raise LockError(
                f"Another run has been changing {subject} for more than {timeout:g} s (it holds {path})."
                " Wait for it or stop it, then run again."
            )
        time.sleep(_PAUSE)


def lock_file(address: str) -> Path:
    """The file of the lock of a socket or directory. Two names of one have one lock."""
    name = os.path.realpath(address) if address.startswith("/") else address
    directory = _DIRECTORY if os.access(_DIRECTORY, os.W_OK) else Path(tempfile.gettempdir())
    return directory / f"lbforge-haproxy-{zlib.crc32(name.encode()):08x}.lock"


def _opened(path: Path) -> int:
    # These directories are world-writable: nothing is followed, truncated or written.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            handle = os.open(path, flags)
    except OSError as error:
        raise LockError(f"Cannot open the lock {path}: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise LockError(f"Cannot use {path} as a lock: it is not a file. Remove it.")
    return handle


def _acquired(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
