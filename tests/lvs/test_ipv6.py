# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Direct routing with IPv6: real servers need no kernel parameters to be silent about the VIP."""

from __future__ import annotations

import collections
import json

from lab import Lab, fetch, fetch_many, packets, until

EXAMPLE = "ipv6"
VIP = "2001:db8::15"


def set_up(lab: Lab) -> None:
    lab.network(
        "lan",
        client="2001:db8::10/64",
        proxy1="2001:db8::5/64",
        web1="2001:db8::100/64",
        web2="2001:db8::200/64",
    )
    for web in ("web1", "web2"):
        lab.set_up_real_server(web)
        lab.serve(web)
    lab.set_up_director("proxy1")
    until(lambda: lab["proxy1"].holds(VIP), 10)
    until(lambda: lab["proxy1"].log.count(":tcp:80 success") >= 2, 10)


def test_weights_are_respected_and_answers_pass_the_director_by(lab: Lab) -> None:
    answers = collections.Counter(fetch_many(lab["client"], VIP, 16))
    assert answers == {"web1": 4, "web2": 12}
    until(lambda: packets(lab["proxy1"], f"[{VIP}]")[0] >= 16 * 4, 5)
    assert packets(lab["proxy1"], f"[{VIP}]")[1] == 0


def test_only_the_director_says_that_it_has_the_address(lab: Lab) -> None:
    link = json.loads(lab["proxy1"].run("ip", "-json", "link", "show", "eth0"))[0]["address"]
    for _again in range(5):
        lab["client"].run("ip", "neighbour", "flush", "all")
        assert fetch(lab["client"], VIP)
        assert link in lab["client"].run("ip", "neighbour", "show", VIP)
