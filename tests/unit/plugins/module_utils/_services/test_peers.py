# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stick tables are shared, and real HAProxies keep what they learn over a reload and teach it each other."""

from __future__ import annotations

import re
import time
import typing as t
import urllib.error
import urllib.request

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import peer_addresses
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

from .conftest import VIPS, WEB, Rendered

Render = t.Callable[..., Rendered]
Says = t.Callable[[Rendered], list[str]]
Vars = dict[str, dict[str, t.Any]]

TABLE = "stick-table type ip size 1k expire 30m"
SHARED = f"{TABLE} peers load-balancers"
STICKY = {**WEB, "haproxy_stick_table": [TABLE, "stick on src"]}
PEERS = {"inventory_hostname": "lb1", "haproxy_peers": {"lb1": "10.0.0.11", "lb2": "10.0.0.12"}}
# What a process must have lived for HAProxy to hand its tables over, and some.
GROWN_UP = 7.0


# From the inventory

FACTS = {
    "all_ipv4_addresses": ["10.0.0.11", "203.0.113.11"],
    "all_ipv6_addresses": ["fd00::11"],
    "default_ipv4": {"address": "203.0.113.11"},
}
INVENTORY: list[tuple[str, Vars, dict[str, str]]] = [
    ("a single node", {"lb1": {"ansible_host": "10.0.0.11"}}, {"lb1": "127.0.0.1"}),
    (
        "no facts yet",
        {
            "lb1": {"ansible_host": "10.0.0.11"},
            "lb2": {"ansible_host": "x", "management_address": "10.0.0.12"},
            "lb3": {},
        },
        {"lb1": "10.0.0.11", "lb2": "10.0.0.12", "lb3": "lb3"},
    ),
    (
        "an address of the host",
        {"lb1": {"ansible_host": "10.0.0.11", "ansible_facts": FACTS}, "lb2": {}},
        {"lb1": "10.0.0.11", "lb2": "lb2"},
    ),
    (
        "the same in another spelling",
        {"lb1": {"ansible_host": "FD00:0::11", "ansible_facts": FACTS}, "lb2": {}},
        {"lb1": "FD00:0::11", "lb2": "lb2"},
    ),
    (
        "a floating address",
        {"lb1": {"ansible_host": "198.51.100.1", "ansible_facts": FACTS}, "lb2": {}},
        {"lb1": "203.0.113.11", "lb2": "lb2"},
    ),
    ("a name", {"lb1": {"ansible_facts": FACTS}, "lb2": {}}, {"lb1": "203.0.113.11", "lb2": "lb2"}),
    (
        "no default route",
        {"lb1": {"ansible_facts": {**FACTS, "default_ipv4": {}}}, "lb2": {}},
        {"lb1": "10.0.0.11", "lb2": "lb2"},
    ),
]


@pytest.mark.parametrize(("hostvars", "expected"), [row[1:] for row in INVENTORY], ids=[row[0] for row in INVENTORY])
def test_addresses_of_load_balancers(hostvars: Vars, expected: dict[str, str]) -> None:
    assert peer_addresses(list(hostvars), hostvars) == expected


# In the configuration

