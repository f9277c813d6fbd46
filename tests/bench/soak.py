# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random faults on random nodes, often two at a time, and rules that hold throughout.

The dice fall the same in every run. Clients ask all the time, and all addresses of all nodes are watched; what came of
it is judged when it is over.
"""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import time
import typing as t

import failover
from playbook import REPO
from row import Row, at_least, at_most, figure

sys.path.insert(0, str(REPO / "molecule" / "failover" / "tests"))

from bench import until
from cluster import PORT, Address, Cluster
from faults import FAULTS, Fault
from watcher import Span, spans

SEED = 4
DEBIAN = "12"
# Faults of one node each, and short ones; a ping check needs 20 s to notice anything, so those come less often.
NEVER = ("ping_lost_by_all", "all_but_one", "reload_under_load", "haproxy_flapping", "ip_lost")
OFTEN = [fault for fault in FAULTS if fault.name not in ("ping_lost", *NEVER)]
SELDOM = [fault for fault in FAULTS if fault.name == "ping_lost"]
TOLERANCE = 0.2
# Seconds after a repair in which nodes still take back what is theirs.
AFTERMATH = 3.0


@dataclasses.dataclass(frozen=True)
class Size:
    minutes: float
    #: whether a cluster that is up already will do
    reuses: bool


FULL, QUICK = Size(minutes=20, reuses=False), Size(minutes=0.3, reuses=True)


@dataclasses.dataclass
class Episode:
    """A fault on a node: times of the clock."""

    fault: Fault
    node: str
    since: float
    healed: float = 0

    def touches(self, span: Span) -> bool:
        return self.since <= span[1] and span[0] <= self.healed + AFTERMATH

    def costs(self, address: Address) -> float:
        """What clients may miss when it begins and when it is over."""
        return max(self.fault.allows(address.budget), self.fault.comeback)


def rows(size: Size) -> t.Iterator[Row]:
    with failover.nodes(DEBIAN, reuses=size.reuses):
        cluster = Cluster(f"lbff{DEBIAN}")
        if not cluster.settled():
            raise SystemExit("the cluster is not in good health, so there is nothing to test")
        with cluster.probing(PORT) as clients:
            episodes, unrestored = soak(cluster, random.Random(SEED), size.minutes * 60)
        end = time.time()
        cluster.watcher.close()
    histories = {address: cluster.watcher.history(address) for address in cluster.addresses}
    wrong: dict[str, list[dict[str, t.Any]]] = {
        "an address without a holder for longer than the budget": [
            found(address, span, episodes)
            for address, its in cluster.addresses.items()
            for span in spans(histories[address], lambda holders: not holders, episodes[0].since, end)
            if span[1] - span[0] > allowed(its, span, episodes)
        ],
        "an outage for clients longer than the budget": [
            found(address, (start, stop), episodes)
            for address, its in cluster.addresses.items()
            for start, stop in clients.addresses[address]["outages"]
            if stop - start > allowed(its, (start, stop), episodes)
        ],
        "two holders for more than 1 s after healing, or an address left behind for 2 s": [
            found(address, span, episodes)
            for address in cluster.addresses
            for span in spans(histories[address], lambda holders: len(holders) > 1, episodes[0].since, end)
            if too_long_doubled(span, episodes)
        ],
        "an address that did not return to its node": unrestored,
    }
    path = REPO / ".cache" / "bench" / f"soak-{cluster.name}.json"
    path.write_text(json.dumps({"seed": SEED, "episodes": [told(one) for one in episodes], "wrong": wrong}, indent=2))
    asked = sum(said["sent"] for said in clients.addresses.values())
    lost = sum(len(said["lost"]) for said in clients.addresses.values())
    yield at_least(size.minutes, "minutes", (end - episodes[0].since) / 60)
    yield figure("faults", len(episodes))
    yield figure("requests", asked)
    yield figure("requests lost, within the budgets", lost)
    for rule, cases in wrong.items():
        yield at_most(0, rule, len(cases))
        for case in cases:
            print(f"    {json.dumps(case)}", flush=True)


def soak(cluster: Cluster, dice: random.Random, seconds: float) -> tuple[list[Episode], list[dict[str, t.Any]]]:
    """The faults that were, and those after which the addresses did not come back."""
    episodes: list[Episode] = []
    unrestored: list[dict[str, t.Any]] = []
    deadline = time.time() + seconds
    while time.time() < deadline:
        names = dice.sample(list(cluster.nodes), 2)
        struck = []
        for name in names[: dice.choice((1, 1, 2))]:
            fault = dice.choice(SELDOM if dice.random() < 0.03 else OFTEN)
            node = cluster.nodes[name]
            until(lambda: node.host.run("systemctl is-active haproxy keepalived").succeeded)  # noqa: B023  # called here
            struck.append(Episode(fault, name, time.time()))
            fault.strike(cluster, node)
            time.sleep(dice.uniform(0, 2))
        time.sleep(dice.uniform(25, 30) if any(one.fault in SELDOM for one in struck) else dice.uniform(0.5, 5))
        dice.shuffle(struck)
        for one in struck:
            one.fault.repair(cluster, cluster.nodes[one.node])
            one.healed = time.time()
            time.sleep(dice.uniform(0, 1))
        episodes += struck
        # Sometimes the next fault meets a cluster that is on its way back.
        if dice.random() < 0.3:
            continue
        if not cluster.settled(60):
            unrestored.append({"after": [told(one) for one in struck], "holders": cluster.told()})
    if not cluster.settled(60):
        unrestored.append({"after": "everything", "holders": cluster.told()})
    return episodes, unrestored


def allowed(address: Address, span: Span, episodes: list[Episode]) -> float:
    """Faults that follow each other quickly add up."""
    return TOLERANCE + sum(one.costs(address) for one in episodes if one.touches(span))


def too_long_doubled(span: Span, episodes: list[Episode]) -> bool:
    """As long as nodes cannot hear each other nothing can be done about two holders."""
    start, end = span
    touching = [one for one in episodes if one.touches(span)]
    cut = [one.healed for one in touching if one.fault.splits]
    left = [one for one in touching if one.fault.name in ("daemon_killed", "vrrp_killed")]
    return end - max([start, *cut]) > (2 if left else 1)


def found(address: str, span: Span, episodes: list[Episode]) -> dict[str, t.Any]:
    start, end = span
    around = [
        f"{told(one)} {one.since - start:+.2f} to {one.healed - start:+.2f} s" for one in episodes if one.touches(span)
    ]
    return {"address": address, "seconds": round(end - start, 2), "around": around}


def told(one: Episode) -> str:
    return f"{one.fault.name} {one.node}"
