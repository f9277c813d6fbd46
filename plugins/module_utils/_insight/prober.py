# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probe addresses repeatedly over new connections, as clients do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.outages import Probe
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import ProbeRefused
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

_READING = 0.1
_HURRY = -10


@dataclass(frozen=True)
class Target:
    """An address to connect to; with a path, also a request whose answer counts."""

    address: str
    port: int
    path: str = ""
    host: str = ""

    def mistakes(self) -> list[Problem]:
        """The mistakes in the request."""
        found = []
        if not 0 < self.port < 65536:
            found.append(Problem("port", shown(self.port), f"port {self.port} is out of range; use 1 to 65535"))
        if self.path and not self.path.startswith("/"):
            found.append(Problem("path", shown(self.path), f"path {self.path!r} must begin with a slash"))
        for name, value in (("path", self.path), ("host", self.host)):
            if not value.isprintable() or " " in value:
                why = f"{name} {value!r} must not contain blanks or control characters"
                found.append(Problem(name, shown(value), why))
        return found

    @property
    def request(self) -> bytes:
        bracketed = f"[{self.address}]" if ":" in self.address else self.address
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host or bracketed}\r\nConnection: close\r\n\r\n".encode()


@dataclass
class Prober:
    """Probes all targets every ``interval`` seconds, for ``duration`` seconds or as long as ``running_file`` exists."""

    targets: t.Sequence[Target]
    interval: float
    timeout: float
    duration: float
    running_file: Path | None = None

    probes: list[list[Probe]] = field(default_factory=list)
    lag: float = 0.0
    """How late the prober itself was: figures from a machine out of breath say nothing about an address."""

    def run(self) -> float:
        """Probe until the end, and return its time."""
        self.probes = [[] for _target in self.targets]
        # A prober that waits for CPU time would blame the address.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _HURRY)
        with self._announced():
            asyncio.run(self._probe_all())
        return time.time()

    @contextlib.contextmanager
    def _announced(self) -> t.Iterator[None]:
        """Create the file that shows that the prober runs; removing it ends the prober."""
        if not self.running_file:
            yield
            return
        try:
            self.running_file.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            raise ProbeRefused(
                f"{self.running_file} cannot be created ({error.strerror}), so nothing would show that the prober runs."
                " Use a file that does not exist yet, in an existing directory."
            ) from error
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                self.running_file.unlink()

    async def _probe_all(self) -> None:
        running: set[asyncio.Task[None]] = set()
        clock = asyncio.get_running_loop().time
        begin = due = clock()
        looked = begin
        while due < begin + self.duration:
            await asyncio.sleep(max(0.0, due - clock()))
            self.lag = max(self.lag, clock() - due)
            for number, target in enumerate(self.targets):
                task = asyncio.create_task(self._ask(target, self.probes[number]))
                running.add(task)
                task.add_done_callback(running.discard)
            due = max(due + self.interval, clock())
            if self.running_file and clock() - looked >= _READING:
                looked = clock()
                if not self.running_file.exists():
                    break
        if running:
            await asyncio.wait(running)

    async def _ask(self, target: Target, probes: list[Probe]) -> None:
        sent = time.time()
        answered = False
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            answered = await asyncio.wait_for(_answers(target), self.timeout)
        probes.append(Probe(sent, answered))


async def _answers(target: Target) -> bool:
    """Whether a connection is accepted and, for HTTP, answered without a server error."""
    reader, writer = await asyncio.open_connection(target.address, target.port)
    try:
        if not target.path:
            return True
        writer.write(target.request)
        words = (await reader.readline()).split()
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] in (b"1", b"2", b"3", b"4")
    finally:
        # An orderly close would wait for the other side.
        t.cast("asyncio.Transport", writer.transport).abort()