LINES: list[tuple[dict[str, t.Any], dict[str, t.Any], str, str]] = [
    ({"haproxy_stick_table": [TABLE]}, {}, "backend web-back", SHARED),
    ({"haproxy_backend_arguments": [TABLE]}, {}, "backend web-back", SHARED),
    ({"haproxy_frontend_raw": [TABLE]}, {}, "frontend web-front-1", SHARED),
    ({"haproxy_frontend_raw": [f"{TABLE}   # by client"]}, {}, "frontend web-front-1", SHARED),
    ({"haproxy_frontend_raw": [SHARED]}, {}, "frontend web-front-1", SHARED),
    ({}, {"haproxy_stick_table": [TABLE]}, "backend web-back", SHARED),
    ({}, {"haproxy_frontend_extra_raw": [TABLE]}, "frontend web-front-2", SHARED),
    (
        {"haproxy_ssl": True, "haproxy_port": 443, "haproxy_redirect_http_port": 80},
        {"haproxy_frontend_redirect_extra_raw": [TABLE]},
        "frontend web-redirect-front-1",
        SHARED,
    ),
    (
        {"haproxy_ssl": True, "haproxy_accept_both_protocols": True, "haproxy_frontend_raw": [TABLE]},
        {},
        "frontend web-tls-front-1",
        SHARED,
    ),
    ({"haproxy_stick_table": [TABLE]}, {}, "global", "localpeer lb1"),
    ({"haproxy_stick_table": [TABLE]}, {}, "peers load-balancers", "peer lb1 10.0.0.11:1024"),
    ({"haproxy_stick_table": [TABLE]}, {"haproxy_peers_port": 1999}, "peers load-balancers", "peer lb2 10.0.0.12:1999"),
    (
        {"haproxy_stick_table": [TABLE]},
        {"haproxy_peers": {"lb1": "FD00::11", "lb2": "10.0.0.12"}},
        "peers load-balancers",
        "peer lb1 [fd00::11]:1024",
    ),
    # As long as nobody knows its address, this one hands its tables at least to its own next worker.
    (
        {"haproxy_stick_table": [TABLE]},
        {"haproxy_peers": {"lb1": "lb1.example.com", "lb2": "10.0.0.12"}},
        "peers load-balancers",
        "peer lb1 127.0.0.1:1024",
    ),
]


@pytest.mark.parametrize(("keys", "settings", "heading", "line"), LINES)
def test_every_table_is_shared(
    keys: dict[str, t.Any], settings: dict[str, t.Any], heading: str, line: str, render: Render, haproxy_says: Says
) -> None:
    rendered = render({**WEB, **keys}, **{**PEERS, **settings})
    assert line in rendered.section(heading)
    assert haproxy_says(rendered) == []


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        (WEB, PEERS),
        ({**STICKY, "haproxy_stick_table_enabled": False}, PEERS),
        (STICKY, {**PEERS, "haproxy_peers": {}}),
    ],
)
def test_nothing_to_share_leaves_no_trace(
    service: dict[str, t.Any], settings: dict[str, t.Any], render: Render, haproxy_says: Says
) -> None:
    rendered = render(service, **settings)
    assert "peer" not in rendered.text
    assert haproxy_says(rendered) == []


def test_a_load_balancer_whose_address_is_not_known_is_left_out_and_told(render: Render, haproxy_says: Says) -> None:
    addresses = {"lb1": "10.0.0.11", "lb2": "lb2.example.com", "lb3": "10.0.0.13", "lb4": "lb4"}
    rendered = render(STICKY, **{**PEERS, "haproxy_peers": addresses})
    assert rendered.section("peers load-balancers") == ["peer lb1 10.0.0.11:1024", "peer lb3 10.0.0.13:1024"]
    assert [why for why in rendered.warnings if "lb2, lb4" in why]
    assert haproxy_says(rendered) == []


WRONG: list[tuple[dict[str, t.Any], dict[str, t.Any], str, str]] = [
    ({}, {"haproxy_peers": {"lb2": "10.0.0.12"}}, "haproxy_peers", "lacks lb1"),
    ({}, {"haproxy_peers": {"lb1": "10.0.0.11:1024"}}, "haproxy_peers.lb1", "neither an IP address"),
    ({}, {"haproxy_peers": {"lb 1": "10.0.0.11"}}, "haproxy_peers.lb 1", "not a name"),
    ({}, {"haproxy_peers": ["lb1"]}, "haproxy_peers", "not a dictionary"),
    ({}, {"haproxy_peers_port": 0}, "haproxy_peers_port", "out of range"),
    (
        {"haproxy_port": 1024, "haproxy_bind": ["*"]},
        {},
        "haproxy_service_configs[0].haproxy_port",
        "already taken by haproxy_peers_port (10.0.0.11:1024)",
    ),
    (
        {},
        {
            "haproxy_stats_enabled": True,
            "haproxy_stats_password": "x",
            "haproxy_stats_bind_address": "10.0.0.11",
            "haproxy_stats_port": 1024,
        },
        "haproxy_peers_port",
        "already taken by haproxy_stats_port",
    ),
]


