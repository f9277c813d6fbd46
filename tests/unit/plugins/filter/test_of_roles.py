# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What roles and playbooks make of their variables and of modules' results."""

from __future__ import annotations

import typing as t

import jinja2
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.certain_mistakes import certain_mistakes
from ansible_collections.lbforge.haproxy.plugins.filter.certificate_bundles import certificate_bundles
from ansible_collections.lbforge.haproxy.plugins.filter.host_addresses import host_addresses
from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_conflicts import keepalived_conflicts
from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_secrets import keepalived_secrets
from ansible_collections.lbforge.haproxy.plugins.filter.loaded_bundles import loaded_bundles
from ansible_collections.lbforge.haproxy.plugins.filter.lvs_director import lvs_director
from ansible_collections.lbforge.haproxy.plugins.filter.plain_addresses import plain_addresses
from ansible_collections.lbforge.haproxy.plugins.filter.release_files import release_files
from ansible_collections.lbforge.haproxy.plugins.filter.servers_of_host import servers_of_host
from ansible_collections.lbforge.haproxy.plugins.filter.static_sources import static_sources
from ansible_collections.lbforge.haproxy.plugins.filter.vip_of_type import vip_of_type
from ansible_collections.lbforge.haproxy.plugins.filter.with_variables import with_variables

BUNDLES = [{"name": "vip.pem", "content": "KEY1"}, {"name": "shop.pem", "content": "KEY2"}]
CA_FILES = [{"name": "Clients.ca.pem", "content": "CA"}, {"name": "Clients.crl.pem", "content": "CRL"}]
ACME = [{"name": "shop", "files": ["shop"]}]


def test_a_certificate_by_acme_is_one_to_start_with() -> None:
    assert certificate_bundles(BUNDLES, ACME, CA_FILES) == [
        {"name": "vip.pem", "content": "KEY1"},
        {"name": "shop.pem", "content": "KEY2", "bootstrap": True},
        *CA_FILES,
    ]


def test_only_what_haproxy_has_is_replaced() -> None:
    running = {
        "certificates": [{"path": "/ssl/vip.pem"}, {"path": "/ssl/shop.pem"}, {"path": "/ssl/gone.pem"}],
        "ca_files": [{"path": "/ssl/Clients.crl.pem", "kind": "crl"}, {"path": "/etc/ssl/certs/all.crt", "kind": "ca"}],
    }
    assert loaded_bundles(certificate_bundles(BUNDLES, ACME, CA_FILES), running, "/ssl") == {
        "certificates": [{"name": "/ssl/vip.pem", "content": "KEY1"}],
        "client_files": [
            {"dest": "/ssl/Clients.crl.pem", "content": "CRL", "owner": "root", "group": "root", "mode": "0600"}
        ],
    }


def test_a_release_has_the_users_files_whose_condition_holds() -> None:
    files: list[dict[str, t.Any]] = [
        {"dest": "/etc/haproxy/a.http", "content": "A"},
        {"dest": "/etc/haproxy/b.http", "src": "errors/b"},
        {"dest": "/etc/haproxy/c.http", "src": "errors/c", "condition": False},
        {"dest": "/etc/haproxy/d.http", "src": "errors/d", "condition": True},
        {"dest": "/etc/haproxy/e.http", "content": "E", "condition": "false"},
        {"dest": "/etc/haproxy/f.http", "content": "F", "condition": ""},
    ]
    assert static_sources(files) == ["errors/b", "errors/d"]
    model = {
        "maps": {"hosts.map": "x y"},
        "network_lists": {"office.acl": "10.0.0.0/8"},
        "crt_lists": {"web.list": "vip.pem"},
    }
    assert release_files({"configuration": "global", "model": model}, files, ["B", "D"]) == {
        "haproxy.cfg": "global",
        "hosts.map": "x y",
        "office.acl": "10.0.0.0/8",
        "web.list": "vip.pem",
        "a.http": "A",
        "b.http": "B",
        "d.http": "D",
    }


