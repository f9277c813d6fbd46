# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module against a real HAProxy with clients."""

from __future__ import annotations

import re
import socket
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import parse_info
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_table

RunModule = t.Callable[..., dict[str, t.Any]]

CONFIGURATION = """\
frontend web
    bind 127.0.0.1:@port-web@
    stick-table type ip size 10k expire 1h store gpc0,gpt0
    tcp-request connection track-sc0 src
    http-request deny if { sc0_get_gpc0 gt 0 }
    http-request return status 200
"""


@pytest.fixture
def running(haproxy: t.Callable[..., t.Any]) -> t.Any:
    return haproxy(CONFIGURATION)


@pytest.fixture
def table(running: t.Any, run_module: RunModule) -> RunModule:
    def run(**options: t.Any) -> dict[str, t.Any]:
        return run_module(haproxy_table, **{"table": "web", "socket": running.admin, "timeout": 5, **options})

    return run


def status(running: t.Any) -> int:
    with socket.create_connection(("127.0.0.1", running.ports["web"]), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return int(client.recv(4096).split()[1])


def keys(running: t.Any) -> list[str]:
    return sorted(re.findall(r"key=(\S+)", running.ask("show table web")))


def test_quartet(running: t.Any, table: RunModule) -> None:
    assert status(running) == 200
    ban = {"key": "127.0.0.1", "data": {"gpc0": 1}, "_ansible_diff": True}
    check = table(**ban, _ansible_check_mode=True)
    assert status(running) == 200
    run = table(**ban)
    assert check == run
    assert (run["changed"], run["added"], run["updated"], run["removed"]) == (True, 0, 1, 0)
    assert (run["diff"]["before"], run["diff"]["after"]) == ("127.0.0.1 gpc0=0\n", "127.0.0.1 gpc0=1\n")
    assert status(running) == 403
    for check_mode in (True, False):
        again = table(**ban, _ansible_check_mode=check_mode)
        assert (again["changed"], again["updated"], "diff" in again) == (False, 0, False)
    unban = table(key="127.0.0.1", state="absent")
    assert (unban["changed"], unban["removed"]) == (True, 1)
    assert status(running) == 200
    assert not table(key="192.0.2.9", state="absent")["changed"]


def test_an_entry_that_expires_when_it_would(running: t.Any, table: RunModule) -> None:
    running.ask("set table web key 192.0.2.1 data.gpc0 1")
    before = running.ask("show table web key 192.0.2.1")
    assert not table(key="192.0.2.1", data={"gpc0": 1})["changed"]
    left = [int(re.findall(r"exp=(\d+)", text)[0]) for text in (before, running.ask("show table web key 192.0.2.1"))]
    assert left[1] <= left[0]


def test_many(running: t.Any, table: RunModule) -> None:
    entries = [{"key": f"10.0.{number // 250}.{number % 250}", "data": {"gpc0": number}} for number in range(2000)]
    run = table(entries=entries)
    assert (run["added"], run["changed"]) == (2000, True)
    assert "key=10.0.7.249 " in running.ask("show table web data.gpc0 eq 1999")
    assert not table(entries=entries)["changed"]
    some = table(where="data.gpc0 ge 1990", state="absent", _ansible_diff=True)
    assert (some["removed"], len(some["diff"]["before"].splitlines()), some["diff"]["after"]) == (10, 10, "")
    assert not table(where=["data.gpc0 ge 1990"], state="absent")["changed"]
    check = table(state="cleared", _ansible_check_mode=True)
    assert (check["removed"], len(keys(running))) == (1990, 1990)
    assert table(state="cleared")["removed"] == 1990
    assert keys(running) == []
    assert not table(state="cleared")["changed"]


def test_each_error_is_told_and_the_rest_is_done(running: t.Any, table: RunModule) -> None:
    entries = [
        {"key": "192.0.2.1", "data": {"gpc0": 1}},
        {"key": "bogus", "data": {"gpc0": 1}},
        {"key": "192.0.2.2", "data": {"gpc1": 1}},
        {"key": "192.0.2.3", "data": {"gpc0": "x"}},
        {"key": "192.0.2.4", "data": {"none": 1}},
        {"key": "192.0.2.5", "data": {"gpt0": 5}},
        {"key": "192.0.2.5", "data": {"gpt0": 6}},
    ]
    check = table(entries=entries, _ansible_check_mode=True)
    assert keys(running) == []
    run = table(entries=entries)
    assert check == run
    assert [(error["path"], error["name"]) for error in run["errors"]] == [
        ("entries[1]", "bogus"),
        ("entries[2]", "192.0.2.2"),
        ("entries[3]", "192.0.2.3"),
        ("entries[4]", "192.0.2.4"),
        ("entries[6]", "192.0.2.5"),
    ]
    assert (run["failed"], run["changed"], run["added"]) == (True, True, 2)
    assert "entries[1] (bogus): it is not an IPv4 address, the key type of this table." in run["msg"]
    assert keys(running) == ["192.0.2.1", "192.0.2.5"]


def test_entries_in_use(running: t.Any, table: RunModule) -> None:
    running.ask("set table web key 192.0.2.1 data.gpc0 1")
    with socket.create_connection(("127.0.0.1", running.ports["web"]), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        one = table(key="127.0.0.1", state="absent")
        everything = table(state="cleared")
    assert "Entry currently in use, cannot remove" in one["msg"]
    assert (one["changed"], one["removed"]) == (False, 0)
    assert everything["msg"] == "table (127.0.0.1): HAProxy keeps it while sessions use it."
    assert (everything["failed"], everything["changed"], everything["removed"]) == (True, True, 1)
    assert keys(running) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "state: 'present' requires key or entries."),
        ({"state": "absent"}, "state: 'absent' requires key, entries or where."),
        (
            {"key": "1.2.3.4", "entries": [{"key": "1.2.3.5"}]},
            "entries: it cannot be combined with key; keep one of the two.",
        ),
        ({"entries": [], "data": {"gpc0": 1}}, "data: it requires key; items of entries have their own data."),
        ({"state": "cleared", "key": "1.2.3.4"}, "state: 'cleared' removes all entries"),
        ({"key": "1.2.3.4", "where": "data.gpc0 gt 0"}, "where: it requires state 'absent' without key and entries."),
        ({"state": "absent", "where": ["data.gpc0 gt 0", "gpc0 > 0"]}, "where[1]: it must be data.TYPE, one of"),
        ({"state": "absent", "where": "data.gpc1 gt 0"}, "Data type not stored in this table"),
        ({"state": "absent", "where": "data.none gt 0"}, "Unknown data type"),
        ({"key": "1.2.3.4", "timeout": 0}, "0 is too small"),
        ({"key": "1.2.3.4", "table": "none"}, "HAProxy has no stick table 'none'. It has web."),
        ({"key": "1.2.3.4", "socket": "/nowhere/s"}, "on /nowhere/s: No such file or directory."),
    ],
)
def test_errors(running: t.Any, table: RunModule, options: dict[str, t.Any], why: str) -> None:
    failed = table(**options)
    assert failed["failed"]
    assert why in failed["msg"]
    assert keys(running) == []


def test_a_socket_of_lower_level(running: t.Any, table: RunModule) -> None:
    failed = table(key="192.0.2.1", data={"gpc0": 1}, socket=str(running.home / "user"))
    assert "Permission denied" in failed["msg"]
    assert [(error["path"], error["name"]) for error in failed["errors"]] == [("key", "192.0.2.1")]
    assert table(key="192.0.2.1", socket=str(running.home / "operator"))["changed"]


def test_over_tcp(running: t.Any, table: RunModule) -> None:
    assert parse_info(running.ask("show info"))["Name"] == "HAProxy"
    assert table(key="192.0.2.1", socket=f"127.0.0.1:{running.ports['stats']}")["added"] == 1
