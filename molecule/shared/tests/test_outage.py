# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the node that holds the virtual addresses, in every way, and measure what a client misses.

The figures stay in .cache/bench/outage-NAME.json, whatever becomes of the nodes.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
import typing as t

import pytest
from bench import CACHE, Bench, Node, brackets, until

# Longer than any outage that could pass.
OBSERVATION = 4.0


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    strike: t.Callable[[Node], None]
    repair: t.Callable[[Node], None]
    limit_ms: int = 1000
    # After a crash of a service, systemd may be quicker than another node.
    moves: bool = True
    # How long the client waits. To see an outage of milliseconds, hardly; to see what a client loses for good, long
    # enough for TCP to send its first segment again.
    patience: float = 0.25
    # How often to try before it counts: an answer on its way in the very millisecond of the move is lost with its node.
    tries: int = 1


def cable(state: str) -> t.Callable[[Node], None]:
    """Pull or plug the cable of the external network: outside, as the node's own view of its link must change."""

    def switch(node: Node) -> None:
        subprocess.run(["ip", "link", "set", node.link("eth1"), state], check=True)

    return switch


FAULTS = [
    Fault(
        "keepalived stopped",
        strike=lambda node: node.systemctl("stop keepalived"),
        repair=lambda node: node.systemctl("start keepalived"),
        limit_ms=0,
        patience=2,
        tries=3,
    ),
    Fault(
        "haproxy stopped",
        strike=lambda node: node.systemctl("stop haproxy"),
        repair=lambda node: node.systemctl("start haproxy"),
    ),
    Fault(
        "haproxy hung",
        strike=lambda node: node.systemctl("kill --signal=STOP haproxy"),
        repair=lambda node: node.systemctl("kill --signal=CONT haproxy"),
        limit_ms=3000,
    ),
    Fault(
        "haproxy killed",
        strike=lambda node: node.systemctl("kill --signal=KILL haproxy"),
        repair=lambda _node: None,
        moves=False,
    ),
    Fault("link down", strike=cable("down"), repair=cable("up")),
    Fault(
        "node frozen",
        strike=lambda node: node.podman("pause"),
        repair=lambda node: node.podman("unpause"),
    ),
    Fault(
        "node killed",
        strike=lambda node: node.podman("kill", "--signal=KILL"),
        repair=lambda node: node.podman("start"),
    ),
]


def keep(bench: Bench, fault: str, figures: dict[str, t.Any]) -> None:
    """Add a row to the table of this scenario's figures."""
    path = CACHE / f"outage-{bench.name}.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(table | {fault: figures}, indent=2) + "\n")


@pytest.fixture
def holder(bench: Bench) -> Node:
    """The node that holds the external VIP of a cluster in good health."""
    assert until(bench.settled, 40)
    (node,) = bench.holders(bench.external_vip)
    return node


@dataclasses.dataclass(frozen=True)
class Observed:
    """What a fault did: to clients while it lasted and when it was repaired, and where the VIP was meanwhile."""

    outage: dict[str, int]
    comeback: dict[str, int]
    holders: list[Node]
    answers: list[int]
    settled: bool


def observe(bench: Bench, holder: Node, fault: Fault) -> Observed:
    try:
        with bench.probing(bench.external_vip, fault.patience) as outage:
            fault.strike(holder)
            time.sleep(OBSERVATION)
        holders = bench.holders(bench.external_vip)
        answers = [bench.fetch(f"http://{brackets(vip)}:8001/").status for vip in bench.vips]
    finally:
        with bench.probing(bench.external_vip) as comeback:
            fault.repair(holder)
            settled = until(bench.settled, 40)
            # An address that comes back late would still be seen.
            time.sleep(2)
    return Observed(outage, comeback, holders, answers, settled)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_vip_moves_and_clients_hardly_notice(bench: Bench, holder: Node, fault: Fault) -> None:
    for left in reversed(range(fault.tries)):
        seen = observe(bench, holder, fault)
        if seen.outage["outage_ms"] <= fault.limit_ms or not left:
            break
    tried = {"limit_ms": fault.limit_ms, "tries": fault.tries - left}
    keep(bench, fault.name, {**tried, "outage": seen.outage, "comeback": seen.comeback})

    assert len([node for node in seen.holders if node is not holder or not fault.moves]) == 1
    assert seen.answers == [200] * len(bench.vips)
    assert seen.outage["outage_ms"] <= fault.limit_ms
    assert seen.settled
    assert seen.comeback["outage_ms"] <= 1000
    assert bench.holders(bench.external_vip) == [holder], "the preferred node has it again"
