# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Linux takes from an interface that is set down and up again, and what keepalived makes of the rest."""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._vrrp.test_failover import (
    KEEPALIVED,
    NODES,
    Lan,
    global_defs,
    run,
)

SYSCTL = Path(__file__).parents[5] / "roles" / "keepalived" / "templates" / "sysctl.conf.j2"
VIP = "2001:db8::100"
# A node hears nothing before its address has passed duplicate address detection: 1 s, and up to 1 s before that
# (RFC 4862, 5.4), of which it waits for adverts 0.75 s.
DETECTION = 2.0


@pytest.fixture
def lan(tmp_path: Path) -> t.Iterator[Lan]:
    if os.geteuid() or not all(map(shutil.which, (KEEPALIVED, "ip", "ping"))):
        pytest.skip("needs root, keepalived, ip and ping")
    with Lan(f"lbl{os.getpid()}-", tmp_path) as lan:
        lan.build()
        for number, name in enumerate(NODES, 1):
            for line in SYSCTL.read_text().splitlines():
                if line.startswith("net.ipv6.conf."):
                    run(f"ip netns exec {lan.prefix}{name} sysctl -qw {line.replace(' ', '')}")
            lan.on(name, f"address add 2001:db8::{number}/64 dev eth0")
        deadline = time.monotonic() + 20
        while any("tentative" in lan.on(name, "-6 address") for name in NODES) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield lan


def test_an_ipv6_vip_has_one_holder_after_its_interface_was_down(lan: Lan, rendered: t.Callable[..., str]) -> None:
    def until(*holders: str, seconds: float = 20) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            found = tuple(name for name in NODES if f" {VIP}/" in lan.on(name, "-6 -oneline address show dev eth0"))
            if found == holders or time.monotonic() > deadline:
                return found == holders
            time.sleep(0.05)

    vips = moved([{"name": "external", "cidr": f"{VIP}/64", "interface": "eth0"}])
    nodes = [Node(name, chosen_addresses=(f"2001:db8::{number}",)) for number, name in enumerate(NODES, 1)]
    for name in NODES:
        instances = Cluster(vips, nodes, Trackers()).instances(name)
        lan.start(name, rendered(global_defs=global_defs(), instances=instances))
    assert until("lb1")

    lan.on("lb1", "link set eth0 down")
    assert until("lb2")
    lan.on("lb1", "link set eth0 up")

    time.sleep(DETECTION)
    assert until("lb1"), "both have it, for they do not hear each other"
