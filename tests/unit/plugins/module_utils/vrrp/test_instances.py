# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.instances import (
    node_from_vars,
    vip_from_dict,
    vrrp_instances,
)

Vars = dict[str, t.Any]


def facts(**links: list[str]) -> Vars:
    """Facts as Ansible's setup module gives them: one entry for each interface, named with underscores."""
    found: Vars = {"interfaces": list(links), "default_ipv4": {"address": "203.0.113.1"}}
    for name, addresses in links.items():
        fact: Vars = {"device": name.replace("_", "-"), "type": "ether", "ipv6": []}
        for address in addresses:
            ip, _slash, prefix = address.partition("/")
            if ":" in ip:
                # Linux lists the newest IPv6 address first.
                fact["ipv6"].insert(0, {"address": ip, "prefix": prefix, "scope": "global"})
            else:
                netmask = {"24": "255.255.255.0", "16": "255.255.0.0", "32": "255.255.255.255"}[prefix]
                entry = {"address": ip, "netmask": netmask}
                if "ipv4" in fact:
                    fact.setdefault("ipv4_secondaries", []).append(entry)
                else:
                    fact["ipv4"] = entry
        found[name] = fact
    return found


def vip(**changes: t.Any) -> Vars:
    return {"name": "external", "cidr": "10.0.0.100/24", "interface": "eth0", "virtual_router_id": 10, **changes}


def instances(vips: list[Vars], hostvars: dict[str, Vars], this: str = "lb1", **trackers: t.Any) -> dict[str, Vars]:
    wanted = [found for found in map(vip_from_dict, vips) if found]
    nodes = [node_from_vars(name, variables) for name, variables in hostvars.items()]
    return vrrp_instances(wanted, nodes, this, trackers.get("scripts", {}), trackers.get("track_files", {}))


INVENTORY_ONLY: dict[str, Vars] = {f"lb{n}": {"ansible_host": f"10.0.0.{n}"} for n in (1, 2, 3)}

FACTS_AGREE: dict[str, Vars] = {
    f"lb{n}": {"ansible_host": f"10.0.0.{n}", "ansible_facts": facts(eth0=[f"10.0.0.{n}/24"])} for n in (1, 2, 3)
}

# The nodes are reached over eth0; the virtual address lives on another network and at the moment on lb1 and lb2.
OTHER_NETWORK: dict[str, Vars] = {
    f"lb{n}": {
        "ansible_host": f"192.168.9.{n}",
        "ansible_facts": facts(
            eth0=[f"192.168.9.{n}/24"], br_flat=["10.0.0.100/24", f"10.0.0.{n}/24", f"2001:db8::{n}/64", "fe80::1/64"]
        ),
    }
    for n in (1, 2, 3)
}

CHOSEN: dict[str, Vars] = {
    "lb1": {"ansible_host": "lb1.example.org", "keepalived_unicast_address": ["10.0.0.1", "2001:db8::1"]},
    "lb2": {"ansible_host": "lb2.example.org", "keepalived_unicast_address": ["2001:db8::2", "10.0.0.2"]},
    "lb3": {"keepalived_unicast_address": "10.0.0.3"},
}


@pytest.mark.parametrize(
    "hostvars, changes, this, source, peers",
    [
        (INVENTORY_ONLY, {}, "lb1", "10.0.0.1", ["10.0.0.2", "10.0.0.3"]),
        (INVENTORY_ONLY, {}, "lb2", "10.0.0.2", ["10.0.0.1", "10.0.0.3"]),
        (FACTS_AGREE, {}, "lb1", "10.0.0.1", ["10.0.0.2", "10.0.0.3"]),
        # some facts are not known, as with --limit
        ({**FACTS_AGREE, "lb2": INVENTORY_ONLY["lb2"]}, {}, "lb1", "10.0.0.1", ["10.0.0.2", "10.0.0.3"]),
        (OTHER_NETWORK, {"interface": "br-flat"}, "lb1", "10.0.0.1", ["10.0.0.2", "10.0.0.3"]),
        (OTHER_NETWORK, {"interface": "eth0"}, "lb3", "192.168.9.3", ["192.168.9.1", "192.168.9.2"]),
        (CHOSEN, {}, "lb2", "10.0.0.2", ["10.0.0.1", "10.0.0.3"]),
        ({"10.0.0.1": {}, "10.0.0.2": {}}, {}, "10.0.0.1", "10.0.0.1", ["10.0.0.2"]),
    ],
)
def test_unicast(hostvars: dict[str, Vars], changes: Vars, this: str, source: str, peers: list[str]) -> None:
    found = instances([vip(**changes)], hostvars, this)["external"]

    assert (found["unicast_src_ip"], found["unicast_peers"]) == (source, peers)


# What facts hold after a change of the VIP: lb1 and lb2 still carry the old one, which no variable names any more. It
# is lower than all real addresses, and inventory names say nothing.
OLD_VIP: dict[str, Vars] = {
    name: {
        "ansible_host": f"{name}.example.org",
        "ansible_facts": facts(
            br_mgmt=[f"192.168.9.{n}/24"],
            eth0=[f"10.0.0.{n}/24", *old, f"2001:db8::{n}/64", *old_ipv6],
        ),
    }
    for name, n, old, old_ipv6 in (
        ("lb1", 41, ["10.0.0.5/24", "10.0.0.100/24"], ["2001:db8::5/64"]),
        ("lb2", 42, ["10.0.0.5/24"], ["2001:db8::5/64"]),
        ("lb3", 43, [], []),
    )
}


