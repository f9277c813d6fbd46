# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a running keepalived write down its state, and read that."""

from __future__ import annotations

import os
import signal
import stat
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import answer_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import NoState
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.state import Instance, from_data, from_json, version

_POLL = 0.02
_MOST = 64 * 1024 * 1024

Parser = t.Callable[[str], "tuple[Instance, ...]"]


@dataclass(frozen=True)
class Dump:
    """The files that keepalived writes when a signal asks for them."""

    daemon: Keepalived

    def instances(self, pid: int) -> tuple[Instance, ...]:
        """The daemon's report on its instances, in JSON if it was built with that."""
        rc, out, _err = self.daemon.run([self.daemon.binary, "--signum=JSON"])
        if rc == 0 and out.strip().isdigit():
            return self._ask(pid, int(out), "keepalived.json", from_json)
        return self._ask(pid, signal.SIGUSR1, "keepalived.data", from_data)

    def _ask(self, pid: int, number: int, name: str, parse: Parser) -> tuple[Instance, ...]:
        """Wait for a new and complete file: keepalived replaces the old one and writes in pieces."""
        path = self._directory(pid) / name
        before = _identity(path)
        os.kill(pid, number)
        deadline = time.monotonic() + self.daemon.timeout
        while time.monotonic() < deadline:
            time.sleep(_POLL)
            if _identity(path) != before and (text := _read(path)):
                try:
                    with answer_of(self._name, f"signal {number} ({path.name})"):
                        return parse(text)
                except ValueError:
                    continue
        raise NoState(
            f"keepalived (process {pid}) did not write {path} within {self.daemon.timeout:g} s of the signal {number}."
            " It has nothing to write if it has no VRRP instances."
        )

    def _name(self) -> str:
        """The installed keepalived, of which the running one may be a predecessor."""
        _rc, out, err = self.daemon.run([self.daemon.binary, "--version"])
        return f"keepalived {version(out + err) or ''}".rstrip()

    @staticmethod
    def _directory(pid: int) -> Path:
        """Where the daemon sees its temporary directory, which is another one with PrivateTmp."""
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        named = [line[7:] for line in environment if line.startswith(b"TMPDIR=/")]
        return Path(f"/proc/{pid}/root") / (os.fsdecode(named[-1]).lstrip("/") if named else "tmp")


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _read(path: Path) -> str:
    """The text of a file of root's; empty if another user may have replaced it."""
    try:
        # Without O_NONBLOCK a named pipe would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            return ""
        return file.read(_MOST).decode("utf-8", errors="replace")
