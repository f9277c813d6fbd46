# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy binds and what keepalived moves, compared."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.vips import Movement
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Address
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

VIP, OTHER = "10.212.2.150", "10.212.2.151"
CIDR = "haproxy_keepalived_external_vip_cidr"
WEB = {
    "haproxy_service_name": "web",
    "haproxy_port": 80,
    "haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.0.21"}],
}
SHARED = frozenset({VIP, OTHER, "2001:db8::10"})


def moved(*addresses: str, path: str = CIDR) -> list[Address]:
    return [Address(f"{address}/24", path) for address in addresses]


def said(
    settings: dict[str, t.Any], movement: Movement | None, services: t.Sequence[t.Any] = (WEB,)
) -> tuple[dict[str, str], dict[str, str]]:
    """Errors and warnings about addresses, by path."""
    problems = check({"haproxy_service_configs": list(services)}, settings, {}, movement=movement).problems
    errors = {problem.path: str(problem) for problem in problems.errors}
    doubts = {problem.path: str(problem) for problem in problems.warnings}
    return errors, doubts


def test_a_vip_that_is_bound_and_not_carried_names_both_variables_and_values() -> None:
    errors, _doubts = said(
        {"external_lb_vip_address": OTHER, "internal_lb_vip_address": OTHER}, Movement(moved(VIP), elsewhere=SHARED)
    )
    assert list(errors) == ["external_lb_vip_address"]
    assert OTHER in errors["external_lb_vip_address"] and f"{VIP}/24 ({CIDR})" in errors["external_lb_vip_address"]


def test_an_address_that_moves_and_is_not_bound_names_both_too() -> None:
    settings = {"external_lb_vip_address": VIP, "internal_lb_vip_address": VIP}
    errors, _doubts = said(settings, Movement(moved(VIP, OTHER), elsewhere=SHARED))
    assert list(errors) == [CIDR]
    assert f"{OTHER}/24" in errors[CIDR] and f"{VIP} (external_lb_vip_address)" in errors[CIDR]
    # keepalived may move addresses for others than HAProxy.
    errors, doubts = said(settings, Movement([*moved(VIP), *moved(OTHER, path="keepalived_vips[1].cidr")]))
    assert not errors and list(doubts) == ["keepalived_vips[1].cidr"]


AGREEING = {
    "a name that stands for the address": (
        {
            "external_lb_vip_address": "www.example.org",
            "haproxy_bind_external_lb_vip_address": VIP,
            "internal_lb_vip_address": VIP,
        },
        Movement(moved(VIP), elsewhere=SHARED),
    ),
    "a name that HAProxy looks up": (
        {"external_lb_vip_address": "www.example.org", "internal_lb_vip_address": VIP},
        Movement(moved(VIP, OTHER), elsewhere=SHARED),
    ),
    "a wildcard": (
        {"external_lb_vip_address": "*", "internal_lb_vip_address": "*"},
        Movement(moved(VIP), elsewhere=SHARED),
    ),
    "an IPv6 wildcard": (
        {"external_lb_vip_address": "::", "internal_lb_vip_address": "::"},
        Movement(moved("2001:db8::10", VIP)),
    ),
    "an address of each node": (
        {"external_lb_vip_address": OTHER, "internal_lb_vip_address": VIP},
        Movement(moved(VIP)),
    ),
    "an address of this node by its facts": (
        {"external_lb_vip_address": OTHER, "internal_lb_vip_address": VIP},
        Movement(moved(VIP), own=[OTHER], own_is_whole=True, elsewhere=SHARED),
    ),
    "a VIP of LVS": (
        {"external_lb_vip_address": VIP, "internal_lb_vip_address": VIP},
        Movement(moved(VIP, OTHER), elsewhere=SHARED, others=True),
    ),
    "nothing that keepalived moves": ({"external_lb_vip_address": OTHER, "internal_lb_vip_address": OTHER}, None),
}


@pytest.mark.parametrize("name", AGREEING)
def test_no_disagreement(name: str) -> None:
    settings, movement = AGREEING[name]
    errors, doubts = said(settings, movement)
    assert not errors and not doubts


def test_an_address_of_one_service_counts_when_the_facts_are_known() -> None:
    service = {**WEB, "haproxy_service_name": "own", "haproxy_port": 81, "haproxy_bind": ["10.212.2.9"]}
    settings = {"external_lb_vip_address": VIP, "internal_lb_vip_address": VIP}
    assert said(settings, Movement(moved(VIP), elsewhere=SHARED), [WEB, service]) == ({}, {})
    errors, _doubts = said(settings, Movement(moved(VIP), own=["10.212.2.1"], own_is_whole=True), [WEB, service])
    assert list(errors) == ["haproxy_service_configs[1].haproxy_bind[0]"]


def test_what_another_node_binds_is_bound() -> None:
    service = {**WEB, "haproxy_service_name": "far", "haproxy_bind": [OTHER], "haproxy_limit_hosts": ["lb2"]}
    settings = {"external_lb_vip_address": VIP, "internal_lb_vip_address": VIP, "haproxy_host": "lb1"}
    assert said(settings, Movement(moved(VIP, OTHER), elsewhere=SHARED), [WEB, service]) == ({}, {})


def test_the_statistics_page_listens_too() -> None:
    settings = {
        "external_lb_vip_address": VIP,
        "internal_lb_vip_address": VIP,
        "haproxy_stats_enabled": True,
        "haproxy_stats_password": "x",
        "haproxy_stats_bind_address": OTHER,
    }
    errors, _doubts = said(settings, Movement(moved(VIP, OTHER), elsewhere=SHARED))
    assert not errors


def test_several_nodes_and_no_address_that_moves_is_a_doubt() -> None:
    """Keepalived may be set up by something else."""
    settings = {"external_lb_vip_address": VIP, "internal_lb_vip_address": VIP}
    errors, doubts = said(settings, Movement([], elsewhere=SHARED))
    assert not errors and "keepalived moves no address" in doubts["external_lb_vip_address"]


def test_what_cannot_be_a_vip_is_a_mistake_of_its_own() -> None:
    text = "'203.0.113.0/24'"
    errors, _doubts = said(
        {"external_lb_vip_address": OTHER, "internal_lb_vip_address": OTHER},
        Movement([], [Problem(CIDR, text, f"{text} is the address of the network itself")]),
    )
    assert list(errors) == [CIDR]
    assert "'203.0.113.0/24' is the address of the network itself." in errors[CIDR]
