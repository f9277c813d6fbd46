# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of a real HAProxy against what a client did to it."""

from __future__ import annotations

import http.client
import socket
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.sessions import Sessions, parse_sessions
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import parse_stats, parse_typed_info

CONFIGURATION = """\
frontend front
    bind 127.0.0.1:@port-front@ name local
    option socket-stats
    default_backend 0815
backend 0815
    server 1 127.0.0.1:@port-back@ weight 7 maxconn 33
    server 2 127.0.0.1:1 check inter 50ms
frontend back
    bind 127.0.0.1:@port-back@
    http-request return status 200 content-type text/plain string "0123456789"
"""


def test_statistics_are_typed_and_count_what_a_client_did(haproxy: t.Any) -> None:
    running = haproxy(CONFIGURATION)
    for _request in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", running.ports["front"], timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"0123456789"
        connection.close()
    # HAProxy counts a request when its connection is over, which the client does not wait for.
    for _attempt in range(1200):
        rows = parse_stats(running.client.read("show stat"))
        by_name = {(row["pxname"], row["svname"]): row for row in rows}
        if by_name["front", "FRONTEND"]["hrsp_2xx"] == 3:
            break
        time.sleep(0.05)
    assert [row["type"] for row in rows if row["pxname"] in ("front", "0815")] == [
        "frontend",
        "listener",
        "server",
        "server",
        "backend",
    ]
    front, server, unused = by_name["front", "FRONTEND"], by_name["0815", "1"], by_name["0815", "2"]
    assert (front["stot"], front["hrsp_2xx"], front["hrsp_5xx"]) == (3, 3, 0)
    assert (server["stot"], server["weight"], server["slim"], server["act"]) == (3, 7, 33, 1)
    assert (server["addr"], server["mode"]) == (f"127.0.0.1:{running.ports['back']}", "http")
    # Empty is not zero, and neither is "never".
    assert (front["weight"], unused["slim"], unused["lastsess"]) == (None, None, None)
    assert isinstance(by_name["0815", "BACKEND"]["lastsess"], int)
    assert "" not in front
    assert "-" not in front


def test_texts_with_commas_and_quotes_stay_whole() -> None:
    text = '# pxname,svname,scur,last_chk,\na,b,1,"a ""b"", c",\n\n'
    assert parse_stats(text) == [{"pxname": "a", "svname": "b", "scur": 1, "last_chk": 'a "b", c'}]
    assert parse_stats(text, ("scur", "pxname")) == [{"pxname": "a", "scur": 1}]
    assert parse_stats("") == []


def test_info_has_the_types_that_haproxy_says(haproxy: t.Any) -> None:
    running = haproxy(CONFIGURATION, settings="    description 123456789012\n    node 7\n    maxconn 321\n")
    info = parse_typed_info(running.client.read("show info typed"))
    assert (info["description"], info["node"], info["Maxconn"]) == ("123456789012", "7", 321)
    plain = dict(line.split(": ", 1) for line in running.ask("show info").splitlines() if ": " in line)
    assert set(info) == {line.partition(":")[0] for line in running.ask("show info").splitlines() if line}
    for name in ("Pid", "Version", "Nbthread", "Maxsock"):
        assert str(info[name]) == plain[name]
    assert isinstance(info["Pid"], int)


def test_sessions_are_counted_where_they_are(haproxy: t.Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = f"listen slow\n    bind 127.0.0.1:@port-slow@\n    server s 127.0.0.1:{silent.getsockname()[1]}\n"
        running = haproxy(CONFIGURATION + slow)
        assert parse_sessions(running.client.read("show sess")) == Sessions()
        waiting = []
        for _client in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", running.ports["slow"], timeout=30)
            connection.request("GET", "/")
            waiting.append(silent.accept())
        found = parse_sessions(running.client.read("show sess"))
        assert (found.total, found.frontends, found.backends) == (2, {"slow": 2}, {"slow": 2})
        assert found.servers == {"slow/s": 2}
        assert 0 <= found.oldest_seconds < 5
        assert parse_sessions(running.client.read("show sess"), ["0815"]) == Sessions()
        for answer, _address in waiting:
            answer.close()


def test_ages_are_seconds() -> None:
    line = "0x1: proto=tcpv4 src=127.0.0.1:4 fe=a be=<NONE> srv=<none> ts=00 epoch=0 age=1h2m calls=1 rate=0\n"
    assert parse_sessions(line) == Sessions(1, 3720, {"a": 1})
