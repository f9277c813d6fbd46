# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HAProxy of a rehearsal: a master and a worker of its own, that nobody else can reach."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import start
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import answer_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Hop
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, SocketRefusedError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row, parse_stats
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_PAUSE = 0.01
# What fits into the buffer of a CLI of 16 KiB, the default of tune.bufsize.
_LONGEST = 8000
# Management Guide, section 9.3, "show sess".
_SESSION = re.compile(r"fe=(\S+) be=(\S+) srv=(\S+)")
# The kinds of object of "show stat".
_FRONTENDS, _BACKENDS, _SERVERS = 1, 2, 4
_PATIENCE = 10.0  # seconds for an answer
_NONE = re.compile("<none>", re.IGNORECASE)


class PrivateHAProxy:
    """A HAProxy in the foreground, in these namespaces."""

    def __init__(self, binary: str, configuration: Path, home: Path, patience: float) -> None:
        """Start it, and come back when it serves; what it refuses is an error. ``patience`` is in seconds."""
        master, log = home / "master", home / "log"
        self._master = RuntimeClient(master, _PATIENCE)
        with log.open("wb") as log_file:
            # With -db the word "daemon" in a configuration has no effect.
            self._process = start([binary, "-W", "-db", "-S", str(master), "-f", str(configuration)], log_file)
        deadline = time.monotonic() + patience
        while not self._serves():
            if self._process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace").strip()
                raise LbforgeError(f"HAProxy does not start with this configuration:\n{said}")
            if time.monotonic() > deadline:
                raise LbforgeError(f"HAProxy did not serve within {patience:g} s.")
            time.sleep(_PAUSE)

    def tell(self, commands: t.Iterable[str]) -> None:
        """Let the worker do something; what it answers is an error."""
        batch: list[str] = []
        for command in commands:
            batch.append(command)
            if sum(map(len, batch)) + 6 * len(batch) > _LONGEST:
                self._do(batch)
                batch = []
        if batch:
            self._do(batch)

    def ask(self, *commands: str) -> str:
        """What the worker answers."""
        return self._master.ask(";".join(f"@1 {command}" for command in commands))

    def hops(self) -> tuple[Hop, ...]:
        """Where requests are that are not answered yet."""
        found = _SESSION.findall(self.ask("show sess"))
        hops = (Hop(*(_NONE.sub("", word) for word in words)) for words in found)
        return tuple(hop for hop in hops if hop.frontend not in ("GLOBAL", "MASTER"))

    def passed(self) -> tuple[list[str], list[str]]:
        """The frontends and the backends that have had requests since the counters were cleared."""
        used = [row for row in self._statistics(_FRONTENDS | _BACKENDS) if row["stot"]]
        frontends = [str(row["pxname"]) for row in used if row["type"] == "frontend"]
        return frontends, [str(row["pxname"]) for row in used if row["type"] == "backend"]

    def turns(self) -> dict[str, int]:
        """After how many requests each server of a backend has had its turn, where that is not left to chance."""
        return {
            # The weights of all that may be chosen, of which the servers of the same weight have one each.
            str(row["pxname"]): 1 if row["act"] == 1 else int(row["weight"] or 0)
            for row in self._statistics(_BACKENDS)
            if row["algo"] != "random"
        }

    def down(self) -> list[str]:
        """The servers that are not up, with their pools."""
        rows = self._statistics(_SERVERS)
        return [f"{row['pxname']}/{row['svname']}" for row in rows if str(row["status"]).startswith(("DOWN", "UP 1/"))]

    def _statistics(self, kinds: int) -> list[Row]:
        command = f"show stat -1 {kinds} -1"
        with answer_of(lambda: "the private HAProxy", command):
            return parse_stats(self.ask(command))

    def _do(self, commands: t.Sequence[str]) -> None:
        said = self.ask(*commands).strip()
        if said:
            raise LbforgeError(f"HAProxy refuses one of {'; '.join(commands)[:200]}: {said}")

    def _serves(self) -> bool:
        try:
            return "Pid: " in self.ask("show info")
        except SocketRefusedError:
            return False
