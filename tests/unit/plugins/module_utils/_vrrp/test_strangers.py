# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adverts of somebody who is no peer: does a real keepalived give its addresses away, and what does a client lose?

Two nodes run what ``vrrp_instances`` makes of a VIP. From a third place on their link come adverts with the right
router id and a priority above all others, which say that somebody else has the address.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.firewall import ruleset
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import subject_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._vrrp.lan import Lan, address, links, needed

ROUTER_ID = 77
PROBES = 300
GLOBAL_DEFS = ["vrrp_version 3", "vrrp_garp_master_refresh 30"]
# What an instance had before it told peers from others.
CREDULOUS = {"check_unicast_src": False, "unicast_min_ttl": None}


@dataclass(frozen=True)
class Forger:
    """Where forged adverts say that they come from, and over how many hops they seem to have come."""

    source: int | str
    hops: int

    def of(self, family: int) -> str:
        made_up = {4: "198.51.100.7", 6: "2001:db8:ffff::7"}[family]
        return made_up if isinstance(self.source, str) else address(family, self.source)


class Harm(t.NamedTuple):
    """What forged adverts do: probes of the VIP without an answer, and how often a node took or left it."""

    lost: int
    moves: int


def advert(family: int, source: str, target: str, vip: str) -> bytes:
    """RFC 9568, section 5.1: VRRPv3 with priority 255, every 10 ms; the checksum covers a pseudo header (RFC 1071)."""
    body = struct.pack("!BBBBHH", 0x31, ROUTER_ID, 255, 1, 1, 0) + ip_address(vip).packed
    ends = ip_address(source).packed + ip_address(target).packed
    pseudo = ends + (struct.pack("!BBH", 0, 112, len(body)) if family == 4 else struct.pack("!II", len(body), 112))
    total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body[:6] + struct.pack("!H", ~total & 0xFFFF) + body[8:]


def packet(family: int, source: str, target: str, hops: int, vip: str) -> bytes:
    """With the header of IP, so that nothing in it has to be true."""
    body = advert(family, source, target, vip)
    ends = ip_address(source).packed + ip_address(target).packed
    if family == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, hops, 112, 0) + ends + body
    return struct.pack("!IHBB", 6 << 28, len(body), 112, hops) + ends + body


def forge(family: int, forger: Forger, seconds: float) -> None:
    """Send adverts to both nodes; runs in a process of its own within the namespace."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number in (1, 2):
                target = address(family, number)
                raw.sendto(packet(family, forger.of(family), target, forger.hops, address(family, 100)), (target, 0))
            time.sleep(0.02)


def moves(lan: Lan) -> int:
    """How often a node has taken or left the address."""
    logs = [(lan.home / f"{name}.log").read_text() for name in ("lb1", "lb2")]
    return sum(len(re.findall(r"Entering (?:MASTER|BACKUP) STATE", log)) for log in logs)


def harm(lan: Lan, family: int, forger: Forger) -> Harm:
    before = moves(lan)
    inside = ["ip", "netns", "exec", f"{lan.prefix}lan"]
    words = [sys.executable, __file__, str(family), str(forger.source), str(forger.hops)]
    ping = f"ping -n -q -i 0.02 -W 1 -c {PROBES} {address(family, 100)}"
    with (
        subprocess.Popen([*inside, *ping.split()], stdout=subprocess.PIPE, text=True) as probing,
        subprocess.Popen([*inside, *words], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as forging,
    ):
        said = probing.communicate()[0]
        assert forging.poll() is None, "nothing was forged"
        forging.terminate()
    found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert found, said
    return Harm(int(found[1]) - int(found[2]), moves(lan) - before)


@dataclass(frozen=True)
class Attack:
    """Who forges adverts, and for which keys of the instance."""

    forger: Forger
    keys: t.Mapping[str, t.Any] = field(default_factory=dict)
    is_filtered: bool = False
    """Whether the nodes have the packet filter."""


UNFILTERED = {
    "stranger": Attack(Forger(9, 255)),
    "routed": Attack(Forger("made up", 5)),
    "routed, with the address of a peer": Attack(Forger(2, 5), {"unicast_min_ttl": 255}),
}
HARMLESS = UNFILTERED | {
    f"{name}, filtered": Attack(attack.forger, CREDULOUS, is_filtered=True) for name, attack in UNFILTERED.items()
}
# What an instance had before it told peers from others, and before it went on to send beside adverts that it refuses.
HARMFUL = {f"{name}, unchecked": Attack(attack.forger, CREDULOUS) for name, attack in UNFILTERED.items()} | {
    "stranger, silencing": Attack(Forger(9, 255), {"lower_prio_no_advert": False}),
    # What remains, as docs/failover.md says.
    "on the link, with the address of a peer": Attack(Forger(2, 255)),
}
CASES = {(name, family): attack for name, attack in {**HARMLESS, **HARMFUL}.items() for family in (4, 6)}


def measure(attack: Attack, family: int, lan: Lan, rendered: t.Callable[..., str]) -> Harm:
    cidr = f"{address(family, 100)}/{24 if family == 4 else 64}"
    # A busy machine does not make a node miss three adverts that are a second apart.
    vip = {"name": "web", "cidr": cidr, "interface": "eth0", "virtual_router_id": ROUTER_ID, "advert_int": 1}
    nodes = [Node(f"lb{n}", (address(4, n), address(6, n)), links=links(n)) for n in (1, 2)]
    with lan:
        lan.build()
        for node in nodes:
            made = Cluster(moved([vip]), nodes).instances(node.name)
            instances = {name: {**entry, **attack.keys} for name, entry in made.items()}
            text = rendered(global_defs=GLOBAL_DEFS, instances=instances)
            if attack.is_filtered:
                rules = ruleset(subject_of(text).instances, node.links["eth0"])
                (lan.home / f"{node.name}.nft").write_text(rules, encoding="utf-8")
                lan.run(node.name, f"nft -f {lan.home}/{node.name}.nft")
            lan.start(node.name, text)
        lan.wait_for("lb1", address(family, 100))
        return harm(lan, family, attack.forger)


@pytest.fixture(scope="module")
def measured(
    rendered: t.Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[dict[tuple[str, int], Future[Harm]]]:
    """All cases, several at once."""
    needed("nft")
    with ThreadPoolExecutor(5) as pool:
        yield {
            (name, family): pool.submit(measure, attack, family, Lan(tmp_path_factory.mktemp("strangers")), rendered)
            for (name, family), attack in CASES.items()
        }


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", HARMLESS)
def test_who_is_no_peer_takes_nothing(measured: dict[tuple[str, int], Future[Harm]], name: str, family: int) -> None:
    assert measured[name, family].result() == Harm(0, 0)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", HARMFUL)
def test_what_the_forged_adverts_can_do(measured: dict[tuple[str, int], Future[Harm]], name: str, family: int) -> None:
    assert measured[name, family].result().moves


if __name__ == "__main__":
    source = sys.argv[2]
    forge(int(sys.argv[1]), Forger(int(source) if source.isdigit() else source, int(sys.argv[3])), 60)
