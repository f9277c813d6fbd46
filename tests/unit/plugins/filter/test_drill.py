# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a drill strikes, for how long, and what it says of the outage."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.drill_rows import drill_rows
from ansible_collections.lbforge.haproxy.plugins.filter.drill_table import drill_table
from ansible_collections.lbforge.haproxy.plugins.filter.drill_target import drill_target
from ansible_collections.lbforge.haproxy.plugins.filter.host_results import host_results

VIPS = [
    {"address": "192.0.2.10", "instances": ["external"], "holders": ["lb1"], "wanted": "lb1"},
    {"address": "198.51.100.10", "instances": ["internal"], "holders": ["lb2"], "wanted": "lb2"},
    {"address": "198.51.100.11", "instances": ["spare"], "holders": [], "wanted": "lb2"},
]
VIEWS = {
    "lb1": {"addresses": [{"address": "192.0.2.10", "interface": "eth0", "instance": "external"}]},
    "lb2": {"addresses": [{"address": "198.51.100.10", "interface": "eth1", "instance": "internal"}]},
}
CLUSTER: dict[str, dict[str, dict[str, t.Any]]] = {
    "lb1": {"external": {"track_interfaces": ["eth2 weight -10", "eth3"]}, "internal": {}},
    "lb2": {"external": {}, "internal": {}},
}
BUDGET = {
    "external": {"haproxy_hung": 2.9, "planned_stop": 0.006, "ping_lost": None},
    "internal": {"haproxy_hung": 3.2, "planned_stop": 0.006, "ping_lost": None},
}


def target(fault: str = "haproxy_hung", **options: t.Any) -> dict[str, t.Any]:
    return drill_target(VIPS, VIEWS, CLUSTER, BUDGET, fault, **options)


def test_the_holder_of_the_first_vip_is_struck_for_longer_than_any_outage() -> None:
    assert target() == {"node": "lb1", "interface": "eth0", "server_interface": "eth2", "hold": 7}


def test_the_servers_are_behind_the_interface_of_the_vip_if_none_is_tracked() -> None:
    assert target(vip="198.51.100.10") == {"node": "lb2", "interface": "eth1", "server_interface": "eth1", "hold": 7}


def test_a_group_tracks_for_its_members() -> None:
    groups = {"both": {"instances": ["external", "internal"], "track_interfaces": "eth9"}}
    assert target(vip="198.51.100.10", sync_groups=groups)["server_interface"] == "eth9"


def test_a_fault_that_nothing_ends_is_short() -> None:
    assert target("ping_lost")["hold"] == 3


@pytest.mark.parametrize("vip", ["203.0.113.9", "198.51.100.11"])
def test_a_vip_that_nobody_holds(vip: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"no node holds {vip}; set one of 192.0.2.10, 198.51.100.10"):
        target(vip=vip)


def judged(fault: str, longest: float, lost: int = 0) -> list[tuple[str, t.Any, str]]:
    targets = [{"address": vip["address"], "longest": longest, "lost": lost} for vip in VIPS[:2]]
    rows = drill_rows(VIPS[:2], {"targets": targets, "lag": 0.01}, BUDGET, fault, "lb1")
    return [(row["address"], row["budget"], row["verdict"]) for row in rows]


def test_an_outage_is_compared_with_the_budget_of_its_instance() -> None:
    assert judged("haproxy_hung", 3.1) == [("192.0.2.10", 2.9, "ok"), ("198.51.100.10", 0, "too long")]
    assert judged("haproxy_hung", 3.11)[0][2] == "too long"


def test_a_planned_stop_may_lose_nothing() -> None:
    assert [verdict for _vip, _budget, verdict in judged("planned_stop", 0, lost=1)] == ["lost", "lost"]


def test_where_nothing_ends_the_outage_there_is_no_budget() -> None:
    assert judged("ping_lost", 0)[0] == ("192.0.2.10", None, "no budget")


def test_the_table_has_a_line_for_each_row() -> None:
    row = {"fault": "ping_lost", "address": "192.0.2.10", "node": "lb1", "outage": 0.5, "lost": 2}
    heads, one, none = drill_table(
        [{**row, "budget": 2.9, "verdict": "ok"}, {**row, "budget": None, "verdict": "no budget"}]
    )
    assert heads.split() == ["fault", "VIP", "struck", "outage", "budget", "lost", "verdict"]
    assert one.split() == ["ping_lost", "192.0.2.10", "lb1", "0.50", "s", "2.90", "s", "2", "ok"]
    assert none.split() == ["ping_lost", "192.0.2.10", "lb1", "0.50", "s", "none", "2", "no", "budget"]


def test_what_commands_printed() -> None:
    printed = {"rc": 0, "stdout": '{"node": "lb1", "keys": ["ssh-ed25519 AAAA"]}'}
    hostvars = {
        "lb1": {"said": printed},
        "lb2": {"said": {"rc": 0, "stdout": ""}},
        "lb3": {"said": {"rc": 127, "stdout": "haproxy-acme: not found"}},
        "lb4": {"said": {"unreachable": True}},
        "lb5": {},
    }
    assert host_results(list(hostvars), hostvars, "said", printed=True) == {
        "lb1": {"node": "lb1", "keys": ["ssh-ed25519 AAAA"]}
    }


def test_a_host_without_a_result_is_there_all_the_same() -> None:
    assert host_results(["lb1", "lb2"], {"lb1": {"view": {"links": []}}, "lb2": {}}, "view") == {
        "lb1": {"links": []},
        "lb2": {},
    }
