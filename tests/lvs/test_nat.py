# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NAT between two networks, checks of a page, and a server that says sorry."""

from __future__ import annotations

import collections
import socket

from lab import Lab, Prober, fetch, fetch_many, packets, real_servers, until

EXAMPLE = "lvs-nat"
VIP, GATEWAY = "192.168.4.15", "192.168.2.1"
WEB1, WEB2, SORRY = "192.168.2.100", "192.168.2.200", "192.168.2.250"


def set_up(lab: Lab) -> None:
    lab.network("outside", client="192.168.4.10/24", proxy1="192.168.4.5/24", proxy2="192.168.4.6/24")
    lab.network(
        "inside",
        proxy1="192.168.2.5/24",
        proxy2="192.168.2.6/24",
        web1=f"{WEB1}/24",
        web2=f"{WEB2}/24",
        sorry=f"{SORRY}/24",
    )
    for web in ("web1", "web2", "sorry"):
        lab[web].run("ip", "route", "add", "default", "via", GATEWAY)
        lab.serve(web)
    for proxy in ("proxy1", "proxy2"):
        lab.set_up_director(proxy)
    until(lambda: lab["proxy1"].holds(VIP) and lab["proxy1"].holds(GATEWAY), 10)
    until(lambda: real_servers(lab["proxy1"]) == {WEB1: 1, WEB2: 1}, 10)


def test_answers_come_back_through_the_director(lab: Lab) -> None:
    answers = collections.Counter(fetch_many(lab["client"], VIP, 20))
    assert set(answers) == {"web1", "web2"}
    until(lambda: min(packets(lab["proxy1"], VIP)) >= 20 * 4, 5)


def test_a_page_with_the_wrong_status_takes_a_server_out(lab: Lab, measured: dict[str, float]) -> None:
    ill = lab["web1"].root / "run" / "ill"
    ill.touch()
    measured["NAT: page says 503, out after"] = until(lambda: real_servers(lab["proxy1"]) == {WEB2: 1}, 8)
    assert set(fetch_many(lab["client"], VIP, 6)) == {"web2"}
    ill.unlink()
    measured["NAT: page says 200, in after"] = until(lambda: real_servers(lab["proxy1"]) == {WEB1: 1, WEB2: 1}, 8)


def test_a_silent_server_leaves_and_the_last_one_is_replaced(lab: Lab, measured: dict[str, float]) -> None:
    lab["web1"].unplug()
    measured["NAT: web node silent, out after"] = until(lambda: real_servers(lab["proxy1"]) == {WEB2: 1}, 10)
    lab["web2"].kill_all()
    measured["NAT: last web server killed, sorry server in after"] = until(
        lambda: real_servers(lab["proxy1"]) == {SORRY: 1}, 8
    )
    assert set(fetch_many(lab["client"], VIP, 4)) == {"sorry"}
    lab["web1"].unplug(plugged=True)
    lab.serve("web2")
    until(lambda: real_servers(lab["proxy1"]) == {WEB1: 1, WEB2: 1}, 10)
    assert set(fetch_many(lab["client"], VIP, 6)) == {"web1", "web2"}


def test_both_addresses_move_and_an_open_connection_survives(lab: Lab, measured: dict[str, float]) -> None:
    with lab["client"].network():
        client = socket.create_connection((VIP, 80), timeout=10)
    with client, Prober(lab["client"], VIP) as prober:
        client.sendall(b"GET /halves HTTP/1.0\r\n\r\n")
        answer = client.recv(4096)
        own = f"192.168.4.10:{client.getsockname()[1]} "
        until(lambda: own in lab["proxy2"].run("ipvsadm", "--list", "--connection", "--numeric"), 5)
        lab["proxy1"].die()
        until(lambda: lab["proxy2"].holds(VIP) and lab["proxy2"].holds(GATEWAY), 5)
        client.sendall(b"\r\n")
        while received := client.recv(4096):
            answer += received
        until(lambda: prober.answers[-1][1], 5)
    assert answer.endswith((b"web1", b"web2"))
    measured["NAT: director dead, no answer for"] = prober.outage
    assert 0 < prober.outage < 2.5
    lab.boot_director("proxy1")
    until(lambda: lab["proxy1"].holds(VIP) and lab["proxy1"].holds(GATEWAY), 10)
    until(lambda: fetch(lab["client"], VIP), 5)
