# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets the connections where two services share a port: what the kernel does, and what we say of it."""

from __future__ import annotations

import http.client
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

from .traffic import Serve

CLIENTS = ("127.0.0.1", "127.0.0.2", "::1")
# The binds of two services, and which of them answers each client; "-" for none.
SHARED: list[tuple[t.Any, t.Any, str]] = [
    ("*", "::", "112"),
    ("*", {"address": "::", "options": "v6only"}, "112"),
    ("*", {"address": "::", "options": "v4v6"}, "112"),
    ("*", "127.0.0.1", "21-"),
    ("::", "127.0.0.1", "211"),
    ({"address": "::", "options": "v6only"}, "127.0.0.1", "2-1"),
    ("::", "::1", "112"),
    ("127.0.0.1", "127.0.0.2", "12-"),
]


def answering(port: int, address: str) -> str:
    """The service that takes a client's connections, of which there are several."""
    found = set()
    for _attempt in range(8):
        connection = http.client.HTTPConnection(address, port, timeout=20)
        try:
            connection.request("GET", "/")
            found.add(connection.getresponse().read().decode())
        except ConnectionRefusedError:
            found.add("-")
        finally:
            connection.close()
    return "".join(sorted(found))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("first", "second", "answers"), SHARED)
def test_linux_prefers_the_more_exact_address(
    serve: Serve, first: t.Any, second: t.Any, answers: str, turned: bool
) -> None:
    port = free_port()
    services = [
        {
            "haproxy_service_name": f"s{name}",
            "haproxy_port": port,
            "haproxy_bind": [bind],
            "haproxy_frontend_only": True,
            "haproxy_frontend_raw": [f"http-request return status 200 content-type text/plain string {name}"],
        }
        for name, bind in (("1", first), ("2", second))
    ]
    running = serve(*(reversed(services) if turned else services))
    assert "".join(answering(port, client) for client in CLIENTS) == answers
    running.reload()
    assert "".join(answering(port, client) for client in CLIENTS) == answers


def test_one_service_on_both_families(serve: Serve) -> None:
    """Cases 16 and W5."""
    port = free_port()
    dual = {
        "haproxy_service_name": "dual",
        "haproxy_port": port,
        "haproxy_bind": ["*", "::"],
        "haproxy_frontend_only": True,
        "haproxy_frontend_raw": ["http-request return status 200 content-type text/plain lf-string %f"],
    }
    serve(dual)
    seen = {client: answering(port, client) for client in CLIENTS}
    assert seen == {"127.0.0.1": "dual-front-1", "127.0.0.2": "dual-front-1", "::1": "dual-front-2"}
