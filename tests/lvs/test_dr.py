# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Direct routing, with the addresses, weights and checks that the seed prints."""

from __future__ import annotations

import collections
import json
import socket

from lab import Lab, Prober, fetch, fetch_many, packets, real_servers, until

EXAMPLE = "lvs-dr"
VIP = "192.168.4.15"
WEB1, WEB2 = "192.168.4.100", "192.168.4.200"


def set_up(lab: Lab) -> None:
    lab.network(
        "lan",
        client="192.168.4.10/24",
        proxy1="192.168.4.5/24",
        proxy2="192.168.4.6/24",
        web1=f"{WEB1}/24",
        web2=f"{WEB2}/24",
    )
    for web in ("web1", "web2"):
        lab.set_up_real_server(web)
        lab.serve(web)
    for proxy in ("proxy1", "proxy2"):
        lab.set_up_director(proxy)
    until(lambda: lab["proxy1"].holds(VIP), 10)
    # The first checks are spread over delay_loop.
    until(lambda: all(f"[{web}]:tcp:80 success" in lab["proxy1"].log for web in (WEB1, WEB2)), 15)
    assert real_servers(lab["proxy1"]) == {WEB1: 1, WEB2: 2}


def test_weights_are_respected_and_answers_pass_the_director_by(lab: Lab) -> None:
    answers = collections.Counter(fetch_many(lab["client"], VIP, 30))
    assert answers == {"web1": 10, "web2": 20}
    # SYN, ACK, request and end of each.
    until(lambda: packets(lab["proxy1"], VIP)[0] >= 30 * 4, 5)
    assert packets(lab["proxy1"], VIP)[1] == 0


def test_only_the_director_answers_for_the_vip(lab: Lab) -> None:
    """Three nodes have the address, and one may say so."""
    link = json.loads(lab["proxy1"].run("ip", "-json", "link", "show", "eth0"))[0]["address"]
    for _again in range(5):
        lab["client"].run("ip", "neighbour", "flush", "all")
        assert fetch(lab["client"], VIP)
        assert link in lab["client"].run("ip", "neighbour", "show", VIP)


def test_a_dead_real_server_leaves_and_comes_back(lab: Lab, measured: dict[str, float]) -> None:
    """Up to 6 s until the next check, and three more tries 3 s apart."""
    lab["web2"].kill_all()
    measured["DR: web server killed, out after (checks as the seed prints them)"] = until(
        lambda: real_servers(lab["proxy1"]) == {WEB1: 1}, 18
    )
    assert set(fetch_many(lab["client"], VIP, 6)) == {"web1"}
    lab.serve("web2")
    measured["DR: web server back, in after"] = until(lambda: real_servers(lab["proxy1"]) == {WEB1: 1, WEB2: 2}, 10)
    assert collections.Counter(fetch_many(lab["client"], VIP, 6)) == {"web1": 2, "web2": 4}


def test_the_other_director_takes_over(lab: Lab, measured: dict[str, float]) -> None:
    with Prober(lab["client"], VIP) as prober:
        until(lambda: len(prober.answers) > 10, 5)
        lab["proxy1"].die()
        until(lambda: lab["proxy2"].holds(VIP), 5)
        seen = len(prober.answers)
        until(lambda: len(prober.answers) > seen + 30, 10)
    measured["DR: director dead, no answer for"] = prober.outage
    assert 0 < prober.outage < 2.5
    assert {answer for _at, answer in prober.answers[-12:]} == {"web1", "web2"}
    with Prober(lab["client"], VIP) as prober:
        lab.boot_director("proxy1")
        until(lambda: lab["proxy1"].holds(VIP), 10)
        until(lambda: prober.answers[-1][1], 5)
    measured["DR: director back, no answer for"] = prober.outage
    assert prober.outage < 1


def test_an_open_connection_survives_the_director(lab: Lab, measured: dict[str, float]) -> None:
    with lab["client"].network():
        client = socket.create_connection((VIP, 80), timeout=10)
    with client:
        client.sendall(b"GET /halves HTTP/1.0\r\n\r\n")
        first = client.recv(4096)
        own = f"192.168.4.10:{client.getsockname()[1]} "
        until(lambda: own in lab["proxy2"].run("ipvsadm", "--list", "--connection", "--numeric"), 5)
        lab["proxy1"].die()
        until(lambda: lab["proxy2"].holds(VIP), 5)
        # From here on all that the client sends has to find its way through the other director.
        client.sendall(b"\r\n")
        answer = first
        while received := client.recv(4096):
            answer += received
    assert answer.endswith((b"web1", b"web2"))
    lab.boot_director("proxy1")
    until(lambda: lab["proxy1"].holds(VIP) and fetch(lab["client"], VIP), 10)


def test_a_director_that_is_stopped_hands_over(lab: Lab, measured: dict[str, float]) -> None:
    with Prober(lab["client"], VIP) as prober:
        until(lambda: len(prober.answers) > 10, 5)
        lab["proxy1"].stop_all()
        until(lambda: lab["proxy2"].holds(VIP), 5)
        lab.start_keepalived("proxy1")
        until(lambda: lab["proxy1"].holds(VIP), 10)
    measured["DR: director stopped and back, no answer for"] = prober.outage
    assert prober.outage < 1
