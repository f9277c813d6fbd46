# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import node_from_vars
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved

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


def cluster(
    vips: list[Vars], hostvars: dict[str, Vars], spread: bool = False, servers: t.Sequence[str] = (), **trackers: t.Any
) -> Cluster:
    nodes = [node_from_vars(name, variables) for name, variables in hostvars.items()]
    return Cluster(moved(vips), nodes, Trackers(**trackers), spread, servers)


def instances(vips: list[Vars], hostvars: dict[str, Vars], this: str = "lb1", **trackers: t.Any) -> dict[str, Vars]:
    return cluster(vips, hostvars, **trackers).instances(this)


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
    cidrs = ["10.0.0.100/24", "2001:db8::100/64", "10.0.0.101/32"]
    found = instances([vip(cidr=cidrs, interface="br-flat")], OTHER_NETWORK, "lb2")

    assert list(found) == ["external", "external_ipv6"]
    assert found["external"]["vips"] == ["10.0.0.100/24 dev br-flat"]
    assert found["external"]["vips_excluded"] == ["10.0.0.101/32 dev br-flat"]
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
            "track_processs": [],
        }
    }


def test_adverts_of_the_own_network_have_all_hops() -> None:
    near = instances([vip(cidr=["10.0.0.100/24", "2001:db8::100/64"], interface="br-flat")], OTHER_NETWORK, "lb2")
    assert near["external"]["unicast_min_ttl"] == 255
    # Nodes that are still to be changed send less.
    assert "unicast_min_ttl" not in near["external_ipv6"]
    # Nobody knows which network that is.
    assert "unicast_min_ttl" not in instances([vip()], INVENTORY_ONLY, "lb2")["external"]
    far = {**OTHER_NETWORK, "lb1": {**OTHER_NETWORK["lb1"], "keepalived_unicast_address": "203.0.113.1"}}
    assert "unicast_min_ttl" not in instances([vip(interface="br-flat")], far, "lb2")["external"]


def test_one_more_address_changes_no_advert() -> None:
    """A node that has it not yet would drop adverts that name it, and serve beside their sender."""
    first = instances([vip()], INVENTORY_ONLY, "lb1")["external"]
    more = instances([vip(cidr=["10.0.0.100/24", "10.0.0.101/24"])], INVENTORY_ONLY, "lb1")["external"]
    assert more.pop("vips_excluded") == ["10.0.0.101/24 dev eth0"]
    assert more == first


WEIGHTED = {
    "scripts": {"ping": {"weight": -60}, "one": {"instance": "external", "weight": "-70"}},
    "track_files": {"maintenance": {"weight": -80}, "value": {}},
    "track_processs": {"agent": {"weight": "20 reverse"}, "daemon": {"weight": 0}},
}