@pytest.mark.parametrize(("keys", "settings", "path", "words"), WRONG)
def test_what_cannot_work_is_told(keys: dict[str, t.Any], settings: dict[str, t.Any], path: str, words: str) -> None:
    problems = check({"haproxy_service_configs": [{**STICKY, **keys}]}, {**VIPS, **PEERS, **settings}, {}).problems
    assert [(problem.path, words in str(problem)) for problem in problems.errors] == [(path, True)]


def test_without_a_table_the_port_is_free_and_addresses_do_not_matter() -> None:
    service = {**WEB, "haproxy_port": 1024, "haproxy_bind": ["*"]}
    problems = check(
        {"haproxy_service_configs": [service]}, {**VIPS, **PEERS, "haproxy_peers": {"x": "y"}}, {}
    ).problems
    assert (problems.errors, problems.warnings) == ([], [])


# In the running HAProxy

COUNTED = {
    "haproxy_service_name": "web",
    "haproxy_port": 8081,
    "haproxy_bind": "127.0.0.1",
    "haproxy_frontend_only": True,
    "haproxy_frontend_raw": [
        "stick-table type ip size 1k expire 30m store http_req_cnt",
        "http-request track-sc0 src",
        "http-request return status 204",
    ],
}


@pytest.fixture
def start(render: Render, haproxy: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Start the load balancer of a name with what the role would have written for it."""
    port = free_port()

    def starter(name: str, addresses: dict[str, str]) -> t.Any:
        rendered = render(COUNTED, haproxy_peers=addresses, haproxy_peers_port=port, inventory_hostname=name)
        sections = rendered.text[rendered.text.index("\npeers ") :].replace(":8081", ":@port-web@")
        [own] = [line for line in rendered.section("global") if line.startswith("localpeer ")]
        return haproxy(sections, own)

    return starter


def ask_it(load_balancer: t.Any) -> None:
    url = f"http://127.0.0.1:{load_balancer.ports['web']}/"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 204


def requests_known_to(load_balancer: t.Any) -> list[int]:
    """How many requests it knows of, by client; there is only one."""
    table = load_balancer.ask("show table web-front-1")
    return [int(count) for count in re.findall(r"key=127\.0\.0\.1 .*http_req_cnt=(\d+)", table)]


def wait_for(requests: list[int], load_balancer: t.Any) -> None:
    deadline = time.monotonic() + 90
    while requests_known_to(load_balancer) != requests:
        assert time.monotonic() < deadline, load_balancer.ask("show table web-front-1", "show peers")
        time.sleep(0.1)


def test_what_one_learns_the_other_knows(start: t.Callable[..., t.Any]) -> None:
    addresses = {"lb1": "127.0.0.2", "lb2": "127.0.0.3"}
    first, second = start("lb1", addresses), start("lb2", addresses)
    assert requests_known_to(second) == []
    ask_it(first)
    assert requests_known_to(first) == [1]
    wait_for([1], second)
    # Another one in its place, as after a reboot, learns it from those that are there.
    first.process.kill()
    first.process.wait()
    wait_for([1], start("lb1", addresses))


def test_a_single_one_keeps_what_it_learnt_over_a_reload(start: t.Callable[..., t.Any]) -> None:
    alone = start("lb1", peer_addresses(["lb1"], {"lb1": {}}))
    time.sleep(GROWN_UP)
    ask_it(alone)
    alone.reload()
    wait_for([1], alone)
    ask_it(alone)
    assert requests_known_to(alone) == [2]
