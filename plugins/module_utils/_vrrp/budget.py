# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long an address is away at most after a fault, by the configuration of all nodes.

A healthy cluster and one fault on the node that holds the address: the next node by priority takes over. It does so

- after its skew, when the holder says goodbye (an advert with priority 0), as it does before it stops and in FAULT;
- after its master-down timer, when it hears nothing, or only from a holder whose priority has fallen below its own.

RFC 9568 gives both; what comes before is how long a check needs to notice.
"""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass, field

Entry = t.Mapping[str, t.Any]
Entries = t.Mapping[str, Entry]

FAULTS = (
    "planned_stop",
    "daemon_killed",
    "vrrp_killed",
    "node_dead",
    "node_frozen",
    "link_down",
    "server_link_down",
    "haproxy_stopped",
    "haproxy_killed",
    "haproxy_hung",
    "ping_lost",
)

# From the end of HAProxy to the fall of the address: systemd runs ExecStopPost, inotify wakes keepalived. Measured:
# 0.01 to 0.2 s on busy processors.
TRACK_FILE_SECONDS = 0.2

# A command that is ended in time, as in `timeout 0.5 COMMAND`.
_BOUNDED = re.compile(r"(?:\S*/)?timeout\s+([0-9.]+)s?\s")
_PING = re.compile(r"\b(?:ping6?|fping|arping)\b")
# Such a check only looks for a process, which a hung HAProxy still has.
_PROCESS_CHECK = re.compile(r"\b(?:kill(?:all)? -0|pidof|pgrep)\b")


@dataclass(frozen=True)
class Bound:
    """The seconds that a fault costs at most and what they are made of; None means that nothing ends the outage."""

    seconds: float | None
    why: str

    def after(self, seconds: float, why: str) -> Bound:
        return self if self.seconds is None else Bound(self.seconds + seconds, f"{why} + {self.why}")


@dataclass(frozen=True)
class Settings:
    """What the instances refer to; ``haproxy`` are the names of the scripts and track files that watch HAProxy."""

    scripts: Entries = field(default_factory=dict)
    track_files: Entries = field(default_factory=dict)
    track_processs: Entries = field(default_factory=dict)
    sync_groups: Entries = field(default_factory=dict)
    haproxy: t.Collection[str] = ("haproxy_check_script", "haproxy_ready")
    version: int = 3
    settled: str = "haproxy_settled"
    """The track file that keeps a node back until HAProxy has judged its servers."""


def vrrp_version(global_defs: t.Iterable[str], global_settings: Entry) -> int:
    """The version of VRRP by raw lines and by named settings of ``global_defs``, of which the latter count."""
    lines = (line.split() for line in global_defs)
    given = [words[1] for words in lines if words[:1] == ["vrrp_version"] and words[1:]]
    return int(global_settings.get("vrrp_version") or (given[-1] if given else Settings.version))


def failover_budget(cluster: t.Mapping[str, Entries], settings: Settings) -> dict[str, dict[str, Bound]]:
    """A bound for each instance and each of ``FAULTS``; ``cluster`` holds the instances of each node."""
    found: dict[str, dict[str, Bound]] = {}
    for name in dict.fromkeys(name for instances in cluster.values() for name in instances):
        nodes = [instances[name] for instances in cluster.values() if name in instances]
        nodes.sort(key=_priority, reverse=True)
        if len(nodes) < 2:
            found[name] = dict.fromkeys(FAULTS, Bound(None, "no other node has this instance"))
            continue
        groups = [group for group in settings.sync_groups.values() if name in (group.get("instances") or [])]
        failover = _Failover(nodes[0], nodes[1], _tracked([nodes[0], *groups], settings), settings)
        found[name] = {fault: failover.bound(fault) for fault in FAULTS}
    return found


def table(budget: t.Mapping[str, t.Mapping[str, Bound]]) -> list[str]:
    """The budget for people: a row for each fault, a column for instances that have the same."""
    columns: dict[tuple[str, ...], list[str]] = {}
    for name, bounds in budget.items():
        columns.setdefault(tuple(_shown(bounds[fault]) for fault in FAULTS), []).append(name)
    heads = [
        ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more" for names in columns.values()
    ]
    rows = [("", *heads), *zip(FAULTS, *columns)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    missing: dict[tuple[str, str], list[str]] = {}
    for name, bounds in budget.items():
        for fault in FAULTS:
            if bounds[fault].seconds is None:
                missing.setdefault((fault, bounds[fault].why), []).append(name)
    notes = [f"never, {fault} of {', '.join(names)}: {why}." for (fault, why), names in missing.items()]
    return ["Longest time in seconds until an address serves again after a fault on its node:", *lines, *notes]


def _shown(bound: Bound) -> str:
    return "never" if bound.seconds is None else f"{math.ceil(round(bound.seconds * 100, 6)) / 100:.2f}"


@dataclass(frozen=True)
class _Failover:
    """From the holder of an instance to the next node."""

    holder: Entry
    next: Entry
    trackers: dict[str, list[tuple[str, int]]]
    settings: Settings

    def bound(self, fault: str) -> Bound:
        if fault in ("planned_stop", "daemon_killed"):
            return self.goodbye()
        if fault in ("vrrp_killed", "node_dead", "node_frozen", "link_down"):
            return self.silence()
        if fault == "ping_lost":
            # Each check may have a target of its own, and any of them may be the one that is lost.
            pings = [
                self.by_script(name, weight)
                for name, weight in self.trackers["track_scripts"]
                if _PING.search(self.command(name))
            ]
            never = [bound for bound in pings if bound.seconds is None]
            if pings:
                return never[0] if never else max(pings, key=_seconds)
            return Bound(None, "no ping check is tracked")
        if fault == "server_link_down":
            return self.server_link()
        return self.haproxy(hung=fault == "haproxy_hung")

    def server_link(self) -> Bound:
        """The cable to the servers, which may be that of the address."""
        links = [self.lost(weight) for _name, weight in self.trackers["track_interfaces"]]
        never = [bound for bound in links if bound.seconds is None]
        if never:
            return never[0]
        # Where servers are tracked and no interface is, they are behind the instance's own.
        if links or any(name == self.settings.settled for name, _weight in self.trackers["track_files"]):
            return max([*links, self.silence()], key=_seconds)
        return Bound(None, "no interface of the servers is tracked")

    def haproxy(self, hung: bool) -> Bound:
        """The first of the watchers that notices."""
        found = []
        for name, weight in self.trackers["track_scripts"]:
            if name not in self.settings.haproxy:
                continue
            if hung and _PROCESS_CHECK.search(self.command(name)):
                found.append(Bound(None, f"{name} checks for a process, which a hung HAProxy still has"))
            else:
                found.append(self.by_script(name, weight))
        if not hung:
            found += [
                self.lost(weight).after(TRACK_FILE_SECONDS, f"{TRACK_FILE_SECONDS} s until track file {name} is read")
                for name, weight in self.trackers["track_files"]
                if name in self.settings.haproxy
            ]
            found += [
                self.by_process(name, weight)
                for name, weight in self.trackers["track_processs"]
                if "haproxy" in str(self.settings.track_processs[name].get("process"))
            ]
        bounds = [bound for bound in found if bound.seconds is not None]
        if bounds:
            return min(bounds, key=_seconds)
        return found[0] if found else Bound(None, f"no {'script' if hung else 'tracker'} watches HAProxy")

    def by_script(self, name: str, weight: int) -> Bound:
        script = self.settings.scripts[name]
        interval = float(script.get("interval") or 1)
        fall = int(script.get("fall") or 1)
        # A check that takes longer is killed and has failed.
        limits = [float(script.get("timeout") or interval)]
        bounded = _BOUNDED.match(self.command(name))
        if bounded:
            limits.append(float(bounded[1]))
        why = f"{fall} x {interval:g} s and {min(limits):g} s for the last run of {name}"
        return self.lost(weight).after(fall * interval + min(limits), why)

    def by_process(self, name: str, weight: int) -> Bound:
        process = self.settings.track_processs[name]
        delay = float(process.get("terminate_delay") or process.get("delay") or 0)
        return self.lost(weight).after(delay, f"{delay:g} s delay of process tracker {name}")

    def command(self, script: str) -> str:
        return str(self.settings.scripts[script].get("check_script") or "")

    def lost(self, weight: int) -> Bound:
        """What a failing tracker with this weight costs once it is noticed."""
        if not weight:
            return self.goodbye()
        if self.level(self.holder) - abs(weight) >= self.level(self.next):
            return Bound(None, f"weight {weight} leaves the holder above the next node")
        if _on(self.next.get("nopreempt")):
            return Bound(
                None, "the next node has nopreempt, so it never takes over from a holder that still sends adverts"
            )
        delay = float(self.next.get("preempt_delay") or 0)
        return self.silence().after(delay, f"preempt_delay {delay:g} s") if delay else self.silence()

    def goodbye(self) -> Bound:
        return Bound(self.skew(), f"skew of {self.skew():.3f} s")

    def silence(self) -> Bound:
        adverts = int(self.next.get("down_timer_adverts") or 3)
        why = f"{adverts} x {self.advert():g} s without an advert + skew of {self.skew():.3f} s"
        return Bound(adverts * self.advert() + self.skew(), why)

    def skew(self) -> float:
        """A node waits the less, the higher its priority; in VRRPv2 by the second, whatever the interval."""
        unit = self.advert() if self.version() == 3 else 1
        return (256 - self.level(self.next)) / 256 * unit

    def advert(self) -> float:
        """In VRRPv3 the next node knows the interval from the holder, in VRRPv2 from its own configuration."""
        return float((self.holder if self.version() == 3 else self.next).get("advert_int") or 1)

    def version(self) -> int:
        ipv6 = any(":" in str(vip) for vip in self.next.get("vips") or [])
        return 3 if ipv6 else int(self.next.get("version") or self.settings.version)

    def level(self, instance: Entry) -> int:
        """The priority of a node whose trackers are all content."""
        rise = sum(weight for weights in self.trackers.values() for _name, weight in weights if weight > 0)
        return min(254, _priority(instance) + rise)


def _priority(instance: Entry) -> int:
    return int(instance.get("priority") or 100)


def _seconds(bound: Bound) -> float:
    return math.inf if bound.seconds is None else bound.seconds


def _on(flag: t.Any) -> bool:
    return str(flag).lower() in ("true", "yes", "on", "1")


def _tracked(trackers: t.Sequence[Entry], settings: Settings) -> dict[str, list[tuple[str, int]]]:
    """Names and weights of what an instance and its sync group track; a list item is ``NAME`` or ``NAME weight N``.

    keepalived ignores a weight that a member of a group tracks.
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for key, defined in (
        ("track_scripts", settings.scripts),
        ("track_files", settings.track_files),
        ("track_processs", settings.track_processs),
        ("track_interfaces", {}),
    ):
        found[key] = []
        for tracker in trackers:
            for item in tracker.get(key) or []:
                name, *words = str(item).split()
                own = words[1] if words[:1] == ["weight"] else str(defined.get(name, {}).get("weight") or 0).split()[0]
                ignored = tracker is trackers[0] and len(trackers) > 1 and int(own)
                if (name in defined or key == "track_interfaces") and not ignored:
                    found[key].append((name, int(own)))
    return found