@settings(deadline=None, derandomize=True, max_examples=40)
@given(nodes=st.integers(2, 20), vips=st.integers(1, 30))
def test_each_node_is_preferred_by_its_share(nodes: int, vips: int) -> None:
    names = [f"lb{n}" for n in range(1, nodes + 1)]
    hostvars: dict[str, Vars] = {name: {"ansible_host": f"10.0.0.{n}"} for n, name in enumerate(names, 1)}
    wanted = [vip(name=f"v{n}", cidr=f"10.0.1.{n}/16", virtual_router_id=None) for n in range(vips)]
    found = cluster(wanted, hostvars, spread=True, track_files={"maintenance": {"weight": -100}}).all_instances()

    priorities = {f"v{n}": [found[name][f"v{n}"]["priority"] for name in names] for n in range(vips)}
    assert all(len(set(levels)) == nodes for levels in priorities.values())
    preferred = [levels.index(max(levels)) for levels in priorities.values()]
    shares = [preferred.count(index) for index in range(nodes)]
    assert set(shares) <= {vips // nodes, -(-vips // nodes)}


def order(found: dict[str, dict[str, Vars]], instance: str) -> list[str]:
    """The names of the nodes as their priorities have them."""
    return sorted(found, key=lambda name: -found[name][instance]["priority"])


def test_hosts_of_a_vip_go_before_all() -> None:
    wanted = [
        vip(hosts=["lb3"]),
        vip(name="b", cidr="10.0.0.101/24", virtual_router_id=11),
        vip(name="c", cidr="10.0.0.102/24", virtual_router_id=12, hosts=["lb2", "lb3", "lb1"]),
        vip(name="d", cidr="10.0.0.103/24", virtual_router_id=13),
    ]

    found = cluster(wanted, INVENTORY_ONLY, spread=True).all_instances()
    assert order(found, "external") == ["lb3", "lb1", "lb2"]
    # The first two that are spread: those with hosts do not count.
    assert order(found, "b") == ["lb1", "lb2", "lb3"]
    assert order(found, "c") == ["lb2", "lb3", "lb1"]
    assert order(found, "d") == ["lb2", "lb3", "lb1"]
    assert order(cluster(wanted, INVENTORY_ONLY).all_instances(), "d") == ["lb1", "lb2", "lb3"]


def test_all_weights_count() -> None:
    found = cluster([vip(), vip(name="b", cidr="10.0.0.101/24", virtual_router_id=11)], INVENTORY_ONLY, **WEIGHTED)

    # -60 - 70 - 80 - 20 leave 254 - 230 - 1 levels, and the smallest weight 19 between first and last.
    assert [found.instances(name)["external"]["priority"] for name in INVENTORY_ONLY] == [254, 250, 246]
    with pytest.raises(VrrpError, match="25 nodes with tracker weights -60, -80, 0, -20, 0 do not fit"):
        nodes = {f"lb{n}": {"ansible_host": f"10.0.0.{n}"} for n in range(1, 26)}
        cluster([vip(name="b")], nodes, **WEIGHTED).instances("lb1")


def test_a_weight_that_is_none_is_left_to_the_model() -> None:
    assert instances([vip()], INVENTORY_ONLY, scripts={"ping": {"weight": "heavy"}})["external"]["priority"] == 254


def test_a_sync_group_tracks_what_belongs_to_any_member() -> None:
    wanted = [
        vip(cidr=["10.0.0.100/24", "2001:db8::100/64"], sync_group="both"),
        vip(name="internal", cidr="10.0.0.101/24", virtual_router_id=11, sync_group="both"),
        vip(name="other", cidr="10.0.0.102/24", virtual_router_id=12),
    ]
    trackers = {
        "scripts": {
            "all": {"weight": 0},
            "ping_e": {"instance": "external", "weight": -60},
            "ping_i": {"instance": "internal", "weight": -70},
            "ping_o": {"instance": "other", "weight": -80},
        },
        "track_files": {"maintenance": {"weight": -50}},
    }
    found = cluster(wanted, CHOSEN | {"lb3": {"keepalived_unicast_address": ["10.0.0.3", "2001:db8::3"]}}, **trackers)

    assert found.sync_groups() == {
        "both": {
            "instances": ["external", "external_ipv6", "internal"],
            "track_scripts": ["all", "ping_e", "ping_i"],
            "track_files": ["maintenance"],
            "track_processs": [],
        }
    }
    instances = found.instances("lb1")
    assert [instances[name]["track_scripts"] for name in instances] == [[], [], [], ["all", "ping_o"]]
    assert [instances[name]["track_files"] for name in instances] == [[], [], [], ["maintenance"]]


# Outside, inside, and where servers are that have no virtual address in their network.
THREE_NETWORKS: dict[str, Vars] = {
    f"lb{n}": {
        "ansible_host": f"10.0.0.{n}",
        "ansible_facts": facts(
            eth0=[f"10.0.0.{n}/24", "10.0.0.101/24"],
            eth1=[f"192.168.9.{n}/24", f"2001:db8:9::{n}/64"],
            eth2=[f"192.168.10.{n}/24"],
            eth3=[f"192.168.0.{n}/16"],
            lo=["127.0.0.1/32"],
        ),
    }
    for n in (1, 2)
}


@pytest.mark.parametrize(
    "servers, external, internal",
    [
        ([], [], []),
        # in the network of the internal VIP, whose own interface needs no word
        (["192.168.9.21", "192.168.9.22"], ["eth1"], []),
        (["2001:db8:9::21"], ["eth1"], []),
        # the most specific network counts, as with a route
        (["192.168.10.21"], ["eth2"], ["eth2"]),
        (["192.168.11.21", "192.168.10.21"], ["eth2", "eth3"], ["eth2", "eth3"]),
        # in the network of the external VIP
        (["10.0.0.21"], [], ["eth0"]),
        # behind a router, or only known by name: wherever a VIP is
        (["172.16.0.1"], ["eth1"], ["eth0"]),
        (["web.example.org"], ["eth1"], ["eth0"]),
        # the node itself
        (["127.0.0.1", "192.168.9.1"], [], []),
    ],
)
def test_the_link_to_the_servers(servers: list[str], external: list[str], internal: list[str]) -> None:
    vips = [vip(), vip(name="internal", cidr="192.168.9.100/24", interface="eth1", virtual_router_id=11)]
    found = instances(vips, THREE_NETWORKS, servers=servers, track_files={"settled": {"soft": True}})

    def links(name: str) -> list[str]:
        # Two nodes four apart: five put the first one behind the second.
        return [entry.removesuffix(" weight -5") for entry in found[name].get("track_interfaces", [])]

    assert (links("external"), links("internal")) == (external, internal)
    assert found["external"]["track_files"] == ["settled weight -5"]


def test_without_facts_no_link_is_known() -> None:
    assert "track_interfaces" not in instances([vip()], INVENTORY_ONLY, servers=["10.0.0.21", "web"])["external"]


def test_soft_trackers_without_room_are_left_out() -> None:
    weights = {"scripts": {"a": {"weight": -126}, "b": {"weight": -126}}, "track_files": {"settled": {"soft": True}}}
    found = instances([vip()], THREE_NETWORKS, servers=["192.168.9.21"], **weights)["external"]

    assert (found["track_files"], found["track_scripts"]) == ([], ["a", "b"])
    assert "track_interfaces" not in found


def test_a_sync_group_tracks_the_link_to_the_servers() -> None:
    """What is no member's own interface; a member that loses its own takes the group along anyway."""
    vips = [
        vip(sync_group="g"),
        vip(name="internal", cidr="192.168.9.100/24", interface="eth1", virtual_router_id=11, sync_group="g"),
    ]
    servers = ["192.168.9.21", "192.168.10.21"]
    found = cluster(vips, THREE_NETWORKS, servers=servers, track_files={"settled": {"soft": True}})

    assert found.sync_groups("lb1")["g"]["track_interfaces"] == ["eth2 weight -5"]
    assert found.sync_groups("lb1")["g"]["track_files"] == ["settled weight -5"]
    assert not any("track_interfaces" in instance for instance in found.instances("lb1").values())


def test_a_sync_group_moves_as_one() -> None:
    wanted = [
        vip(name=f"v{n}", cidr=f"10.0.0.{100 + n}/24", virtual_router_id=n, sync_group=group)
        for n, group in enumerate(["a", "b", "", "a", "b"], 1)
    ]
    found = cluster(wanted, INVENTORY_ONLY, spread=True).all_instances()

    assert order(found, "v1") == order(found, "v4") == ["lb1", "lb2", "lb3"]
    assert order(found, "v2") == order(found, "v5") == ["lb2", "lb3", "lb1"]
    assert order(found, "v3") == ["lb3", "lb1", "lb2"]


def test_a_group_of_one_instance_is_none() -> None:
    found = cluster([vip(sync_group="alone")], INVENTORY_ONLY, scripts={"ping": {"weight": -60}})

    assert found.sync_groups() == {}
    assert found.instances("lb1")["external"]["track_scripts"] == ["ping"]


# By name, from the CRC-32 that gzip writes: it must never change, or a cluster would split while it is upgraded.
ROUTER_IDS = [("external", 6), ("internal", 32), ("b", 27)]


@pytest.mark.parametrize("name, number", ROUTER_IDS)
def test_a_router_id_follows_from_the_name(name: str, number: int) -> None:
    found = instances([vip(name=name, virtual_router_id="")], INVENTORY_ONLY)

    assert found[name]["virtual_router_id"] == number


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["eth0", "eth1"]), st.sampled_from("46d"), st.none() | st.integers(1, 255)),
        max_size=60,
    )
)
def test_router_ids(wanted: list[tuple[str, str, int | None]]) -> None:
    """Given ones are kept, no two are the same on an interface, and VIPs that come later change nothing."""
    nodes = {"lb1": {"ansible_host": "10.0.0.1"}}
    vips = []
    seen: set[tuple[str, str, int]] = set()
    for n, (interface, families, number) in enumerate(wanted, 1):
        versions = "46" if families == "d" else families
        if number and any((interface, version, number) in seen for version in versions):
            number = None
        seen |= {(interface, version, number or 0) for version in versions}
        cidr = {"4": f"10.0.1.{n}/16", "6": f"2001:db8::{n}/64"}
        vips.append(
            vip(
                name=f"v{n}",
                interface=interface,
                virtual_router_id=number,
                cidr=[cidr[version] for version in versions],
            )
        )
    found = instances(vips, nodes)

    used = [(entry["interface"], ":" in entry["vips"][0], entry["virtual_router_id"]) for entry in found.values()]
    assert len(used) == len(set(used))
    for entry in vips:
        ids = {found[name]["virtual_router_id"] for name in (entry["name"], f"{entry['name']}_ipv6") if name in found}
        assert len(ids) == 1
        assert entry["virtual_router_id"] in (None, *ids)
    given_ones = [entry for entry in vips if entry["virtual_router_id"]]
    derived = [entry for entry in vips if not entry["virtual_router_id"]]
    if derived:
        before = instances([*given_ones, *derived[:-1]], nodes)
        after = instances([*given_ones, *derived], nodes)
        assert {name: after[name] for name in before} == before


