# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.holders import addresses, troubles, vip_holders

VIP = "192.0.2.100"


def view(
    number: int, state: str | None, held: bool, answered_by: tuple[int, ...] = (), vip: str = VIP
) -> dict[str, t.Any]:
    """What a node tells whose priority falls with its number, and whose MAC ends in it."""
    return {
        "instances": {"external": {"state": state, "priority": 200 - number}},
        "addresses": [
            {
                "address": vip,
                "interface": "eth0",
                "instance": "external",
                "held": held,
                "answered_by": [f"02:00:00:00:00:0{mac}" for mac in answered_by],
            }
        ],
        "links": [
            {
                "interface": "eth0",
                "mac": f"02:00:00:00:00:0{number}",
                "addresses": [f"192.0.2.{number}/24", *([f"{vip}/24"] if held else [])],
            }
        ],
    }


def bystander(held: bool) -> dict[str, t.Any]:
    """A node that runs no keepalived at all."""
    return {**view(3, None, held), "instances": {}, "addresses": []}


STATES: list[tuple[str, list[dict[str, t.Any]], str, list[str], list[str], list[str]]] = [
    ("healthy", [view(1, "MASTER", True), view(2, "BACKUP", False, (1,))], "ok", ["1"], [], []),
    ("moved", [view(1, "BACKUP", False, (2,)), view(2, "MASTER", True)], "ok", ["2"], [], []),
    ("two masters", [view(1, "MASTER", True, (2,)), view(2, "MASTER", True, (1,))], "doubled", ["1", "2"], [], []),
    ("left behind beside a master", [view(1, None, True), view(2, "MASTER", True)], "doubled", ["1", "2"], ["1"], []),
    ("left behind", [view(1, None, True), view(2, "BACKUP", False)], "orphan", ["1"], ["1"], []),
    ("a backup has it", [view(1, "BACKUP", True), view(2, "BACKUP", False)], "orphan", ["1"], ["1"], []),
    ("nobody", [view(1, "BACKUP", False), view(2, "FAULT", False)], "absent", [], [], []),
    ("a master without it", [view(1, "MASTER", False), view(2, "BACKUP", False)], "absent", [], [], []),
    ("a stranger too", [view(1, "MASTER", True, (9,)), view(2, "BACKUP", False, (1, 9))], "doubled", ["1"], [], ["9"]),
    ("only a stranger", [view(1, "BACKUP", False, (9,)), view(2, "BACKUP", False)], "absent", [], [], ["9"]),
    (
        "a node without keepalived",
        [view(1, "MASTER", True), view(2, "BACKUP", False), bystander(True)],
        "doubled",
        ["1", "3"],
        ["3"],
        [],
    ),
    ("an idle one", [view(1, "MASTER", True), view(2, "BACKUP", False), bystander(False)], "ok", ["1"], [], []),
]


@pytest.mark.parametrize(
    ("views", "state", "holders", "orphans", "strangers"), [row[1:] for row in STATES], ids=[row[0] for row in STATES]
)
def test_states(
    views: list[dict[str, t.Any]], state: str, holders: list[str], orphans: list[str], strangers: list[str]
) -> None:
    (found,) = vip_holders({str(number): one for number, one in enumerate(views, 1)})
    assert found.state == state
    assert list(found.holders) == holders
    assert list(found.orphans) == orphans
    assert [mac[-1] for mac in found.strangers] == strangers
    assert found.wanted == "1"
    for name in holders:
        assert f" {name}" in found.sentence


def test_a_node_that_could_not_be_asked_is_left_out() -> None:
    (found,) = vip_holders({"1": view(1, "MASTER", True), "2": {"unreachable": True}})
    assert found.state == "ok"


def test_nobody_is_wanted_where_two_are() -> None:
    views = {"1": view(1, "MASTER", True), "2": view(2, "BACKUP", False)}
    views["2"]["instances"]["external"]["priority"] = 199
    (found,) = vip_holders(views)
    assert found.wanted is None


def test_the_same_link_local_address_on_two_networks_is_two_addresses() -> None:
    views = {"1": view(1, "MASTER", True, vip="fe80::1"), "2": view(2, "MASTER", True, vip="fe80::1")}
    views["2"]["addresses"][0]["interface"] = views["2"]["links"][0]["interface"] = "eth1"
    assert [(found.state, found.holders) for found in vip_holders(views)] == [("ok", ("1",)), ("ok", ("2",))]


def test_only_held_addresses_that_have_no_scope_answer_whoever_asks() -> None:
    """RFC 4291, section 2.5.6: a link-local address is one of its link. Those of IPv4 need no interface to be named."""
    vips = {"192.0.2.100": True, "2001:db8::1": True, "169.254.169.254": True, "fe80::1": True, "192.0.2.101": False}
    views = {vip: view(1, "MASTER", held, vip=vip) for vip, held in vips.items()}
    assert addresses(views) == ["192.0.2.100", "2001:db8::1", "169.254.169.254"]


def test_a_healthy_cluster_has_no_troubles() -> None:
    assert troubles({"1": view(1, "MASTER", True), "2": view(2, "BACKUP", False)}, []) == []


def test_all_troubles_are_told() -> None:
    views = {
        "lb1": {**view(1, "BACKUP", False), "problems": ["external is in FAULT."]},
        "lb2": {**view(2, "BACKUP", False), "problems": []},
    }
    assert troubles(views, ["lb3"]) == [
        "192.0.2.100 is on no node.",
        "lb1: external is in FAULT.",
        "lb3 is not there.",
    ]
    assert troubles({"lb1": bystander(False)}, []) == ["There are no VIPs."]
