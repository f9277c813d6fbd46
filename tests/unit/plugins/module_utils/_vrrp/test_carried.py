# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses the variables of an inventory give to keepalived."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import flaw
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.carried import carried


def places(**variables: t.Any) -> dict[str, str]:
    found, mistakes = carried(variables)
    assert not mistakes
    return {one.path: one.plain for one in found}


def test_each_way_to_name_an_address() -> None:
    external = {"haproxy_keepalived_external_vip_cidr": ["192.0.2.10/24", "2001:db8::10/64"]}
    assert places(**external, haproxy_keepalived_internal_vip_cidr="") == {
        "haproxy_keepalived_external_vip_cidr[0]": "192.0.2.10",
        "haproxy_keepalived_external_vip_cidr[1]": "2001:db8::10",
    }
    vips = [{"name": "left_out", "cidr": ""}, {"name": "web", "cidr": "192.0.2.11/24"}]
    assert places(**external, keepalived_vips=vips) == {"keepalived_vips[1].cidr": "192.0.2.11"}
    instances = {"web": {"vips": ["192.0.2.12/24 dev br-ext"], "vips_excluded": ["192.0.2.13"]}}
    assert places(**external, keepalived_vips=vips, keepalived_instances=instances) == {
        "keepalived_instances.web.vips[0]": "192.0.2.12",
        "keepalived_instances.web.vips_excluded[0]": "192.0.2.13",
    }


def test_overrides_replace_lists_by_instance_and_add_instances() -> None:
    found = places(
        haproxy_keepalived_external_vip_cidr=["192.0.2.10/24", "192.0.2.11/24", "2001:db8::10/64"],
        keepalived_instances_overrides={
            "external": {"vips": ["192.0.2.20/24 dev eth0"], "priority": 7},
            "more": {"vips": ["192.0.2.30/24"]},
        },
    )
    assert sorted(found.values()) == ["192.0.2.11", "192.0.2.20", "192.0.2.30", "2001:db8::10"]


def test_raw_lines_carry_addresses_too() -> None:
    raw = ["vrrp_instance more {", "  virtual_ipaddress {", "    192.0.2.40/24 dev eth0", "  }", "}"]
    instances = {"web": {"raw": ["virtual_ipaddress {", "192.0.2.41/24", "}"]}}
    assert set(places(keepalived_raw=raw, keepalived_instances=instances).values()) == {"192.0.2.40", "192.0.2.41"}


# RFC 1122, 3.2.1.3: neither host part is all zeros or all ones; RFC 3021: but in a network of two both are hosts;
# RFC 4291, 2.6.1: an IPv6 address with a host part of zeros is the routers'.
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("203.0.113.10/24", ""),
        ("203.0.113.0/31", ""),
        ("203.0.113.255/23", "broadcast"),
        ("203.0.112.255/23", ""),
        ("203.0.113.0/24", "network 203.0.113.0/24 itself"),
        ("203.0.113.10/32", ""),
        ("2001:db8::/64", "network 2001:db8::/64 itself"),
        ("2001:db8::ffff:ffff:ffff:ffff/64", ""),
        ("203.0.113.999/24", "not an address with a prefix length"),
        ("203.0.113.10/33", "not an address with a prefix length"),
        ("203.0.113.10", "no prefix length"),
        ("2001:db8::10", "such as 2001:db8::10/64"),
        ("224.0.0.18/24", "no address that moves"),
        ("127.0.0.2/8", "no address that moves"),
        ("www.example.org", "not an address with a prefix length"),
    ],
)
def test_what_no_node_can_hold(text: str, why: str) -> None:
    said = flaw(text)
    assert why in said and bool(why) == bool(said)


def test_a_mistake_names_its_place() -> None:
    _found, (first, second) = carried(
        {"keepalived_vips": [{"name": "a", "cidr": "192.0.2.0/24"}, {"name": "b", "cidr": ["192.0.2.1/24", "x"]}]}
    )
    assert (first.path, first.value) == ("keepalived_vips[0].cidr", "'192.0.2.0/24'")
    assert (second.path, second.value) == ("keepalived_vips[1].cidr[1]", "'x'")