@pytest.mark.parametrize(
    "value, addresses",
    [
        ("", []),
        (None, []),
        ("192.0.2.10/24", ["192.0.2.10"]),
        ("192.0.2.10/24 dev eth0 scope link", ["192.0.2.10"]),
        (["2001:db8::10/64", ["192.0.2.1"]], ["2001:db8::10", "192.0.2.1"]),
        (
            [{"name": "one", "cidr": ["192.0.2.10/24", ""]}, {"address": "lb.example.org"}],
            ["192.0.2.10", "lb.example.org"],
        ),
    ],
)
def test_addresses_lose_what_is_no_address(value: t.Any, addresses: list[str]) -> None:
    assert plain_addresses(value) == addresses


def test_the_vips_of_others_are_what_the_inventory_says() -> None:
    hostvars: dict[str, dict[str, t.Any]] = {
        "lb2": {"external_lb_vip_address": "192.0.2.10", "extra_lb_vip_addresses": ["192.0.2.11", "192.0.2.12"]},
        "lb3": {"haproxy_vip_binds": [{"address": "192.0.2.13", "interface": "eth0"}], "haproxy_interval": "3s"},
    }
    assert host_addresses(["lb2", "lb3"], hostvars, of="vips") == [
        "192.0.2.10",
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
    ]


def server(backend: str, name: str, address: str, **now: t.Any) -> dict[str, t.Any]:
    before = {"address": address, "state": now.get("state", "ready"), "weight": now.get("weight", 1)}
    return {"backend": backend, "name": name, "status": now.get("status", "UP"), "before": before}


def found(servers: list[dict[str, t.Any]], host: str = "web1") -> tuple[list[str], list[str]]:
    answer = servers_of_host(servers, host, {"web1": {"ansible_host": "192.0.2.1"}, "web2": {}})
    return [f"{one['backend']}/{one['name']}" for one in answer["servers"]], answer["pools"]


def test_a_host_is_known_by_name_and_address() -> None:
    servers = [
        server("one", "web1", "192.0.2.7"),
        server("two", "app", "192.0.2.1"),
        server("two", "web2", "192.0.2.2"),
        server("three", "other", "127.0.0.1"),
    ]
    assert found(servers) == (["one/web1", "two/app"], ["one"])
    assert found(servers, "192.0.2.2") == (["two/web2"], [])
    # Behind a loopback address may be anything.
    assert found(servers, "127.0.0.1") == ([], [])


@pytest.mark.parametrize(
    "other",
    [{"state": "drain"}, {"state": "maint", "status": "MAINT"}, {"weight": 0}, {"status": "DOWN"}, {"status": "NOLB"}],
)
def test_a_pool_needs_a_host_if_no_other_server_takes_requests(other: dict[str, t.Any]) -> None:
    first = server("one", "web1", "192.0.2.1")
    assert found([first, server("one", "web2", "192.0.2.2", **other)])[1] == ["one"]
    assert found([first, server("one", "web2", "192.0.2.2", status="no check")])[1] == []
    # One that serves nobody is not missed.
    assert found([{**first, "status": "DOWN"}, server("one", "web2", "192.0.2.2", **other)])[1] == []


HOSTS = {"lb1": {"management_address": "10.0.0.1", "ansible_host": "192.0.2.1"}, "web1": {"ansible_host": "10.0.0.21"}}


def test_addresses_of_hosts_are_looked_up_for_three_purposes() -> None:
    services = [{"haproxy_backend_nodes": ["web1", {"name": "far", "ip_addr": "198.51.100.7"}, "outside"]}]
    assert host_addresses(services, HOSTS) == {"web1": "10.0.0.21"}
    assert host_addresses(services, HOSTS, of="servers") == ["10.0.0.21", "198.51.100.7", "outside"]
    assert host_addresses(["lb1", "web1"], HOSTS, of="peers") == {"lb1": "10.0.0.1", "web1": "10.0.0.21"}
    with pytest.raises(AnsibleFilterError, match="'peer' is not a valid value of option of"):
        host_addresses([], HOSTS, of="peer")


def test_passwords_of_keepalived_are_found() -> None:
    instances: dict[str, t.Any] = {
        "one": {"authentication_password": "secret1"},
        "two": {"auth_hmac": {"key": {1: "secret2", 2: "secret3"}}},
        "wrong": "text",
        "wrong-too": {"auth_hmac": "text"},
    }
    assert keepalived_secrets(instances, {"password": "secret4"}) == ["secret4", "secret1", "secret2", "secret3"]
    assert keepalived_secrets({"one": {}}) == []


