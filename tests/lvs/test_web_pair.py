# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VIP over two web servers, with neither HAProxy nor LVS."""

from __future__ import annotations

from lab import Lab, Prober, fetch, until

EXAMPLE = "web-pair"
VIP = "192.168.4.80"


def set_up(lab: Lab) -> None:
    lab.network("lan", client="192.168.4.5/24", web1="192.168.4.100/24", web2="192.168.4.200/24")
    for web in ("web1", "web2"):
        lab.serve(web)
        lab.start_keepalived(web)
    # Until both checks have been good twice, a node is not what it will be.
    until(lambda: all("VRRP_Script(web_server) succeeded" in lab[web].log for web in ("web1", "web2")), 15)
    until(lambda: lab["web1"].holds(VIP) and not lab["web2"].holds(VIP), 15)


def test_the_first_one_answers(lab: Lab) -> None:
    assert fetch(lab["client"], VIP) == "web1"
    assert "haproxy" not in lab.rendered("web1", "etc/keepalived/keepalived.conf")


def test_the_address_leaves_a_dead_web_server(lab: Lab, measured: dict[str, float]) -> None:
    server = lab["web1"].processes[0]
    with Prober(lab["client"], VIP) as prober:
        until(lambda: len(prober.answers) > 10, 5)
        lab["web1"].kill(server)
        until(lambda: prober.answers[-1][1] == "web2", 8)
    measured["two web servers: web server killed, no answer for"] = prober.outage
    assert prober.outage < 4
    with Prober(lab["client"], VIP) as prober:
        lab.serve("web1")
        until(lambda: prober.answers and prober.answers[-1][1] == "web1", 12)
    measured["two web servers: web server back, no answer for"] = prober.outage
    assert prober.outage < 1


def test_the_address_leaves_a_dead_node(lab: Lab, measured: dict[str, float]) -> None:
    with Prober(lab["client"], VIP) as prober:
        until(lambda: len(prober.answers) > 10, 5)
        lab["web1"].die()
        until(lambda: prober.answers[-1][1] == "web2", 8)
    measured["two web servers: node dead, no answer for"] = prober.outage
    assert prober.outage < 2.5
