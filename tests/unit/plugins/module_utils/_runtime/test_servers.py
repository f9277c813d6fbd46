# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers as a real HAProxy has them, and the traffic that they get."""

from __future__ import annotations

import http.client
import threading
import time
import typing as t
from contextlib import contextmanager

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import (
    ServerState,
    ServerStats,
    add,
    addition,
    is_address,
    parse_server_stats,
    parse_servers,
    remove,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import HarmfulCommandError, VersionError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

DEAD = "127.0.0.1:1"  # nothing listens there
POOLS = """
frontend f
    bind 127.0.0.1:@port-web@
    default_backend web
backend web
    balance roundrobin
    http-reuse always
    server one 127.0.0.1:{origin}
backend static
    balance source
    server one 127.0.0.1:{origin}
backend tracked
    server one 127.0.0.1:{origin} check
    server two 127.0.0.1:{origin} track tracked/one
"""
STATE = ServerState("b", "s", "10.0.0.1", 80, 2, 0, 1, 1, 0, 0, "", False, 0)


@pytest.fixture
def running(haproxy: t.Callable[..., t.Any], origin: int) -> t.Any:
    return haproxy(POOLS.format(origin=origin))


def servers(running: t.Any) -> dict[tuple[str, str], ServerState]:
    return parse_servers(running.ask("show servers state"))


def stats(running: t.Any) -> dict[tuple[str, str], ServerStats]:
    return parse_server_stats(running.ask("show stat"))


def served(running: t.Any, name: str) -> int:
    """How many sessions a server of the pool web ever had; column stot."""
    rows = [line.split(",") for line in running.ask("show stat web 4 -1").splitlines()]
    return next(int(row[7]) for row in rows if row[:2] == ["web", name])


def get(running: t.Any, path: str = "/") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["web"], timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def load(running: t.Any) -> t.Iterator[list[int]]:
    """Request all the time; the answers."""
    answers: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            answers.append(get(running))

    threads = [threading.Thread(target=work) for _number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_servers_are_read_as_they_are_configured(haproxy: t.Callable[..., t.Any]) -> None:
    running = haproxy(
        "backend b\n    balance roundrobin\n"
        "    server v4 10.0.0.1:8080 weight 7 maxconn 9\n"
        "    server v6 [2001:db8::1]:8081 check port 8082 inter 60s\n"
        "    server off 10.0.0.2:80 disabled check agent-check agent-port 99 agent-inter 60s inter 60s\n"
        "    server tls 10.0.0.3:443 ssl verify none\n"
        "    server name localhost:80\n"
        "    server local unix@@home@/socket\n"
    )
    found = servers(running)
    assert list(found) == [("b", name) for name in ("v4", "v6", "off", "tls", "name", "local")]
    v4, v6, off, tls, name, local = (found["b", key] for key in ("v4", "v6", "off", "tls", "name", "local"))
    assert (v4.address, v4.port, v4.weight, v4.initial_weight, v4.state, v4.ssl) == (
        *("10.0.0.1", 8080, 7, 7),
        *("ready", False),
    )
    assert (v4.has_check, v4.check_enabled, v4.has_agent, v4.operational) == (False, False, False, 2)
    assert (v6.address, v6.port, v6.check_port, v6.has_check, v6.check_enabled) == (
        *("2001:db8::1", 8081, 8082),
        *(True, True),
    )
    assert (off.state, off.has_check, off.check_enabled, off.has_agent) == ("maint", True, True, True)
    assert tls.ssl
    assert name.fqdn == "localhost"
    assert (local.address, local.port) == ("", 0)
    found_stats = stats(running)
    assert found_stats[("b", "v4")] == ServerStats("no check", 0, 9)
    assert found_stats[("b", "v6")].maxconn == 0
    assert found_stats[("b", "off")].status == "MAINT"
    assert set(found_stats) == set(found)


@pytest.mark.parametrize(
    ("admin", "state"),
    [
        (0, "ready"),
        (1, "maint"),
        (2, "ready"),  # the tracked server is in maintenance, not this one
        (4, "ready"),  # "disabled" in the configuration, made ready since
        (5, "maint"),
        (8, "drain"),
        (12, "drain"),
        (16, "ready"),
        (32, "ready"),
    ],
)
def test_admin_bits(admin: int, state: str) -> None:
    assert ServerState(*[*vars(STATE).values()][:5], admin, 1, 1, 0, 0, "", False, 0).state == state


@pytest.mark.parametrize(
    ("bits", "has", "enabled"), [(0, False, False), (2, True, False), (6, True, True), (14, True, True)]
)
def test_check_bits(bits: int, has: bool, enabled: bool) -> None:
    state = ServerState("b", "s", "10.0.0.1", 80, 2, 0, 1, 1, bits, bits | 16, "", False, 0)
    assert (state.has_check, state.check_enabled, state.has_agent, state.agent_enabled) == (has, enabled, has, enabled)


@pytest.mark.parametrize(
    ("status", "up"),
    [
        ("UP", True),
        ("no check", True),
        *[(status, False) for status in ("UP 1/2", "DOWN", "DOWN 1/2", "MAINT", "DRAIN")],
    ],
)
def test_up_is_up_in_full(status: str, up: bool) -> None:
    assert ServerStats(status, 0, 0).is_up is up


@pytest.mark.parametrize("text", ["", "\n", "# pxname,svname,qcur,scur,slim,status,\n\n"])
def test_no_servers(text: str) -> None:
    assert parse_server_stats(text) == {}
    assert parse_servers(text) == {}


def test_a_server_that_is_added_gets_traffic_only_after_its_checks(running: t.Any, origin: int) -> None:
    keywords = ["check", "inter", "400ms", "rise", "2"]
    with running.client.session() as session, load(running) as answers:
        add(session, "web", "good", f"127.0.0.1:{origin}", keywords, ready=False)
        add(session, "web", "dead", DEAD, keywords, ready=False)
        assert stats(running)[("web", "good")].status in ("DOWN", "DOWN 1/2")
        assert served(running, "good") == 0
        deadline = time.monotonic() + 60
        while not stats(running)[("web", "good")].is_up:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        assert served(running, "good") > 0
        assert served(running, "dead") == 0
        assert stats(running)[("web", "dead")].status == "DOWN"
    assert set(answers) == {200}


def test_a_server_that_is_only_made_ready_gets_traffic_before_its_checks(running: t.Any) -> None:
    with running.client.session() as session, load(running) as answers:
        add(session, "web", "dead", DEAD, ["check", "inter", "2s", "fall", "2"], ready=True)
        assert stats(running)[("web", "dead")].status == "UP 1/2"
        time.sleep(0.3)
    assert 503 in answers


def test_a_server_without_check_serves_at_once(running: t.Any, origin: int) -> None:
    with running.client.session() as session:
        commands = add(session, "web", "two", f"127.0.0.1:{origin}", ["weight", "3"], ready=False)
    assert commands == [f"add server web/two 127.0.0.1:{origin} weight 3", "set server web/two state ready"]
    assert [get(running) for _number in range(4)] == [200] * 4
    assert served(running, "two") > 0
    assert servers(running)[("web", "two")].weight == 3


def test_a_disabled_server_stays_out(running: t.Any, origin: int) -> None:
    with running.client.session() as session:
        add(session, "web", "two", f"127.0.0.1:{origin}", ["disabled", "check"], ready=True)
    assert servers(running)[("web", "two")].state == "maint"


@pytest.mark.parametrize(
    ("backend", "address", "keywords", "why"),
    [
        ("web", "web2.example.com:80", [], "never resolve"),
        ("web", DEAD, ["check", "enabled"], "no traffic"),
        ("web", "127.0.0.1:+1", [], "port map"),
        ("web", DEAD, ["bogus"], "unknown keyword"),
        ("static", DEAD, [], "dynamic load balancing"),
        ("none", DEAD, [], "No such backend"),
        # Added, and then no check to enable: the word is the value of another one.
        ("web", DEAD, ["ssl", "verify", "none", "alpn", "check"], "Health check was not configured"),
    ],
)
def test_what_cannot_be_added_leaves_nothing(
    running: t.Any, backend: str, address: str, keywords: list[str], why: str
) -> None:
    before = set(servers(running))
    with running.client.session() as session, pytest.raises((CommandError, HarmfulCommandError), match=why):
        add(session, backend, "new", address, keywords, ready=False)
    assert set(servers(running)) == before


def test_why_enabled_is_refused(running: t.Any, origin: int) -> None:
    answer = running.ask(f"add server web/two 127.0.0.1:{origin} enabled")
    if running.version < Version(3, 0):
        assert stats(running)[("web", "two")].status == "no check"  # which looks well
        assert {get(running) for _number in range(10)} == {200}
        assert served(running, "two") == 0
    else:
        assert "'enabled' option is not accepted" in answer


def test_what_is_there_is_not_harmed_by_adding_it_again(running: t.Any) -> None:
    with running.client.session() as session, pytest.raises(CommandError, match="Already exists a server"):
        add(session, "web", "one", DEAD, [], ready=False)
    assert servers(running)[("web", "one")].state == "ready"
    assert get(running) == 200


def test_old_versions_are_told_apart() -> None:
    with pytest.raises(VersionError, match=r"HAProxy 2\.4\.22 runs here"):
        addition(Version(2, 4, 22), "web", "new", DEAD, [], ready=False)


def test_values_are_one_word_each() -> None:
    commands = addition(Version(2, 6), "web", "new", DEAD, ["sni", "str(a; b)"], ready=False)
    assert commands[0] == f"add server web/new {DEAD} sni str(a\\;\\ b)"


def test_a_server_is_removed_while_idle_connections_to_it_are_pooled(running: t.Any) -> None:
    threads = [threading.Thread(target=get, args=(running, "/0.1")) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    header, row = (line.lstrip("# ").split() for line in running.ask("show servers conn web").splitlines()[:2])
    assert int(dict(zip(header, row))["idle_cur"]) > 0
    with running.client.session() as session:
        remove(session, "web", "one", 10)
    assert ("web", "one") not in servers(running)


def test_a_server_is_removed_right_after_the_last_of_its_requests(running: t.Any) -> None:
    """2.6 pools the connection of a request that ends in maintenance, and would keep it for 20 seconds."""
    slow = threading.Thread(target=get, args=(running, "/0.5"))
    slow.start()
    while not stats(running)[("web", "one")].sessions:
        time.sleep(0.01)
    with running.client.session() as session:
        session.run("set server web/one state maint")
        slow.join()
        remove(session, "web", "one", 10)
    assert ("web", "one") not in servers(running)


def test_a_server_with_a_session_is_not_removed(running: t.Any) -> None:
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(get(running, "/1.5")))
    slow.start()
    while not stats(running)[("web", "one")].sessions:
        time.sleep(0.01)
    with running.client.session() as session:
        with pytest.raises(CommandError, match="still has connections"):
            remove(session, "web", "one", 0.2)
        assert servers(running)[("web", "one")].state == "maint"
        remove(session, "web", "one", 5)  # and the session ends in the meantime
    slow.join()
    assert answers == [200]
    assert ("web", "one") not in servers(running)


def test_a_tracked_server_cannot_be_removed(running: t.Any) -> None:
    with running.client.session() as session, pytest.raises(LbforgeError, match="other configuration elements"):
        remove(session, "tracked", "one", 1)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.0.0.1:80", "::1", "[::1]:80", "::1:80", "ipv6@::1:80", "ipv4@10.0.0.1:80", "/run/x", "unix@x"],
)
def test_addresses(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize("address", ["localhost", "localhost:80", "ipv4@host:80", "10.1:80", "${HOST}:80", ""])
def test_names(address: str) -> None:
    assert not is_address(address)
