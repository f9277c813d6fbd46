# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import lock

if t.TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import fcntl, sys
handle = open(sys.argv[1], "a")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "_DIRECTORY", tmp_path)
    return tmp_path


def holder(address: str) -> subprocess.Popen[bytes]:
    """Another process that has the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock.lock_file(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_lock_is_free_again_afterwards() -> None:
    for _round in range(2):
        with lock.locked("127.0.0.1:9999", 0):
            pass


def test_another_process_is_waited_for_and_then_named() -> None:
    other = holder("/run/a.sock")
    started = time.monotonic()
    with pytest.raises(lock.LockError, match=r"/run/a\.sock for more than 0\.2 s"), lock.locked("/run/a.sock", 0.2):
        raise AssertionError
    assert time.monotonic() - started >= 0.2
    other.kill()
    other.wait()
    with lock.locked("/run/a.sock", 1):
        pass


def test_sockets_do_not_share_a_lock() -> None:
    with lock.locked("/run/a.sock", 0), lock.locked("/run/b.sock", 0):
        pass


def test_two_names_of_one_socket_share_a_lock(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "socket")
    assert lock.lock_file(str(tmp_path / "link")) == lock.lock_file(str(tmp_path / "socket"))


def test_the_file_is_closed_to_others(directory: Path) -> None:
    with lock.locked("/run/a.sock", 0):
        (file,) = directory.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_link_in_its_place_is_not_followed(directory: Path) -> None:
    victim = directory / "victim"
    lock.lock_file("/run/a.sock").symlink_to(victim)
    with pytest.raises(lock.LockError, match="Cannot open the lock"), lock.locked("/run/a.sock", 0):
        raise AssertionError
    assert not victim.exists()


def test_a_directory_that_is_not_writable_is_not_used(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setattr(lock, "_DIRECTORY", directory / "missing")
    assert lock.lock_file("/run/a.sock").parent.is_dir()
