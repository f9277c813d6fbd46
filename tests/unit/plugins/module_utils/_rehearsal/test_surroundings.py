# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration needs around it: Configuration Manual, sections 4 and 5."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.surroundings import Surroundings

WHOLE = """\
global
    user haproxy
    group 1000
    chroot /var/lib/haproxy
    log /dev/log local0
    log 192.0.2.1:514 local1
    stats socket /run/haproxy/admin.sock user root group ops
defaults one
    default-server check ssl ca-file /etc/ssl/ca.pem
frontend web
    bind 203.0.113.10:80,:8080 interface eth0
    bind [2001:db8::10]:443 ssl crt /etc/ssl/a.pem crt /etc/ssl/b.pem ca-file /etc/ssl/clients.pem
    bind abns@inner accept-proxy
backend pool
    stick-table type ip size 1k
    server a 10.0.0.1:443 verifyhost a.test
    server b b.test:443 no-ssl crt /etc/ssl/client.pem
    server-template c 2 c.test:80
"""


def of(*lines: str, servers: str = "") -> Surroundings:
    binds = "".join(f"    bind {line}\n" for line in lines)
    return Surroundings(parse(f"frontend web\n{binds}backend pool\n    server one {servers}\n"))


def test_a_whole_configuration() -> None:
    around = Surroundings(parse(WHOLE))
    assert [str(bind) for binds in around.binds.values() for bind in binds] == [
        *("203.0.113.10:80", "0.0.0.0:8080", "[2001:db8::10]:443")
    ]
    assert (around.users, around.groups) == (["haproxy", "root"], ["ops"])
    assert around.directories == ["/run/haproxy", "/var/lib/haproxy"]
    assert around.log_sockets == ["/dev/log"]
    assert around.interfaces == ["eth0"]
    assert around.certificates == ["/etc/ssl/a.pem", "/etc/ssl/b.pem", "/etc/ssl/client.pem"]
    assert around.authorities_of_servers == ["/etc/ssl/ca.pem"]
    assert around.authorities_of_clients == ["/etc/ssl/clients.pem"]
    assert around.names_on_certificates == ["a.test"]
    assert around.has_tls
    assert {server.name: server.endpoints for server in around.servers} == {
        "pool/a": (("10.0.0.1", 443),),
        "pool/b": ((around.addresses["b.test"], 443),),
        "pool/c1": ((around.addresses["c.test"], 80),),
        "pool/c2": ((around.addresses["c.test"], 80),),
    }
    # RFC 2544.
    assert all(address.startswith("198.18.") for address in around.addresses.values())
    assert len(set(around.addresses.values())) == 2


@pytest.mark.parametrize(
    ("binds", "server", "endpoints"),
    [
        (["*:80"], "10.0.0.1:80", [("10.0.0.1", 80)]),
        (["203.0.113.10:80"], "10.0.0.1", [("10.0.0.1", 80)]),
        (["203.0.113.10:80-81", ":443"], "10.0.0.1:+1000", [("10.0.0.1", port) for port in (1080, 1081, 1443)]),
        (["*:80"], "[2001:db8::1]:80", [("2001:db8::1", 80)]),
        # HAProxy itself, another frontend of it.
        (["203.0.113.10:80", "10.0.0.1:81"], "10.0.0.1:81", []),
        (["*:80"], "127.0.0.1:80", []),
        (["*:80", "abns@inner"], "abns@inner", []),
        (["*:80"], "/run/app.sock", []),
    ],
)
def test_where_stand_ins_are_needed(binds: list[str], server: str, endpoints: list[tuple[str, int]]) -> None:
    assert list(of(*binds, servers=server).servers[0].endpoints) == endpoints


@pytest.mark.parametrize(
    ("binds", "port", "address"),
    [
        (["203.0.113.10:80", "203.0.113.11:80"], 80, "203.0.113.10"),
        (["127.0.0.1:80", "203.0.113.11:80"], 80, "203.0.113.11"),
        (["*:80"], 80, "127.0.0.1"),
        (["203.0.113.10:80"], 81, None),
        (["203.0.113.10:8000-8010"], 8005, "203.0.113.10"),
    ],
)
def test_the_first_address_of_a_port(binds: list[str], port: int, address: str | None) -> None:
    assert of(*binds).address_for(port) == address


def test_an_address_goes_before_a_wildcard() -> None:
    """As the kernel chooses."""
    around = Surroundings(parse("frontend all\n    bind :80\nfrontend one\n    bind 203.0.113.10:80\n"))
    assert [bind.proxy for bind in around.binds_at("203.0.113.10", 80)] == ["one"]
    assert [bind.proxy for bind in around.binds_at("203.0.113.11", 80)] == ["all"]


REACHABLE = """\
frontend plain
    use_backend one if { path /one }
    default_backend two
frontend by-request
    use_backend %[path,field(2,/)]
frontend outer
    default_backend relay
frontend nowhere
    default_backend missing
listen both
    server one 10.0.0.1:80
backend one
    server one 10.0.0.1:80
backend two
    server one 10.0.0.1:80
backend relay
    server inner abns@inner
"""


@pytest.mark.parametrize(
    ("frontend", "reachable"),
    [
        ("plain", ["plain", "one", "two"]),
        ("both", ["both"]),
        # Only HAProxy knows.
        ("by-request", None),
        ("outer", None),
        ("nowhere", None),
    ],
)
def test_where_a_request_can_come_to(frontend: str, reachable: list[str] | None) -> None:
    assert Surroundings(parse(REACHABLE)).reachable([frontend]) == reachable


def test_a_default_backend_of_all_frontends() -> None:
    around = Surroundings(parse(f"defaults\n    default_backend one\n{REACHABLE}"))
    assert around.reachable(["both"]) == ["both", "one"]


def test_oddities() -> None:
    around = of("*:80 interface a", "*:81 interface b", servers="10.0.0.1:80 proto h2")
    assert ["proto h2" in around.oddities[0], "(a, b)" in around.oddities[1]] == [True, True]