def test_ipv4_and_ipv6_may_share_a_router_id() -> None:
    found = instances([vip(), vip(name="b", cidr="2001:db8::9/64")], {"lb1": {"ansible_host": "10.0.0.1"}})

    assert {entry["virtual_router_id"] for entry in found.values()} == {10}


def test_no_router_id_is_left() -> None:
    vips = [vip(name=f"v{n}", cidr=f"10.0.{n // 200}.{n % 200 + 1}/16", virtual_router_id=None) for n in range(256)]

    assert len(instances(vips[:255], {"lb1": {"ansible_host": "10.0.0.1"}})) == 255
    with pytest.raises(VrrpError, match="VIP v255: all 255 router ids are taken"):
        instances(vips, {"lb1": {"ansible_host": "10.0.0.1"}})


OTHER_NAMES: dict[str, Vars] = {
    "lb1": {"ansible_host": "10.0.0.1", "ansible_facts": facts(eth0=["10.0.0.1/24"])},
    "lb2": {"ansible_host": "10.0.0.2", "ansible_facts": facts(ens3=["10.9.9.9/24"], ens4=["10.0.0.2/24"])},
}


@pytest.mark.parametrize("cidr", ["10.0.0.100/24", "10.0.0.100/32"])
def test_another_node_may_name_the_interface_differently(cidr: str) -> None:
    found = cluster([vip(cidr=cidr)], OTHER_NAMES).all_instances()

    assert found["lb1"]["external"]["vips"] == [f"{cidr} dev eth0"]
    assert found["lb2"]["external"]["vips"] == [f"{cidr} dev ens4"]
    assert found["lb2"]["external"]["unicast_src_ip"] == "10.0.0.2"


