# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two holders meet again, and the advert by which the lower one says so is lost: clients come to the higher one."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.program import program
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import eventually
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._vrrp.lan import Lan, address, links, needed

# keepalived's own adverts do not reach the other node; the priority is the third byte (RFC 9568, section 5.1).
LOSE_OWN_ADVERTS = """
table inet lost {
    chain out {
        type filter hook output priority 0
        meta l4proto 112 @th,16,8 != 1 drop
    }
}
"""


@pytest.fixture
def lan(tmp_path: Path) -> t.Iterator[Lan]:
    needed("nft")
    with Lan(tmp_path) as lan:
        lan.build()
        yield lan


@pytest.mark.parametrize("family", [4, 6])
def test_clients_come_to_who_holds_the_vip(lan: Lan, rendered: t.Callable[..., str], family: int) -> None:
    vip = address(family, 100)
    # What they have learned they keep, so that nothing but an announcement changes it.
    lan.run("lan", f"sysctl -q net.ipv{family}.neigh.br0.base_reachable_time_ms=86400000")
    start(lan, rendered, vip)
    lan.wait_for("lb1", vip)
    lan.run("lan", f"ping -n -q -c 1 -w 30 {vip}")
    cut(lan, "on")
    lan.wait_for("lb2", vip)
    eventually(lambda: known(lan, vip) == mac(lan, "lb2"))
    (lan.home / "lost.nft").write_text(LOSE_OWN_ADVERTS)
    lan.run("lb2", f"nft -f {lan.home}/lost.nft")
    cut(lan, "off")
    eventually(lambda: f" {vip}/" not in lan.run("lb2", "ip -o address"))
    eventually(lambda: known(lan, vip) == mac(lan, "lb1"))
    lan.run("lan", f"ping -n -q -c 1 -w 10 {vip}")


def start(lan: Lan, rendered: t.Callable[..., str], vip: str) -> None:
    """Both nodes, as the role does it."""
    nodes = [Node(f"lb{n}", (address(4, n), address(6, n)), links=links(n)) for n in (1, 2)]
    script = lan.home / "last_adverts.py"
    script.write_text(program("last_adverts"))
    script.chmod(0o700)
    for node in nodes:
        cidr = f"{vip}/{64 if ':' in vip else 24}"
        vips = moved([{"name": "web", "cidr": cidr, "interface": "eth0", "virtual_router_id": 77, "advert_int": 1}])
        settings = [
            "vrrp_version 3",
            "script_user root",
            "vrrp_garp_master_delay 1",
            "vrrp_higher_prio_send_advert true",
            f"notify_fifo {lan.home}/{node.name}.changes",
            f'notify_fifo_script "{script} {lan.home}/{node.name}.conf"',
        ]
        lan.start(node.name, rendered(global_defs=settings, instances=Cluster(vips, nodes).instances(node.name)))


def cut(lan: Lan, state: t.Literal["on", "off"]) -> None:
    """The nodes do not reach each other, but the client reaches both."""
    for name in ("lb1", "lb2"):
        lan.run("lan", f"bridge link set dev {name} isolated {state}")


def known(lan: Lan, vip: str) -> str:
    """The MAC address to which the client sends what is for the VIP."""
    found = re.search(r"lladdr (\S+)", lan.run("lan", f"ip neighbour show {vip} dev br0"))
    return found[1] if found else ""


def mac(lan: Lan, name: str) -> str:
    found = re.search(r"link/ether (\S+)", lan.run(name, "ip link show eth0"))
    assert found
    return found[1]
