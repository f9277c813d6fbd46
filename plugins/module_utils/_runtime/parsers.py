# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy's answers as data. Pure functions; verified with 2.6 and 3.0."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_PROCESS = re.compile(r"(?P<pid>\d+)\s+(?P<type>master|worker)\s+(?P<reloads>\d+)(?:\s+\[failed: (?P<failed>\d+)\])?\s")


class Version(t.NamedTuple):
    """A version: the first two numbers decide the features, the third the bugs."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version as HAProxy writes it, for example 2.6.12-1+deb12u4 or 3.1-dev2."""
        found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
        if found is None:
            raise LbforgeError(f"Cannot read the version of HAProxy in {text!r}.")
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))

    def __str__(self) -> str:
        return ".".join(map(str, self))


@dataclass(frozen=True)
class Process:
    """A process, and how many reloads it has seen."""

    pid: int
    reloads: int


@dataclass(frozen=True)
class Processes:
    """The answer to ``show proc``: the family of a master."""

    master: Process
    failed: int  # failed reloads since the last good one
    workers: tuple[Process, ...]
    old_workers: tuple[Process, ...]

    @property
    def pids(self) -> set[int]:
        """The processes of all workers."""
        return {worker.pid for worker in (*self.workers, *self.old_workers)}

    @property
    def serving(self) -> Process | None:
        """The worker that takes new connections.

        After a failed reload some versions list the surviving worker among the old ones.
        """
        return min(self.workers or self.old_workers, key=lambda worker: worker.reloads, default=None)


@dataclass(frozen=True)
class ReloadAnswer:
    """The answer to ``reload``: None before 2.7, which does not report the result."""

    success: bool | None
    log: str


def parse_processes(text: str) -> Processes:
    """Read the answer to ``show proc``."""
    master: Process | None = None
    failed = 0
    groups: dict[str, list[Process]] = {"workers": [], "old workers": []}
    group = ""
    for line in text.splitlines():
        if line.startswith("# "):
            group = line[2:].strip()
        elif row := _PROCESS.match(line):
            process = Process(pid=int(row["pid"]), reloads=int(row["reloads"]))
            if row["type"] == "master":
                master, failed = process, int(row["failed"] or 0)
            else:
                groups.setdefault(group, []).append(process)
    if master is None:
        raise LbforgeError(f"HAProxy's answer to 'show proc' names no master: {text.strip()!r}.")
    return Processes(master, failed, tuple(groups["workers"]), tuple(groups["old workers"]))


def parse_info(text: str) -> Fields[str]:
    """Read the answer to ``show info``."""
    pairs = (line.partition(":") for line in text.splitlines())
    return Fields((key.strip(), value.strip()) for key, colon, value in pairs if colon)


def parse_reload(text: str) -> ReloadAnswer:
    """Read the answer to ``reload``."""
    status, _separator, log = text.partition("\n--\n")
    verdict = {"Success=1": True, "Success=0": False}.get(status.strip())
    return ReloadAnswer(verdict, log.strip() if verdict is not None else text.strip())