def test_what_only_another_node_knows_is_left_out() -> None:
    """As with --limit: lb2 finds its own address by facts, and lb1, whose facts are not here, would find it too."""
    hostvars: dict[str, Vars] = {
        "lb1": {"keepalived_unicast_address": "10.0.0.1"},
        "lb2": {"ansible_host": "lb2.example.org", "ansible_facts": facts(eth0=["10.0.0.2/24"])},
    }
    found = cluster([vip()], hostvars)

    assert found.instances("lb2")["external"]["unicast_peers"] == ["10.0.0.1"]
    assert found.all_instances()["lb2"] == found.instances("lb2")
    assert "unicast_peers" not in found.all_instances()["lb1"]["external"]
    assert found.all_instances()["lb1"]["external"]["priority"] == 254


def test_all_hosts_are_what_each_host_is() -> None:
    wanted = [vip(cidr=["10.0.0.100/24", "2001:db8::100/64"], interface="br-flat")]
    found = cluster(wanted, OTHER_NETWORK, spread=True)

    assert found.all_instances() == {name: found.instances(name) for name in OTHER_NETWORK}


def test_single_node_has_no_peers() -> None:
    found = instances([vip()], {"lb1": {"ansible_host": "10.0.0.1"}})["external"]

    assert "unicast_src_ip" not in found


