# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each status, made by a real HAProxy."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import typing as t
from contextlib import closing

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.status import (
    STATUSES,
    Tree,
    server_status,
    tree,
    worst,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import parse_stats
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import eventually

# What Octavia's tree of statuses says for these (octavia/amphorae/drivers/health/heartbeat_udp.py).
SERVERS = {
    "lives": "ONLINE",
    "drained": "DRAINING",
    "weightless": "DRAINING",
    "unchecked": "NO_MONITOR",
    "maintained": "OFFLINE",
    "fails": "ERROR",
    "tracks": "OFFLINE",
}

CONFIGURATION = """\
frontend front
    bind 127.0.0.1:@port-front@
    maxconn 2
    use_backend dead if { path /dead }
    use_backend %[path,lower] if { path /map }
    default_backend mixed
frontend paused
    bind 127.0.0.1:@port-paused@
    default_backend mixed
backend mixed
    option httpchk GET /
    default-server check inter 50ms rise 1 fall 1
    server lives 127.0.0.1:@port-back@
    server drained 127.0.0.1:@port-back@
    server weightless 127.0.0.1:@port-back@ weight 0
    server unchecked 127.0.0.1:@port-back@ no-check
    server maintained 127.0.0.1:@port-back@
    server fails 127.0.0.1:@port-nothing@
    server tracks 127.0.0.1:@port-back@ no-check track mixed/maintained
backend dead
    server one 127.0.0.1:@port-nothing@ check inter 50ms fall 1
backend chosen
    server one 127.0.0.1:@port-back@
backend answers
    http-request return status 200
backend empty
    option httpchk
    http-request set-header X-A b
listen stats
    bind 127.0.0.1:@port-page@
    stats enable
listen both
    bind 127.0.0.1:@port-both@
    server one 127.0.0.1:@port-back@ check inter 50ms
frontend back
    bind 127.0.0.1:@port-back@
    http-request return status 200
"""


def rows(running: t.Any) -> list[dict[str, t.Any]]:
    return parse_stats(running.client.read("show stat"))


def read(running: t.Any, *wanted: str) -> Tree:
    sections = parse((running.home / "haproxy.cfg").read_text())
    return tree(sections, rows(running), wanted)


@pytest.fixture
def running(haproxy: t.Any) -> t.Any:
    running = haproxy(CONFIGURATION)
    running.ask("set server mixed/drained state drain", "set server mixed/maintained state maint")
    running.ask("disable frontend paused")
    eventually(lambda: read(running).counts["servers"]["ERROR"] == 2)
    eventually(lambda: {row["check_status"] for row in rows(running) if row["svname"] == "lives"} == {"L7OK"})
    return running


def test_every_status_of_servers_and_backends(running: t.Any) -> None:
    found = read(running)
    frontends = {frontend.name: frontend for frontend in found.frontends}
    assert {name: frontend.status for name, frontend in frontends.items()} == {
        "front": "ONLINE",
        "paused": "OFFLINE",
        "stats": "ONLINE",
        "both": "ONLINE",
        "back": "ONLINE",
    }
    dead, mixed = frontends["front"].backends
    assert {server.name: server.status for server in mixed.servers} == SERVERS
    assert (dead.name, dead.status, dead.state) == ("dead", "ERROR", "DOWN")
    assert (mixed.name, mixed.status, mixed.state) == ("mixed", "DEGRADED", "UP")
    assert frontends["paused"].backends == [mixed]
    assert [backend.name for backend in frontends["both"].backends] == ["both"]
    assert (frontends["stats"].backends, frontends["back"].backends) == ([], [])
    # What no line of a frontend names.
    assert [(backend.name, backend.status) for backend in found.backends] == [
        ("chosen", "NO_MONITOR"),
        ("answers", "ONLINE"),
        ("empty", "OFFLINE"),
    ]
    assert found.status == "ERROR"
    assert found.counts == {
        "frontends": {**dict.fromkeys(STATUSES, 0), "ONLINE": 4, "OFFLINE": 1},
        "backends": {
            **dict.fromkeys(STATUSES, 0),
            "ONLINE": 2,
            "DEGRADED": 1,
            "ERROR": 1,
            "NO_MONITOR": 1,
            "OFFLINE": 1,
        },
        "servers": {
            **dict.fromkeys(STATUSES, 0),
            "ONLINE": 2,
            "DRAINING": 2,
            "NO_MONITOR": 2,
            "OFFLINE": 2,
            "ERROR": 2,
        },
    }


def test_a_server_with_its_numbers(running: t.Any) -> None:
    servers = {server.name: server for server in read(running).frontends[0].backends[1].servers}
    lives, fails = servers["lives"], servers["fails"]
    assert (lives.address, lives.state, lives.check) == (f"127.0.0.1:{running.ports['back']}", "UP", "L7OK 200")
    assert (lives.sessions, lives.queue, lives.weight, lives.backup) == (0, 0, 1, False)
    assert isinstance(lives.last_change_seconds, int)
    assert fails.check == "L4CON Connection refused"
    assert (servers["weightless"].weight, servers["weightless"].state) == (0, "UP")
    assert servers["unchecked"].check is None
    assert servers["tracks"].state == "MAINT (via mixed/maintained)"


def test_a_full_frontend_is_degraded(running: t.Any) -> None:
    clients = [socket.create_connection(("127.0.0.1", running.ports["front"]), 5) for _client in range(2)]
    eventually(lambda: read(running).frontends[0].status == "DEGRADED")
    front = read(running).frontends[0]
    assert (front.sessions, front.limit, front.state) == (2, 2, "OPEN")
    for client in clients:
        client.close()
    eventually(lambda: read(running).frontends[0].status == "ONLINE")


def test_only_some_backends(running: t.Any) -> None:
    found = read(running, "dead", "chosen")
    assert [(front.name, [backend.name for backend in front.backends]) for front in found.frontends] == [
        ("front", ["dead"])
    ]
    assert [backend.name for backend in found.backends] == ["chosen"]
    assert sum(found.counts["servers"].values()) == 2


def test_what_the_worker_lacks(running: t.Any) -> None:
    configuration = (running.home / "haproxy.cfg").read_text() + (
        "frontend new\n    bind 127.0.0.1:1\n    default_backend newer\nbackend newer\n    server a 127.0.0.1:1\n"
    )
    found = tree(parse(configuration), rows(running))
    new = found.frontends[-1]
    assert (new.name, new.status, new.state) == ("new", "ERROR", None)
    assert [(backend.name, backend.status, backend.state) for backend in new.backends] == [("newer", "OFFLINE", None)]


BOTH_PROTOCOLS = """\
frontend web-front-1
    bind 127.0.0.1:@port-web@
    mode tcp
    tcp-request inspect-delay 2s
    tcp-request content accept if HTTP
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend web-tls-front-1 if { req.ssl_hello_type 1 }
    default_backend web-plain-front-1
frontend web-tls-front-1
    bind abns@hap-status-tls-@port-web@ accept-proxy ssl crt @home@/web.pem
    use_backend other if { path /other }
    default_backend web-back
frontend web-plain-front-1
    bind abns@hap-status-plain-@port-web@ accept-proxy
    maxconn 1
    default_backend web-back
backend web-tls-front-1
    mode tcp
    server inner abns@hap-status-tls-@port-web@ send-proxy-v2
backend web-plain-front-1
    mode tcp
    server inner abns@hap-status-plain-@port-web@ send-proxy-v2
backend web-back
    server one 127.0.0.1:@port-back@ check inter 50ms
backend other
    server one 127.0.0.1:@port-back@ check inter 50ms
frontend back
    bind 127.0.0.1:@port-back@
    http-request return status 200
"""


def test_inner_frontends_are_looked_through(haproxy: t.Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    running = haproxy(BOTH_PROTOCOLS, web_pem=(directory / "c").read_text() + (directory / "k").read_text())
    context = ssl.create_default_context(cafile=str(directory / "c"))
    context.check_hostname = False
    for connection in (
        http.client.HTTPConnection("127.0.0.1", running.ports["web"], timeout=30),
        http.client.HTTPSConnection("127.0.0.1", running.ports["web"], timeout=30, context=context),
    ):
        with closing(connection):  # so it leads where the configuration says
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
    found = read(running)
    assert [frontend.name for frontend in found.frontends] == ["web-front-1", "back"]
    web = found.frontends[0]
    assert web.through == ["web-tls-front-1", "web-plain-front-1"]
    assert [backend.name for backend in web.backends] == ["other", "web-back"]
    assert found.backends == []
    assert sum(found.counts["servers"].values()) == 2
    assert web.status == "ONLINE"
    # A full inner frontend shows on the outer one.
    with closing(http.client.HTTPConnection("127.0.0.1", running.ports["web"], timeout=30)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        eventually(lambda: read(running).frontends[0].status == "DEGRADED")


@pytest.mark.parametrize(
    ("state", "weight", "status"),
    [
        ("UP 1/3", 1, "ONLINE"),
        ("DOWN 1/2", 1, "ERROR"),
        ("DOWN (agent)", 1, "ERROR"),
        ("DOWN", 0, "ERROR"),
        ("NOLB 1/2", 1, "DRAINING"),
        ("DRAIN 1/2", 1, "DRAINING"),
        ("MAINT (resolution)", 1, "ERROR"),
        ("MAINT", 0, "OFFLINE"),
        ("no check", 0, "DRAINING"),
        ("some new word", 1, "ERROR"),
    ],
)
def test_words_that_take_long_to_provoke(state: str, weight: int, status: str) -> None:
    assert server_status(state, weight) == status


def test_the_worst_counts() -> None:
    assert worst(["ONLINE", "DEGRADED", "OFFLINE"]) == "DEGRADED"
    assert worst([]) == "ONLINE"
