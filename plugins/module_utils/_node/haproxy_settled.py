# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rank this node behind the others until its HAProxy has settled. The unit haproxy-settled runs it:

    haproxy_settled.py SOCKET SECONDS [CONFIG [TRACK_FILE]]

keepalived reads TRACK_FILE: 0 is settled, 1 lowers the priority of the node. It becomes 1 when HAProxy starts, which
the unit of HAProxy writes, and when a link to servers is lost; and 0 again once every server that HAProxy checks is up.
That takes SECONDS at most: a server that is down for all must not keep the node back. A HAProxy that starts, or a link
that comes back, for the third time within SECONDS has to last for SECONDS first.

A reload is not a start, and a server that fails later moves nothing: HAProxy watches the servers, keepalived HAProxy.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import parse_stats
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, parse
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

CONFIG = "/etc/keepalived/keepalived.conf"
TRACK_FILE = "/run/keepalived-track/haproxy-settled"
LINKS = Path("/sys/class/net")
# Returns within the settle time that count as flapping.
FLAPS = 3
PERIOD = 0.25
PATIENCE = 2.0  # seconds for an answer of HAProxy


@dataclasses.dataclass
class Settling:
    """The events by a monotonic clock, and whether HAProxy has settled."""

    seconds: float
    returns: list[float] = dataclasses.field(default_factory=list)
    is_cut_off: bool = False
    is_settled: bool = True

    def returned(self, now: float) -> None:
        """Record that HAProxy started or a link came back."""
        self.returns = [at for at in self.returns if now - at < self.seconds] + [now]
        self.is_settled = False

    def link(self, is_up: bool, now: float) -> None:
        """Record the state of the links to servers."""
        if is_up and self.is_cut_off:
            self.returned(now)
        self.is_cut_off = not is_up
        self.is_settled = self.is_settled and is_up

    def judge(self, now: float, are_servers_up: t.Callable[[], bool]) -> None:
        """Whether HAProxy has settled by now; servers are queried only until then."""
        if self.is_settled or self.is_cut_off:
            return
        since = self.returns[-1] if self.returns else now - self.seconds
        is_flapping = len(self.returns) >= FLAPS
        self.is_settled = now - since >= self.seconds or (not is_flapping and are_servers_up())


def are_up(stats: str) -> bool:
    """Whether `show stat` (management guide, 9.1) has every checked server up, and not only by default."""
    for server in parse_stats(stats):
        status, check = str(server["status"] or ""), str(server["check_status"] or "").lstrip("* ")
        # A server in maintenance is there on purpose, and HAProxy does not check it.
        if not status.startswith("MAINT") and (status.startswith("DOWN") or check in ("INI", "UNK")):
            return False
    return True


def ask(path: str) -> bool:
    """Ask HAProxy for its servers; without an answer or these columns, nothing is checked yet."""
    try:
        answer = RuntimeClient(path, PATIENCE).ask("show stat -1 4 -1")
        return answer.startswith("# ") and are_up(answer)
    except LbforgeError:
        return False


def server_links(statements: t.Iterable[Statement]) -> set[str]:
    """The interfaces to servers in the instances of a configuration.

    An instance lists them if they differ from its own. If none does, the servers are behind the instances' own.
    """
    instances = [statement for statement in statements if statement.keyword in ("vrrp_instance", "vrrp_sync_group")]
    named = {entry.keyword for instance in instances for entry in instance.entries("track_interface")}
    return named or {instance.value("interface") for instance in instances} - {""}


def is_up(link: str) -> bool:
    """Whether the interface has a carrier; False if it is set down, None if it does not exist."""
    try:
        return (LINKS / link / "carrier").read_text(encoding="ascii").strip() == "1"
    except FileNotFoundError:
        return True
    except OSError:
        return False


@dataclasses.dataclass
class File:
    """A file that other programs also change."""

    path: Path
    seen: int = 0

    def is_as_seen(self) -> bool:
        return self._stamp() == self.seen

    def has_changed(self) -> bool:
        """Whether another program has written it since the last call."""
        before, self.seen = self.seen, self._stamp()
        return self.seen != before

    def read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="ascii")
        self.seen = self._stamp()

    def _stamp(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0


def main(path: str, seconds: str, config: str = CONFIG, track_file: str = TRACK_FILE) -> None:
    settling = Settling(float(seconds))
    configuration, track = File(Path(config)), File(Path(track_file))
    links: set[str] = set()
    while True:
        now = time.monotonic()
        if configuration.has_changed():
            links = server_links(parse(configuration.read()))
        # An empty file is a 1 that is just being written.
        if track.has_changed() and track.read().strip() != "0":
            settling.returned(now)
        settling.link(all(map(is_up, links)), now)
        settling.judge(now, lambda: ask(path))
        wanted = "0\n" if settling.is_settled else "1\n"
        if track.read() != wanted and track.is_as_seen():
            track.write(wanted)
        time.sleep(PERIOD)
