# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strike, watch, repair, watch again; then say what clients and addresses went through, and what of it is too much."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from bench import Node, Probed, until
from cluster import Cluster
from faults import Fault
from watcher import Step, longest, spans

# What a busy machine and the steps of the prober may add to a figure.
TOLERANCE = 0.2
# Two holders once the nodes can hear each other, and an address that a dead daemon left.
DOUBLED = 1.0
ORPHAN = 2.0


@dataclasses.dataclass
class Times:
    """Of the clock: before and after the fault, before and after the repair, and when all was as it should be."""

    since: float
    struck: float = 0
    repaired: float = 0
    healed: float = 0
    end: float = 0


@dataclasses.dataclass
class Result:
    """Seconds, the worst of all addresses that belong to the victim."""

    fault: str
    victim: str
    #: what the role promises until another node has the address, and how long it took
    promise: float = 0
    moved: float = 0
    #: what clients may miss by that, and by the goals of the collection
    limit: float = 0
    goal: float = 0
    planned: bool = False
    splits: bool = False
    #: as the clients see it
    outage: float = 0
    lost: float = 0
    comeback: float = 0
    comeback_lost: float = 0
    #: of the addresses that nothing happened to
    elsewhere: float = 0
    elsewhere_lost: float = 0
    #: as the kernels of the nodes see it: nobody holds the address, or more than one does
    absent: float = 0
    doubled: float = 0
    comeback_absent: float = 0
    comeback_doubled: float = 0
    #: how often they changed hands from the first blow to the last move
    moves: int = 0
    #: from the repair until every address is where it belongs
    restored: float = 0
    spread: bool = False
    prober_lag: float = 0
    load: float = 0
    tries: int = 1
    too_much: list[str] = dataclasses.field(default_factory=list)


def attempt(cluster: Cluster, fault: Fault, victim: Node) -> Result:
    struck = cluster.owners if fault.everywhere else [victim]
    with cluster.probing(fault.port) as report:
        times = Times(since=time.time())
        try:
            fault.strike(cluster, victim)
            times.struck = time.time()
            watch(cluster, fault, struck)
        finally:
            times.repaired = time.time()
            fault.repair(cluster, victim)
            times.healed = time.time()
            time.sleep(fault.rests)
            is_spread = cluster.settled(fault.heals)
            times.end = time.time()
    result = measure(cluster, fault, struck, report, times)
    result.spread = is_spread
    result.too_much = judge(fault, result)
    return result


def watch(cluster: Cluster, fault: Fault, struck: list[Node]) -> None:
    """Until the addresses are where they stay; where they need not move, longer than any outage that could pass."""
    if not fault.moves:
        time.sleep(fault.watch)
        return
    names = {node.name for node in struck}

    def has_moved(address: str) -> bool:
        holders = cluster.watcher.holders(address)
        return bool(holders - names) and (fault.splits or not holders & names)

    mine = [address for address, its in cluster.addresses.items() if its.node in names]
    until(lambda: all(map(has_moved, mine)), fault.heals)
    time.sleep(0.5)
    until(cluster.is_at_rest, 3)
    time.sleep(fault.stays)


def measure(cluster: Cluster, fault: Fault, struck: list[Node], report: Probed, times: Times) -> Result:
    names = frozenset(node.name for node in struck)
    figures: dict[str, float] = {}
    for address, said in report.addresses.items():
        if cluster.addresses[address].node in names:
            own = as_seen_by_clients(said, times) | as_seen_by_kernels(cluster.watcher.history(address), names, times)
        else:
            own = {"elsewhere": longest(said["outages"]), "elsewhere_lost": len(said["lost"])}
        figures |= {name: max(value, figures.get(name, 0)) for name, value in own.items()}
    budgets = [its.budget for its in cluster.addresses.values() if its.node in names]
    return Result(
        fault.name,
        "+".join(sorted(names)),
        max(budget[fault.budget] for budget in budgets) if fault.budget else fault.goal,
        limit=max(map(fault.allows, budgets)),
        goal=fault.goal,
        planned=fault.planned,
        splits=fault.splits,
        **figures,
        prober_lag=report.lag,
        load=os.getloadavg()[0],
    )


def as_seen_by_clients(said: dict[str, t.Any], times: Times) -> dict[str, float]:
    return {
        "outage": longest([outage for outage in said["outages"] if outage[0] < times.repaired]),
        "lost": sum(at < times.repaired for at in said["lost"]),
        "comeback": longest([outage for outage in said["outages"] if outage[0] >= times.repaired]),
        "comeback_lost": sum(at >= times.repaired for at in said["lost"]),
    }


def as_seen_by_kernels(history: list[Step], struck: frozenset[str], times: Times) -> dict[str, float]:
    taken = [at for at, holders in history if times.since <= at < times.repaired and holders - struck]
    return {
        "moved": min(taken, default=times.struck) - times.struck,
        "absent": longest(spans(history, is_absent, times.since, times.repaired)),
        "doubled": longest(spans(history, is_doubled, times.since, times.repaired)),
        "comeback_absent": longest(spans(history, is_absent, times.repaired, times.end)),
        "comeback_doubled": longest(spans(history, is_doubled, times.healed, times.end)),
        "moves": sum(times.since <= at < times.end and bool(holders) for at, holders in history),
        "restored": history[-1][0] - times.healed,
    }


def is_absent(holders: frozenset[str]) -> bool:
    return not holders


def is_doubled(holders: frozenset[str]) -> bool:
    return len(holders) > 1


def judge(fault: Fault, result: Result) -> list[str]:
    """What the numbers do not allow; empty if all is well."""
    limits: list[tuple[str, float, float]] = [
        ("outage", result.outage, result.limit + TOLERANCE),
        ("absent", result.absent, result.limit + TOLERANCE),
        ("outage of addresses elsewhere", result.elsewhere, TOLERANCE),
        ("lost elsewhere", result.elsewhere_lost, 0),
        ("outage after the repair", result.comeback, fault.comeback + TOLERANCE),
        ("absent after the repair", result.comeback_absent, fault.comeback + TOLERANCE),
        ("doubled after the repair", result.comeback_doubled, DOUBLED),
        ("seconds that the role promises", result.limit, fault.goal),
    ]
    if not fault.splits:
        limits.append(("left behind or doubled", result.doubled, ORPHAN))
    if fault.moves and fault.budget:
        limits.append(("seconds until another node has it", result.moved, result.promise + TOLERANCE))
    if fault.most_moves:
        limits.append(("moves", result.moves, fault.most_moves))
    if fault.planned:
        limits.append(("requests lost", result.lost, 0))
    found = [f"{what}: {value:.3g}, not more than {limit:g}" for what, value, limit in limits if value > limit]
    return found if result.spread else [*found, "the addresses are not where they belong"]
