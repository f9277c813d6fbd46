# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HAProxy of a rehearsal: a master and a worker in private namespaces, which nobody else can reach."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import typing as t
from functools import cached_property
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import start
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Hop
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.surroundings import NAMED
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import patterns
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, Session
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import parse_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row, parse_stats
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_PAUSE = 0.01
# Management Guide, section 9.3, "show sess" and "show table".
_SESSION = re.compile(r"fe=(\S+) be=(\S+) srv=(\S+)")
_USED_TABLE = re.compile(r"^# table: (\S+), .*used:[1-9]", re.MULTILINE)
# The kinds of object of "show stat".
_FRONTENDS, _BACKENDS, _SERVERS = 1, 2, 4
_PATIENCE = 10.0  # seconds for an answer
_NONE = re.compile("<none>", re.IGNORECASE)

# The configuration may have no socket of the level admin, or one with a short timeout, or a prefix for all paths of
# sockets. So a second file adds one, with an address and a port that no configuration uses.
_SOCKET = (str(NAMED[0]), 1)
_SETTINGS = "global\n    stats socket ipv4@{}:{} level admin\n    stats timeout 1d\n".format(*_SOCKET)


class PrivateHAProxy:
    """A HAProxy in the foreground, in these namespaces, and a session with its worker."""

    def __init__(self, binary: str, configuration: Path, home: Path, patience: float) -> None:
        """Start it, and return when it serves; an invalid configuration is an error. ``patience`` is in seconds."""
        settings, log = home / "rehearsal.cfg", home / "log"
        settings.write_text(_SETTINGS, encoding="ascii")
        with log.open("wb") as log_file:
            # With -db the word "daemon" in a configuration has no effect.
            process = start([binary, "-W", "-db", "-f", str(configuration), "-f", str(settings)], log_file)
        deadline = time.monotonic() + patience
        # Stand-ins ask from threads of their own.
        self._lock = threading.Lock()
        # It is open as long as this process lives.
        self._connection = contextlib.ExitStack()
        while (session := self._connected()) is None:
            if process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace").strip()
                raise LbforgeError(f"HAProxy does not start with this configuration:\n{said}")
            if time.monotonic() > deadline:
                raise LbforgeError(f"HAProxy did not serve within {patience:g} s.")
            time.sleep(_PAUSE)
        self._session: Session = session
        self._has_tables = bool(session.run("show table").strip())

    def tell(self, commands: t.Iterable[str]) -> None:
        """Send commands to the worker; a rejection is an error."""
        with self._lock:
            self._session.run_all(list(commands))

    def forget_counts(self) -> None:
        """Clear all counters."""
        with self._lock:
            self._session.run("clear counters all")

    def forget(self) -> None:
        """Clear all counters and stick tables."""
        self.forget_counts()
        if self._has_tables:
            with self._lock:
                used = _USED_TABLE.findall(self._session.run("show table"))
                self._session.run_all([f"clear table {name}" for name in used])

    def hops(self) -> tuple[Hop, ...]:
        """The places of all requests that are not answered yet."""
        with self._lock:
            found = _SESSION.findall(self._session.run("show sess"))
        hops = (Hop(*(_NONE.sub("", word) for word in words)) for words in found)
        return tuple(hop for hop in hops if hop.frontend not in ("GLOBAL", "MASTER"))

    def passed(self, proxies: t.Collection[str] | None) -> tuple[list[str], list[str]]:
        """The frontends and the backends that had requests since the counters were cleared.

        With thousands of proxies that takes a while, so only ``proxies`` are looked at, or all if they are not known.
        """
        columns = ("pxname", "type", "stot")
        if proxies is None:
            rows = self._statistics(_FRONTENDS | _BACKENDS, columns)
        else:
            numbers = [number for number, name in self._names.items() if name in proxies]
            rows = [row for number in numbers for row in self._statistics(_FRONTENDS | _BACKENDS, columns, number)]
        used = [row for row in rows if row["stot"]]
        frontends = [str(row["pxname"]) for row in used if row["type"] == "frontend"]
        return frontends, [str(row["pxname"]) for row in used if row["type"] == "backend"]

    def turns(self) -> dict[str, int]:
        """After how many requests each server of a backend has had its turn, where that is not left to chance."""
        return {
            # The weights of all that may be chosen, of which the servers of the same weight have one each.
            str(row["pxname"]): 1 if row["act"] == 1 else int(row["weight"] or 0)
            for row in self._statistics(_BACKENDS, ("pxname", "act", "weight", "algo"))
            # HAProxy calls "balance random" unknown.
            if row["algo"] not in ("random", "unknown")
        }

    def checked(self) -> list[str]:
        """The servers whose health check is in progress, with their pools."""
        with self._lock:
            servers = self._session.read("show servers state", parse_servers)
        return ["/".join(key) for key, server in servers.items() if server.check_running]

    def down(self) -> list[str]:
        """The servers that are not up, with their pools."""
        rows = self._statistics(_SERVERS, ("pxname", "svname", "status"))
        return [f"{row['pxname']}/{row['svname']}" for row in rows if str(row["status"]).startswith(("DOWN", "UP 1/"))]

    def patterns(self, path: str) -> tuple[str, dict[str, str]]:
        """The kind of a map or an ACL, and its entries; the patterns of an ACL have no value."""
        with self._lock:
            file = patterns.loaded(self._session.run("show map")).get(path)
            kind = file.kind if file else "acl"
            there = patterns.entries(self._session, kind, path)
        # Of several values of a key HAProxy takes the first one.
        return kind, dict((entry, "") if isinstance(entry, str) else entry for entry in reversed(there))

    @cached_property
    def _names(self) -> dict[int, str]:
        """The names of proxies by their numbers; a frontend and a backend may have the same name."""
        rows = self._statistics(_FRONTENDS | _BACKENDS, ("pxname", "iid"))
        return {int(row["iid"] or 0): str(row["pxname"]) for row in rows}

    def _statistics(self, kinds: int, columns: t.Collection[str], proxy: int = -1) -> list[Row]:
        """Rows of all proxies, or of one."""
        with self._lock:
            return self._session.read(f"show stat {proxy} {kinds} -1", lambda text: parse_stats(text, columns))

    def _connected(self) -> Session | None:
        """A session with the worker; None if HAProxy does not serve yet."""
        try:
            return self._connection.enter_context(RuntimeClient("{}:{}".format(*_SOCKET), _PATIENCE).session())
        except LbforgeError:
            return None