def test_a_password_that_no_instance_uses_is_told() -> None:
    (told,) = keepalived_conflicts({}, password="old")
    assert told.startswith("haproxy_keepalived_authentication_password is set, but no VRRP instance has a password")
    assert keepalived_conflicts({}, password="old", secrets=["old"]) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"global_defs": ["net_namespace lb"]},
        {"global_settings": {"raw": [" net_namespace lb"]}},
        {"raw": ["net_namespace lb"]},
    ],
)
def test_the_sandbox_forbids_a_network_namespace(variables: dict[str, t.Any]) -> None:
    (told,) = keepalived_conflicts(variables)
    assert told.startswith("net_namespace lb in keepalived_global_defs or keepalived_raw makes keepalived enter")
    assert keepalived_conflicts(variables, sandbox=False) == []


def test_a_director_has_the_vips_and_real_servers_of_all_services() -> None:
    servers: list[dict[str, t.Any]] = [
        {"ip": "192.0.2.10", "port": 80, "lvs_method": "DR", "real_servers": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]},
        {"fwmark": 1, "real_servers": [{"ip": "10.0.0.1"}]},
        {"ip": "192.0.2.10", "port": 443},
    ]
    groups: list[dict[str, t.Any]] = [
        {"name": "many", "vips": [{"ip": "192.0.2.20-30"}, {"fwmark": 2}], "real_servers": []}
    ]
    assert lvs_director(servers, groups) == {
        "vips": ["192.0.2.10", "192.0.2.20-30"],
        "real_servers": ["10.0.0.1", "10.0.0.2", "10.0.0.1"],
        "uses_nat": False,
    }
    nat = {"ip": "192.0.2.11", "real_servers": [{"ip": "10.0.0.3", "lvs_method": "NAT"}]}
    assert lvs_director([nat])["uses_nat"] is True
    assert lvs_director([]) == {"vips": [], "real_servers": [], "uses_nat": False}


def test_the_first_vip_of_a_type() -> None:
    vips = [
        {"name": "mgmt", "type": "internal", "address": "10.0.0.10/24", "virtual_router_id": 52},
        {"name": "web", "address": ["203.0.113.10/24"], "names": ["www.example.org"], "bind_address": "*"},
        {"name": "more", "address": "203.0.113.11/24"},
    ]
    web = vip_of_type(vips, "external")
    assert (web["name"], web["known_as"], web["bind_address"]) == ("web", "www.example.org", "*")
    assert (web["names"], web["address"]) == (["www.example.org"], "203.0.113.10")
    mgmt = vip_of_type(vips, "internal")
    assert (mgmt["known_as"], mgmt["bind_address"], mgmt["virtual_router_id"]) == ("10.0.0.10", "10.0.0.10", 52)
    # One that is alone is both, and one that is wrong is the validation's.
    assert vip_of_type(vips[1:], "internal") == web
    assert vip_of_type([{"name": "web"}], "external") == vip_of_type([], "external") == {}


@pytest.mark.parametrize(
    "beginning, entries",
    [
        ("", ["own"]),
        ("certificates_", ["own", "b", "a", "one"]),
        ("certificates_[ab]", ["own", "b", "a"]),
        ("nothing_", ["own"]),
    ],
)
def test_variables_of_such_names_add_to_a_list(beginning: str, entries: list[str]) -> None:
    variables = {
        "certificates": ["own"],
        "certificates_b": ["b"],
        "certificates_a": ("a",),
        "certificates_one": "one",
        "certificates_none": None,
        "more_certificates_c": ["c"],
    }
    own = ["own"]
    assert with_variables(jinja2.Environment().from_string("").new_context(variables), own, beginning) == entries
    assert own == ["own"]


def test_mistakes_that_facts_will_not_take_away_are_told_once() -> None:
    failed = "The filter plugin 'lbforge.haproxy.vrrp_instances' failed: VIP a: no."
    found = {
        "role": ["Remove it.", "VIP a: no."],
        "linter": {"__undefined__": failed},
        "cluster": {"__undefined__": failed},
        "facts": {"__undefined__": "object of type 'dict' has no attribute 'default_ipv4'"},
        "variable": {"__undefined__": "'nowhere' is undefined"},
    }
    assert certain_mistakes(found) == ["Remove it.", "VIP a: no."]
    assert certain_mistakes({}) == []
