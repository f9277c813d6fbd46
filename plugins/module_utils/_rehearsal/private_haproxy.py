# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HAProxy of a rehearsal: a master and a worker of its own, that nobody else can reach."""

from __future__ import annotations

import re
import socket
import time
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import start
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Hop
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_PAUSE = 0.01
# What fits into the buffer of a CLI of 16 KiB, the default of tune.bufsize.
_LONGEST = 8000
# Management Guide, section 9.3, "show sess".
_SESSION = re.compile(r"fe=(\S+) be=(\S+) srv=(\S+)")
# The kinds of object of "show stat", and how many columns of it are read: "status" is the eighteenth.
_FRONTENDS, _BACKENDS, _SERVERS = 1, 2, 4
_LAST_COLUMN = 18
_NONE = re.compile("<none>", re.IGNORECASE)


class PrivateHAProxy:
    """A HAProxy in the foreground, in these namespaces."""

    def __init__(self, binary: str, configuration: Path, home: Path, patience: float) -> None:
        """Start it, and come back when it serves; what it refuses is an error. ``patience`` is in seconds."""
        self._socket, log = home / "master", home / "log"
        with log.open("wb") as log_file:
            # With -db the word "daemon" in a configuration has no effect.
            self._process = start([binary, "-W", "-db", "-S", str(self._socket), "-f", str(configuration)], log_file)
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
        return self._asked(";".join(f"@1 {command}" for command in commands))

    def hops(self) -> tuple[Hop, ...]:
        """Where requests are that are not answered yet."""
        found = _SESSION.findall(self.ask("show sess"))
        hops = (Hop(*(_NONE.sub("", word) for word in words)) for words in found)
        return tuple(hop for hop in hops if hop.frontend not in ("GLOBAL", "MASTER"))

    def passed(self) -> tuple[list[str], list[str]]:
        """The frontends and the backends that have had requests since the counters were cleared."""
        used = [row for row in self._statistics(_FRONTENDS | _BACKENDS) if row["stot"] not in ("", "0")]
        frontends = [row["pxname"] for row in used if row["svname"] == "FRONTEND"]
        return frontends, [row["pxname"] for row in used if row["svname"] == "BACKEND"]

    def down(self) -> list[str]:
        """The servers that are not up, with their pools."""
        rows = self._statistics(_SERVERS)
        return [f"{row['pxname']}/{row['svname']}" for row in rows if row["status"].startswith(("DOWN", "UP 1/"))]

    def _statistics(self, kinds: int) -> list[dict[str, str]]:
        """The rows of statistics of some kinds of object: Management Guide, section 9.1."""
        head, *rows = [line for line in self.ask(f"show stat -1 {kinds} -1").splitlines() if line]
        columns = head.lstrip("# ").split(",")
        # No value of these columns holds a comma.
        return [dict(zip(columns, row.split(",", _LAST_COLUMN))) for row in rows]

    def _do(self, commands: t.Sequence[str]) -> None:
        said = self.ask(*commands).strip()
        if said:
            raise LbforgeError(f"HAProxy refuses one of {'; '.join(commands)[:200]}: {said}")

    def _serves(self) -> bool:
        try:
            return "Pid: " in self.ask("show info")
        except OSError:
            return False

    def _asked(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(str(self._socket))
            connection.sendall(line.encode() + b"\n")
            # The master of 2.6 keeps the connection open else.
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")
