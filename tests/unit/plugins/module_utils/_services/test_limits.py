# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One client cannot take what all need: with real connections that say nothing, and probes beside them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import resource
import select
import socket
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import Running, eventually
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

from .traffic import Client, Serve, mirrored

IDLE = 5_000
KINDS: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "tls": {"haproxy_ssl": True},
    "proxy": {"haproxy_bind_options": ["accept-proxy"]},
    "both": {"haproxy_ssl": True, "haproxy_accept_both_protocols": True},
    "tcp": {"haproxy_balance_type": "tcp"},
    "tcp-tls": {"haproxy_balance_type": "tcp", "haproxy_ssl": True},
}


@pytest.fixture
def idle() -> t.Iterator[int]:
    """How many connections this process may have: as many as are promised, or what the machine allows."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    # HAProxy, which inherits the limit, wants two files for each connection.
    yield min(IDLE, before[1] // 3)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def silence(port: int, count: int, source: str = "127.0.0.8", hello: bytes = b"") -> t.Iterator[list[socket.socket]]:
    """Connections that say nothing, or hello and nothing more, from an address on whose ports nothing listens."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _number in range(count):
            connection = stack.enter_context(socket.socket())
            connection.bind((source, 0))
            # Those that neither HAProxy nor its backlog takes wait for ever.
            connection.setblocking(bool(hello))
            connection.connect_ex(("127.0.0.1", port))
            if hello:
                with contextlib.suppress(OSError):  # refused
                    connection.sendall(hello)
            connections.append(connection)
        yield connections


def proxied(source: str) -> bytes:
    return f"PROXY TCP4 {source} 127.0.0.1 1 2\r\n".encode()


def closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return connection.recv(65_536) == b""
    except OSError:
        return True


def status(port: int, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/", headers=headers)
    return connection.getresponse().status


@pytest.mark.parametrize("kind", ["plain", "tls", "proxy", "both", "tcp-tls"])
def test_silent_connections_leave_room_for_others(serve: Serve, mirror: int, idle: int, kind: str) -> None:
    flooded = mirrored(mirror, **{"haproxy_bind_options": [], **KINDS[kind]})
    other = {**mirrored(mirror, haproxy_bind_options=[]), "haproxy_service_name": "other"}
    statistics = free_port()
    limit = idle * 4096 // IDLE
    running = serve(
        flooded,
        other,
        haproxy_maxconn=limit,
        haproxy_frontend_maxconn=limit * 3 // 4,
        haproxy_http_request_timeout="10m",
        haproxy_client_timeout="10m",
        haproxy_stats_enabled=True,
        haproxy_stats_ssl=False,
        haproxy_stats_port=statistics,
        haproxy_stats_password="secret",
    )
    login = {"Authorization": f"Basic {base64.b64encode(b'admin:secret').decode()}"}
    with silence(flooded["haproxy_port"], idle) as connections:
        taken = limit * 3 // 8 if kind == "both" else limit * 3 // 4
        eventually(lambda: scur(running.ask("show stat"), "web-front-1") == taken, seconds=60)
        answers = [status(other["haproxy_port"]) for _number in range(100)]
        assert (answers.count(200), status(statistics, **login)) == (100, 200)
        # All of them are still there: what was measured is the room beside them.
        assert not any(map(closed, connections))


def scur(text: str, frontend: str) -> int:
    """The sessions of a frontend, from the statistics."""
    names, *rows = (line.split(",") for line in text.splitlines() if line)
    row = next(row for row in rows if row[0] == frontend and row[1] == "FRONTEND")
    return int(row[names.index("scur")])


@pytest.mark.parametrize("kind", KINDS)
def test_silence_before_a_request_ends(serve: Serve, mirror: int, kind: str) -> None:
    """By the timeout for requests where HAProxy can apply it, by the client's at the latest."""
    web = mirrored(mirror, **{"haproxy_bind_options": [], **KINDS[kind]})
    running = serve(web, haproxy_http_request_timeout="1s", haproxy_client_timeout="12s")
    with silence(web["haproxy_port"], 1) as [connection]:
        began = time.monotonic()
        eventually(lambda: closed(connection), seconds=40)
        lasted = time.monotonic() - began
    handshakes = kind in ("tls", "proxy", "tcp-tls")
    is_early = kind in ("plain", "both") or (handshakes and running.version >= (3, 0))
    assert (lasted < 11.5) == is_early, lasted


@pytest.mark.parametrize("kind", KINDS)
def test_connections_of_one_source(serve: Serve, mirror: int, kind: str) -> None:
    redirects = {"haproxy_redirect_http_port": free_port()} if kind == "tls" else {}
    table = ["stick-table type ip size 1k store conn_cur", "tcp-request connection track-sc0 src"]
    raw = {"haproxy_frontend_raw": table} if kind != "both" else {}
    web = mirrored(
        mirror, **{"haproxy_bind_options": [], "haproxy_connections_per_source": 10, **KINDS[kind], **redirects, **raw}
    )
    running = serve(web, haproxy_client_timeout="10m", haproxy_http_request_timeout="10m")
    hello = proxied("127.0.0.8") if kind == "proxy" else b""
    other = proxied("127.0.0.9") if kind == "proxy" else b""
    ports = [web["haproxy_port"], web.get("haproxy_redirect_http_port", web["haproxy_port"])]
    with silence(ports[0], 7, hello=hello) as some, silence(ports[1], 6, hello=hello) as more:
        # Which of them came too late is for HAProxy's threads to say.
        eventually(lambda: sum(map(closed, (*some, *more))) == 3, seconds=60)
        with silence(ports[0], 10, source="127.0.0.9", hello=other) as others:
            eventually(lambda: entries(running).get("127.0.0.9") == 10, seconds=60)
            assert not any(map(closed, others))
    eventually(lambda: not any(entries(running).values()), seconds=60)


def entries(running: Running) -> dict[str, int]:
    """The connections of each source."""
    found = re.findall(r"key=(?:::ffff:)?(\S+) .*conn_cur=(\d+)", running.ask("show table web-sources"))
    return {source: int(count) for source, count in found}


def test_proxies_bring_many_clients(serve: Serve, mirror: int) -> None:
    """So their connections are not counted; those of clients who come by themselves are."""
    web = mirrored(mirror, haproxy_connections_per_source=2, haproxy_trusted_proxies=["192.0.2.0/24"])
    serve(web)
    proxied = [Client(web["haproxy_port"], "192.0.2.1") for _number in range(5)]
    assert [client.ask({})[0] for client in proxied] == [200] * 5
    direct = [Client(web["haproxy_port"], "203.0.113.7") for _number in range(3)]
    assert [client.ask({})[0] for client in direct[:2]] == [200] * 2
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        direct[2].ask({})
    direct[0].close()
    eventually(lambda: Client(web["haproxy_port"], "203.0.113.7").ask({})[0] == 200, seconds=30)
