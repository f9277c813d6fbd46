# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held which address when: what the kernel of every node says of itself, seen from outside the node.

A process in the network namespace of a node, yet not in its container, hears of every address that comes or goes at the
moment it happens, also while the node is frozen.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import threading
import time
import typing as t

LINE = re.compile(r"^\[(\S+)\] (Deleted )?\d+: \S+ +inet6? ([^/\s]+)")
HELD = re.compile(r" inet6? ([^/\s]+)")

Span = tuple[float, float]
Step = tuple[float, frozenset[str]]


def steps(changes: t.Iterable[tuple[float, str, bool]]) -> list[Step]:
    """From "at this time this node began or ceased to hold it" to who held it from which time on."""
    holders: frozenset[str] = frozenset()
    found: list[Step] = []
    for at, node, holds in sorted(changes, key=lambda change: change[0]):
        now = holders | {node} if holds else holders - {node}
        if now != holders:
            found.append((at, now))
        holders = now
    return found


def spans(history: list[Step], holds: t.Callable[[frozenset[str]], bool], since: float, until: float) -> list[Span]:
    """The times between these two in which this was so of the holders."""
    found: list[Span] = []
    edges = [(0.0, frozenset[str]()), *history, (until, frozenset[str]())]
    for (start, holders), (end, _next) in zip(edges, edges[1:], strict=False):
        start, end = max(start, since), min(end, until)
        if start >= end or not holds(holders):
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def longest(found: list[Span]) -> float:
    return max((end - start for start, end in found), default=0.0)


class Watcher:
    """Listens at nodes; a node that is dead or frozen holds nothing, whatever its kernel says."""

    def __init__(self, addresses: t.Iterable[str]) -> None:
        self.addresses = set(addresses)
        self._changes: dict[tuple[str, str], list[tuple[float, bool]]] = {}
        self._lives: dict[str, list[tuple[float, bool]]] = {}
        self._listening: dict[str, subprocess.Popen[str]] = {}

    def attach(self, node: str, pid: int) -> None:
        """Listen at a node that has just been started, or is met for the first time."""
        inside = ["nice", "--adjustment=-10", "nsenter", f"--target={pid}", "--net", "ip", "-oneline"]
        monitor = subprocess.Popen([*inside, "-tshort", "monitor", "address"], stdout=subprocess.PIPE, text=True)
        self._listening[node] = monitor
        threading.Thread(target=self._listen, args=(node, monitor), daemon=True).start()
        # What it had before anybody listened.
        shown = subprocess.run([*inside, "address"], check=True, capture_output=True, text=True).stdout
        for address in self.addresses & set(HELD.findall(shown)):
            self._note(node, address, time.time(), True)
        self.mark(node, alive=True)

    def detach(self, node: str) -> None:
        """A namespace that somebody is in does not go away with its node."""
        monitor = self._listening.pop(node)
        monitor.kill()
        monitor.wait()
        for address in self.addresses:
            self._note(node, address, time.time(), False)

    def close(self) -> None:
        for node in list(self._listening):
            self.detach(node)

    def mark(self, node: str, *, alive: bool) -> None:
        self._lives.setdefault(node, []).append((time.time(), alive))

    def history(self, address: str) -> list[Step]:
        """Who held it from which time on."""
        changes = []
        for node, lives in list(self._lives.items()):
            edges = [(at, alive, None) for at, alive in lives]
            edges += [(at, None, held) for at, held in list(self._changes.get((node, address), []))]
            alive = held = False
            for at, lives_now, holds_now in sorted(edges, key=lambda edge: edge[0]):
                alive = alive if lives_now is None else lives_now
                held = held if holds_now is None else holds_now
                changes.append((at, node, alive and held))
        return steps(changes)

    def holders(self, address: str) -> frozenset[str]:
        history = self.history(address)
        return history[-1][1] if history else frozenset()

    def quiet_since(self) -> float:
        """When the last address moved."""
        return max((history[-1][0] for address in self.addresses if (history := self.history(address))), default=0.0)

    def _listen(self, node: str, monitor: subprocess.Popen[str]) -> None:
        assert monitor.stdout
        for line in monitor.stdout:
            if (found := LINE.match(line)) and found[3] in self.addresses:
                at = datetime.datetime.fromisoformat(found[1]).timestamp()
                self._note(node, found[3], at, not found[2])

    def _note(self, node: str, address: str, at: float, held: bool) -> None:
        self._changes.setdefault((node, address), []).append((at, held))