@pytest.mark.parametrize("cidr", ["", [], None])
def test_vip_without_address(cidr: t.Any) -> None:
    assert moved([vip(cidr=cidr, interface="")]) == []


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
        ([vip()], INVENTORY_ONLY, "lb9", "Host lb9 is not a keepalived host (lb1, lb2, lb3)"),
        ([vip(interface="eth9")], FACTS_AGREE, "lb1", "no interface eth9; it has eth0"),
        ([vip(cidr="2001:db8::9/64")], FACTS_AGREE, "lb1", "lb1 has no IPv6 address on interface eth0"),
        ([vip()], {"lb1": {"ansible_host": "10.0.0.1"}, "lb2": {}}, "lb1", "lb2 has no IPv4 address"),
        ([vip()], {"lb1": {"ansible_host": "10.0.0.1"}, "lb2": {}}, "lb1", "gather facts"),
        ([vip(), vip(cidr="10.0.0.101/24")], INVENTORY_ONLY, "lb1", "external is defined twice"),
        ([vip(), vip(name="b", cidr="10.0.0.101/24")], INVENTORY_ONLY, "lb1", "share virtual_router_id 10"),
        (
            [vip(hosts=["lb2", "lb9"])],
            INVENTORY_ONLY,
            "lb1",
            "lb9 in hosts is not a keepalived host; use lb1, lb2, lb3",
        ),
        (
            [
                vip(sync_group="g"),
                vip(name="b", cidr="10.0.0.101/24", virtual_router_id=11, sync_group="g", hosts="lb2"),
            ],
            INVENTORY_ONLY,
            "lb1",
            "VIPs external and b are in the sync group g, so they move together: set the same hosts for both",
        ),
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


def test_a_tracker_of_a_type_belongs_to_all_vips_of_it() -> None:
    entries = [
        {"name": "web", "address": "10.0.0.100/24", "interface": "eth0"},
        {"name": "mgmt", "address": "10.0.0.101/24", "interface": "eth0", "type": "internal"},
    ]
    ping = {"check_script": "/usr/bin/true", "weight": -100, "instance": "external"}
    nodes = [node_from_vars(name, variables) for name, variables in INVENTORY_ONLY.items()]
    found = Cluster(moved({"haproxy_vips": entries}), nodes, Trackers({"ping": ping})).instances("lb1")
    assert {name: entry["track_scripts"] for name, entry in found.items()} == {"web": ["ping"], "mgmt": []}
