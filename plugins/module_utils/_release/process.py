# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HAProxy of a host: its master, its service, and its worker."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import answer_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._release import open_files
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.traffic import Sample
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import PAUSE, RuntimeClient, SocketError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import (
    Processes,
    parse_info,
    parse_processes,
    parse_reload,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import Key, ServerState, parse_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import parse_stats
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

Answer = t.TypeVar("Answer")

RELOAD_PAUSE = 3.0  # seconds during which the sockets of a reloading HAProxy may refuse


class ProofError(LbforgeError):
    """HAProxy does not run the wanted release. ``log`` holds its messages, ``loaded`` whether it tried."""

    def __init__(self, message: str, *, log: str = "", loaded: bool = False) -> None:
        super().__init__(message)
        self.log = log
        self.loaded = loaded


class WorkerError(SocketError):
    """The worker hangs; the master does not."""


@dataclass(frozen=True)
class Worker:
    """The worker that accepts new connections, and the description of the release it was started with."""

    pid: int
    description: str
    uptime: int = 0  # seconds


class Service:
    """The unit of systemd that runs HAProxy."""

    def __init__(self, name: str) -> None:
        self.name = name

    def is_active(self) -> bool:
        """True when HAProxy runs; a unit that systemd restarts again and again does not."""
        return run(["systemctl", "is-active", self.name]).stdout.strip() in ("active", "reloading")

    def open_files(self) -> int | None:
        """The number of files that HAProxy may open after a start; None if unknown."""
        shown = run(["systemctl", "show", "--property=LimitNOFILE", "--value", self.name])
        return open_files.allowed_to_unit(shown.stdout.strip())

    def start(self) -> None:
        """Start it, and reset earlier failures."""
        run(["systemctl", "reset-failed", self.name])
        since = time.time()
        started = run(["systemctl", "start", self.name])
        if started.code != 0:
            raise ProofError(f"The service {self.name} does not start.", log=self.log(since) or started.stderr)

    def log(self, since: float) -> str:
        """What HAProxy wrote to the journal."""
        run(["journalctl", "--sync"])
        what = ["--quiet", "--no-pager", "--output=cat", f"--unit={self.name}", f"--since=@{since:.6f}"]
        return run(["journalctl", *what]).stdout


class HAProxy:
    """Starts and reloads HAProxy, and relies only on the running worker's answers."""

    def __init__(self, master: RuntimeClient, service: Service, timeout: float) -> None:
        self._master = master
        self._service = service
        self._timeout = timeout

    def worker(self) -> Worker | None:
        """The running worker; None when HAProxy does not run."""
        try:
            return self._worker()
        except SocketError:
            if not self._service.is_active():
                return None
        try:
            return self._worker(patience=RELOAD_PAUSE)
        except WorkerError:
            raise
        except SocketError as error:
            raise LbforgeError(
                f"The service {self._service.name} runs, but: {error} Only the master process can reload HAProxy and"
                f" confirm it: start HAProxy with '-W -S {self._master.address}', as Debian's unit does."
            ) from error

    def state(self) -> str:
        """A sentence on whether HAProxy serves now, for the end of an error."""
        try:
            worker = self.worker()
        except LbforgeError:
            return f"The service {self._service.name} runs, but its master does not answer."
        return f"HAProxy keeps serving (worker {worker.pid})." if worker else "HAProxy does not run."

    def start(self, description: str | None) -> Worker:
        """Start the service and wait for a worker with this description; None accepts any."""
        self._service.start()
        since = time.time()
        for _attempt in self._until_timeout():
            if worker := _unless_silent(self._worker):
                return self._proved(worker, description)
        raise ProofError(
            f"The service {self._service.name} was started, but HAProxy does not answer on {self._master.address} after"
            f" {self._timeout:g} s.",
            log=self._service.log(since),
        )

    def reload(self, description: str | None) -> Worker:
        """Reload and wait for a new worker with this description; None accepts any."""
        before = self._processes(patience=RELOAD_PAUSE)
        since = time.time()
        try:
            answer = parse_reload(self._master.ask("reload"))
        except SocketError:
            answer = parse_reload("")  # closed by the reload itself: the list of processes decides
        if answer.success is False:
            raise ProofError("HAProxy rejected the reload.", log=answer.log)
        for _attempt in self._until_timeout():
            now = _unless_silent(self._processes)
            if now is None or now.master == before.master:
                continue
            if now.failed:
                raise ProofError("HAProxy rejected the reload.", log=self._service.log(since))
            worker = _unless_silent(self._worker)
            if worker and worker.pid not in before.pids:
                return self._proved(worker, description)
        raise ProofError(
            f"HAProxy was reloaded, but shows no new worker after {self._timeout:g} s.",
            log=self._service.log(since),
            loaded=True,
        )

    def servers(self, worker: Worker) -> dict[Key, ServerState]:
        """The servers of this worker."""
        command = "show servers state"
        with answer_of(lambda: "HAProxy", command):
            return parse_servers(self._master.ask(f"@!{worker.pid} {command}", patience=RELOAD_PAUSE))

    def sample(self) -> Sample:
        """The counters of the running worker, now."""
        worker = self.worker()
        if worker is None:
            raise LbforgeError("HAProxy does not run.")
        command = "show stat -1 7 -1"  # frontends, backends and servers
        with answer_of(lambda: "HAProxy", command):
            rows = parse_stats(self._master.ask(f"@!{worker.pid} {command}", patience=RELOAD_PAUSE))
            return Sample.of(worker.pid, time.monotonic(), worker.uptime, rows)

    def _proved(self, worker: Worker, description: str | None) -> Worker:
        if description in (None, worker.description):
            return worker
        raise ProofError(
            f"HAProxy came up, but its worker {worker.pid} reports release '{worker.description}', not"
            f" '{description}'. Check that the service {self._service.name} reads the new configuration.",
            loaded=True,
        )

    @property
    def pids(self) -> set[int]:
        """All processes of HAProxy; none when it does not run."""
        try:
            processes = self._processes()
        except SocketError:
            return set()
        return {processes.master.pid, *processes.pids}

    def open_files(self) -> int | None:
        """The number of files that it may open, now or after its start; None if unknown."""
        try:
            return open_files.allowed(self._processes().master.pid)
        except SocketError:
            return self._service.open_files()

    def _worker(self, patience: float = 0.0) -> Worker:
        serving = self._processes(patience).serving
        if serving is None:
            raise SocketError(f"The master on {self._master.address} has no worker.")
        try:
            info = parse_info(self._master.ask(f"@!{serving.pid} show info", patience=patience))
        except SocketError as error:
            raise WorkerError(f"HAProxy's master answers, but its worker {serving.pid} does not: {error}") from error
        if info.get("Pid") != str(serving.pid):
            raise SocketError(f"The worker {serving.pid} does not answer through {self._master.address}.")
        return Worker(serving.pid, info.get("description", ""), int(info.get("Uptime_sec", 0)))

    def _processes(self, patience: float = 0.0) -> Processes:
        return parse_processes(self._master.ask("show proc", patience=patience))

    def _until_timeout(self) -> t.Iterator[None]:
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            yield
            time.sleep(PAUSE)


def _unless_silent(ask: t.Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except SocketError:
        return None