@pytest.mark.parametrize("this", ["lb1", "lb2", "lb3"])
def test_an_old_vip_is_nobodys_address(this: str) -> None:
    found = instances([vip(cidr=["10.0.0.100/24", "2001:db8::100/64"])], OLD_VIP, this)

    own = {"lb1": "41", "lb2": "42", "lb3": "43"}
    others = [number for name, number in own.items() if name != this]
    for name, net in (("external", "10.0.0."), ("external_ipv6", "2001:db8::")):
        assert found[name]["unicast_src_ip"] == net + own[this]
        assert found[name]["unicast_peers"] == [net + number for number in others]


@pytest.mark.parametrize("addresses", [["10.0.0.5/32", "10.0.0.41/24"], ["10.0.0.41/24", "10.0.0.5/32"]])
def test_an_address_without_a_network_is_the_last_choice(addresses: list[str]) -> None:
    hostvars = {
        "lb1": {"ansible_host": "lb1.example.org", "ansible_facts": facts(eth0=addresses)},
        "lb2": FACTS_AGREE["lb2"],
    }

    assert instances([vip()], hostvars, "lb1")["external"]["unicast_src_ip"] == "10.0.0.41"
    assert instances([vip()], hostvars, "lb2")["external"]["unicast_peers"] == ["10.0.0.41"]


def test_families() -> None:
    cidrs = ["10.0.0.100/24", "2001:db8::100/64", "10.0.0.101"]
    found = instances([vip(cidr=cidrs, interface="br-flat")], OTHER_NETWORK, "lb2")

    assert list(found) == ["external", "external_ipv6"]
    assert found["external"]["vips"] == ["10.0.0.100/24 dev br-flat", "10.0.0.101/32 dev br-flat"]
    assert found["external_ipv6"]["vips"] == ["2001:db8::100/64 dev br-flat"]
    assert found["external_ipv6"]["unicast_src_ip"] == "2001:db8::2"
    assert found["external_ipv6"]["unicast_peers"] == ["2001:db8::1", "2001:db8::3"]


def test_whole_instance() -> None:
    scripts = {"all": {"weight": 0}, "mine": {"instance": "external", "weight": -100}, "other": {"instance": "x"}}
    track_files = {"ready": {"weight": 0}, "else": {"instance": "x"}}

    assert instances([vip()], INVENTORY_ONLY, "lb2", scripts=scripts, track_files=track_files) == {
        "external": {
            "interface": "eth0",
            "state": "BACKUP",
            "virtual_router_id": 10,
            "priority": 250,
            "advert_int": 0.25,
            "unicast_src_ip": "10.0.0.2",
            "unicast_peers": ["10.0.0.1", "10.0.0.3"],
            "vips": ["10.0.0.100/24 dev eth0"],
            "track_scripts": ["all", "mine"],
            "track_files": ["ready"],
        }
    }


def test_single_node_has_no_peers() -> None:
    found = instances([vip()], {"lb1": {"ansible_host": "10.0.0.1"}})["external"]

    assert "unicast_src_ip" not in found


@pytest.mark.parametrize("cidr", ["", [], None])
def test_vip_without_address(cidr: t.Any) -> None:
    assert vip_from_dict(vip(cidr=cidr, interface="")) is None


@pytest.mark.parametrize(
    "vips, hostvars, this, words",
    [
        ([vip(cidr="10.0.0.300/24")], INVENTORY_ONLY, "lb1", "'10.0.0.300/24' is not an address"),
        ([vip(cidr="vip.example.org")], INVENTORY_ONLY, "lb1", "'vip.example.org' is not an address"),
        ([vip(interface="")], INVENTORY_ONLY, "lb1", "no interface"),
        ([vip(virtual_router_id="ten")], INVENTORY_ONLY, "lb1", "virtual_router_id must be a number, not 'ten'"),
        ([vip(virtual_router_id=0)], INVENTORY_ONLY, "lb1", "virtual_router_id 0"),
        ([vip(virtual_router_id=256)], INVENTORY_ONLY, "lb1", "virtual_router_id 256"),
        ([vip(advert_int=0)], INVENTORY_ONLY, "lb1", "advert_int 0"),
        ([vip()], {}, "lb1", "keepalived_hosts is empty: set it to all nodes that share the VIPs"),
        ([vip()], INVENTORY_ONLY, "lb9", "Host lb9 is none of the keepalived hosts (lb1, lb2, lb3)"),
        ([vip(interface="eth9")], FACTS_AGREE, "lb1", "no interface eth9; it has eth0"),
        ([vip(cidr="2001:db8::9/64")], FACTS_AGREE, "lb1", "lb1 has no IPv6 address on interface eth0"),
        ([vip()], {"lb1": {"ansible_host": "10.0.0.1"}, "lb2": {}}, "lb1", "lb2 has no IPv4 address"),
        ([vip()], {"lb1": {"ansible_host": "10.0.0.1"}, "lb2": {}}, "lb1", "gather facts"),
        ([vip(), vip(cidr="10.0.0.101/24")], INVENTORY_ONLY, "lb1", "external is defined twice"),
        ([vip(), vip(name="b", cidr="10.0.0.101/24")], INVENTORY_ONLY, "lb1", "share virtual_router_id 10"),
        ([vip(), vip(name="b", virtual_router_id=11)], INVENTORY_ONLY, "lb1", "belongs to both VIPs external and b"),
    ],
)
def test_mistakes(vips: list[Vars], hostvars: dict[str, Vars], this: str, words: str) -> None:
    with pytest.raises(VrrpError) as caught:
        instances(vips, hostvars, this)

    assert words in str(caught.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(VrrpError) as caught:
        instances([vip(), vip(name="b", virtual_router_id=0)], {"lb1": {}, "lb2": {}})

    assert len(caught.value.details["errors"]) == 4
