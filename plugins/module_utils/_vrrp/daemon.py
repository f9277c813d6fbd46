# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keepalived of this host: its check, its processes, its reload."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import ChangeFailed, CheckRefused
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.masking import masked

Run = t.Callable[[list[str]], tuple[int, str, str]]

# A child that fails on its configuration exits within a few hundredths of a second.
_SETTLE = 0.5
# Without a reload_file nothing shows when the daemon has read the text, so allow for a slow machine.
_SETTLE_UNANNOUNCED = 2.0
_POLL = 0.02

_LINE = re.compile(r"^\((?:.*: )?Line (?P<number>\d+)\) (?P<message>.*)$")
_ANNOUNCED = re.compile(r"^\s*(reload_file|reload_check_config)\s+\"?(/[^\s\"]+)", re.MULTILINE)
# The blocks for which keepalived has working processes.
_WORK = re.compile(r"^\s*(vrrp_instance|virtual_server)\s", re.MULTILINE)

# keepalived does not give its reason; these are its criteria. From 2.3 on /bin/ping fails where /bin is a link.
_INSECURE_HINT = (
    " (every part of the script's path must belong to root, be writable by root alone and not be a symbolic link: use"
    " /usr/bin, not /bin)"
)

_MEANING = {
    4: "keepalived cannot run with the configuration",
    5: "keepalived found errors in the configuration",
    6: "keepalived would not run the scripts, because users other than root can change them",
}


@dataclass(frozen=True)
class Keepalived:
    """One keepalived: the program, the unit that starts it, and the file that holds its process id."""

    binary: str
    service: str
    pid_file: Path
    run: Run
    timeout: float

    @property
    def installed(self) -> bool:
        return shutil.which(self.binary) is not None

    def check(self, staged: Path, path: Path) -> list[str]:
        """What ``keepalived -t`` remarks on an acceptable file; ``path`` is the name users know it by."""
        rc, out, err = self.run([self.binary, "-t", "-f", str(staged)])
        remarks = explain((out + err).splitlines(), staged.read_text(encoding="utf-8"))
        if rc:
            meaning = _MEANING.get(rc, f"keepalived -t ended with return code {rc}")
            raise CheckRefused(
                f"{path} was not changed: {meaning}: {'; '.join(remarks) or 'without a reason'}.", rc=rc, lines=remarks
            )
        return remarks

    def pid(self) -> int | None:
        """The process id of the running daemon, if there is one."""
        try:
            pid = int(self.pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        # After a crash the number may belong to another process, or to a zombie.
        process = _process(pid)
        return pid if process and process.name.startswith("keepalived") else None

    def start(self, text: str) -> None:
        """Start the daemon, which reads ``text``, and prove that it stays."""
        # A unit that failed too often does not start before a reset.
        self.run(["systemctl", "reset-failed", self.service])
        rc, out, err = self.run(["systemctl", "start", self.service])
        if rc:
            _rc, status, _err = self.run(["systemctl", "status", "--no-pager", "--lines=20", self.service])
            raise ChangeFailed(
                f"systemctl start {self.service} failed: {(err or out).strip()}", lines=status.splitlines()
            )
        time.sleep(_SETTLE)
        pid = self.pid()
        if pid is None:
            raise ChangeFailed(f"{self.service} was started, but {self.pid_file} names no running process.", lines=[])
        if _WORK.search(text) and not _children(pid):
            raise ChangeFailed(f"{self.service} was started, but its working process ended at once.", lines=[])

    def reload(self, pid: int, running_text: str, remarks: t.Sequence[str] = ()) -> None:
        """Make the daemon read its file, and prove that it did and still runs.

        The proof rests on what the running text asked for: keepalived removes its ``reload_file`` once it has read
        the new text, and writes into the log of ``reload_check_config`` why it keeps the old one. ``remarks`` are what
        the check of the same text said, which are no reasons.
        """
        announced = dict(_ANNOUNCED.findall(running_text))
        before = _children(pid)
        marker = Path(announced["reload_file"]) if "reload_file" in announced else None
        if marker:
            marker.write_text("requested\n", encoding="ascii")
        os.kill(pid, signal.SIGHUP)
        if marker and not self._wait(lambda: not marker.exists()):
            marker.unlink(missing_ok=True)
            raise ChangeFailed(
                f"keepalived (process {pid}) did not read its configuration within {self.timeout:g} s.", lines=[]
            )
        time.sleep(_SETTLE if marker else _SETTLE_UNANNOUNCED)
        if "reload_check_config" in announced:
            refusal = _read_lines(Path(announced["reload_check_config"]))
            reasons = [line for line in refusal if _message(line) not in {_message(remark) for remark in remarks}]
            if reasons:
                raise ChangeFailed(f"keepalived rejected the reload: {'; '.join(reasons)}.", lines=reasons)
        if self.pid() != pid:
            raise ChangeFailed(f"keepalived (process {pid}) ended during the reload.", lines=[])
        after = _children(pid)
        if before and before - after and (after - before or not after):
            raise ChangeFailed(f"A working process of keepalived (process {pid}) ended during the reload.", lines=[])

    def _wait(self, condition: t.Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(_POLL)
        return condition()


def explain(lines: t.Sequence[str], text: str) -> list[str]:
    """keepalived's remarks, with the line of ``text`` that each is about."""
    source = masked(text).splitlines()
    explained = []
    for line in (line.strip() for line in lines):
        found = _LINE.match(line)
        if found:
            number = int(found["number"])
            quoted = source[number - 1].strip() if 0 < number <= len(source) else ""
            line = f"line {number} ({quoted}): {found['message']}"
        if line:
            explained.append(line + _INSECURE_HINT if line.endswith("due to insecure") else line)
    # Each of its processes reads the text and repeats the message.
    return [*dict.fromkeys(explained)]


def _message(line: str) -> str:
    """A remark without the place it is about, which the two sides write differently."""
    found = _LINE.match(line)
    return found["message"] if found else re.sub(r"^line \d+ \(.*\): ", "", line.replace(_INSECURE_HINT, ""))


def _read_lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return []


class _Process(t.NamedTuple):
    name: str
    parent: int


def _process(pid: int) -> _Process | None:
    """A living process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # "PID (NAME) STATE PARENT …", where the name may hold blanks and brackets.
    head, _bracket, tail = stat.rpartition(")")
    state, parent = tail.split()[:2]
    return None if state in ("Z", "X") else _Process(head.partition("(")[2], int(parent))


def _children(pid: int) -> frozenset[int]:
    """The direct children of a process: keepalived's VRRP and checker processes."""
    living = ((int(path.name), _process(int(path.name))) for path in Path("/proc").glob("[0-9]*"))
    return frozenset(number for number, process in living if process and process.parent == pid)
