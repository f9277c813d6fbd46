# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stick tables: what HAProxy would take silently for something else, and what it shows."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._live.tables import (
    Change,
    Desired,
    Entry,
    Table,
    carry_out,
    clear,
    compare,
    filter_problem,
    find,
    key_problem,
    matching,
    parse_entries,
    parse_tables,
    value_problem,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

CONFIGURATION = """\
backend addresses
    stick-table type ip size 10k expire 1h store gpc0,gpt0,conn_cur,http_req_rate(10s),bytes_in_cnt,server_id
backend addresses6
    stick-table type ipv6 size 1k store gpc0
backend numbers
    stick-table type integer size 1k store gpc0
backend words
    stick-table type string len 16 size 1k store gpc0
backend bytes
    stick-table type binary len 4 size 1k store gpc0
frontend web
    bind 127.0.0.1:@port-web@
    http-request track-sc0 src table addresses
    http-request track-sc1 hdr(x-word),hex,field(1,A) table words if { hdr(x-word) -m found }
    http-request return status 200
"""


@pytest.fixture
def running(haproxy: t.Callable[..., t.Any]) -> t.Any:
    return haproxy(CONFIGURATION)


@pytest.fixture
def session(running: t.Any) -> t.Iterator[Session]:
    with running.client.session() as session:
        yield session


def present(session: Session, table: str, key: str, **data: t.Any) -> str:
    """Set an entry; return why not."""
    found = find(session, table)
    changes, problems = compare(session, found, [Desired("key", key, data)], "present")
    return "; ".join(problem.why for problem in problems + carry_out(session, found, changes))


def test_listing(session: Session) -> None:
    listed = {table.name: (table.type, table.size, table.used) for table in parse_tables(session.run("show table"))}
    assert listed == {
        "addresses": ("ip", 10240, 0),
        "addresses6": ("ipv6", 1024, 0),
        "numbers": ("integer", 1024, 0),
        "words": ("string", 1024, 0),
        "bytes": ("binary", 1024, 0),
    }


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (
            "0x55b580d8d328: key=1.2.3.7 use=2 exp=3600000 gpt0=0 gpc0=3 http_req_rate(10000)=10",
            Entry("1.2.3.7", {"gpt0": 0, "gpc0": 3, "http_req_rate": 10}, use=2),
        ),
        ("0x1: key=::1 use=0 exp=0 shard=0 server_key=- gpc0=1", Entry("::1", {"server_key": "-", "gpc0": 1})),
        (r"0x1: key=a\ b\=\\c use=0 exp=0 gpc0=1", Entry("a b=\\c", {"gpc0": 1})),
        (r"0x1: key=\xC3\xBC\tx use=0 exp=0 gpc0=1", Entry("ü\tx", {"gpc0": 1})),
    ],
)
def test_entries(line: str, entry: Entry) -> None:
    assert parse_entries(f"# table: x, type: ip, size:10, used:1\n{line}\n\n") == [entry]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("addresses", "192.0.2.1"),
        ("addresses6", "2001:DB8::1"),
        ("addresses6", "::ffff:192.0.2.1"),
        ("numbers", "0"),
        ("numbers", "4294967295"),
        ("words", "a b;c=d\\e"),
        ("words", "x<<"),
        ("words", "<<end"),
        ("words", "ü\"'"),
        ("words", "sixteen letters!"),
    ],
)
def test_there_and_back(session: Session, table: str, key: str) -> None:
    assert present(session, table, key, gpc0=5) == ""
    (entry,) = matching(session, find(session, table), [])
    assert (entry.key.lower(), entry.data["gpc0"]) == (key.lower(), 5)
    wanted = [Desired("key", key, {"gpc0": "5"})]
    assert compare(session, find(session, table), wanted, "present") == ([], [])
    removal, _problems = compare(session, find(session, table), wanted, "absent")
    assert carry_out(session, find(session, table), removal) == []
    assert matching(session, find(session, table), []) == []


@pytest.mark.parametrize(
    ("table", "key", "why"),
    [
        ("addresses", "bogus", "it is not an IPv4 address"),  # 2.6 takes it for 0.0.0.0
        ("addresses", "999.1.1.1", "it is not an IPv4 address"),  # 2.6: 231.1.1.1
        ("addresses", "1.2.3", "it is not an IPv4 address"),  # 2.6: 1.2.3.0
        ("addresses", "::1", "it is not an IPv4 address"),  # 3.0: 0.0.0.1
        ("addresses6", "192.0.2.1", "write ::ffff:192.0.2.1"),
        ("addresses6", "fe80::1%eth0", "it is not an IPv6 address"),
        ("numbers", "12abc", "it is not an integer"),  # HAProxy takes it for 12
        ("numbers", "-1", "it is not an integer"),
        ("numbers", "4294967296", "it is not an integer"),
        ("words", "", "it is empty"),
        ("words", "a\nb", "control character"),
        ("words", "seventeen letters", "HAProxy shortens it to 'seventeen letter'"),
        ("bytes", "00112233", "HAProxy accepts no keys of type binary in commands; use where"),
    ],
)
def test_keys_that_are_none(session: Session, table: str, key: str, why: str) -> None:
    assert why in present(session, table, key, gpc0=1)
    assert matching(session, find(session, table), []) == []


def test_a_long_key_does_not_change_another(session: Session) -> None:
    assert present(session, "words", "seventeen letter", gpc0=1) == ""
    assert "HAProxy shortens it to 'seventeen letter'" in present(session, "words", "seventeen letters", gpc0=2)
    assert [entry.data for entry in matching(session, find(session, "words"), [])] == [{"gpc0": 1}]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"gpc1": 1}, "gpc1: Data type not stored in this table"),
        ({"nonsense": 1}, "nonsense: Unknown data type"),
        ({"gpc0": "many"}, "gpc0 'many' is not an integer between 0 and 4294967295"),
        ({"gpc0": -1}, "gpc0 -1 is not an integer"),  # HAProxy takes it for 4294967295
        ({"gpc0": 4294967296}, "gpc0 4294967296 is not an integer"),  # and this for 0
        ({"gpc0": True}, "gpc0 True is not an integer"),
        ({"gpc0": 1.5}, "gpc0 1.5 is not an integer"),
        ({"gpc0": None}, "gpc0 None is not an integer"),
        ({"bytes_in_cnt": 2**63}, "bytes_in_cnt 9223372036854775808 is not an integer"),
        ({"server_key": 1}, "server_key cannot be set"),
        ({"gpc0 1 data.gpt0": 1}, "'gpc0 1 data.gpt0' is not a data type"),
    ],
)
def test_data_that_are_none(session: Session, data: dict[str, t.Any], why: str) -> None:
    assert why in present(session, "addresses", "192.0.2.1", **data)
    assert matching(session, find(session, "addresses"), []) == []  # a refused value leaves no entry


def test_large_numbers(session: Session) -> None:
    assert present(session, "addresses", "192.0.2.1", bytes_in_cnt=2**63 - 1, gpc0=2**32 - 1) == ""
    (entry,) = matching(session, find(session, "addresses"), ["data.gpc0 gt 4294967294"])
    assert (entry.data["bytes_in_cnt"], entry.data["gpc0"]) == (2**63 - 1, 2**32 - 1)


def test_changes_tell_what_matters(session: Session) -> None:
    table = find(session, "addresses")
    session.run("set table addresses key 192.0.2.1 data.gpc0 1 data.gpt0 7")
    wanted = [
        Desired("a", "192.0.2.1", {"gpc0": 2}),
        Desired("b", "192.0.2.2", {}),
        Desired("c", "192.0.2.1", {"gpc0": 3}),
    ]
    changes, problems = compare(session, table, wanted, "present")
    assert changes == [Change("a", "192.0.2.1", {"gpc0": 1}, {"gpc0": 2}), Change("b", "192.0.2.2", None, {})]
    assert [(problem.path, problem.why) for problem in problems] == [("c", "it is listed twice")]
    assert carry_out(session, table, changes) == []
    assert sorted((entry.key, entry.data["gpc0"], entry.data["gpt0"]) for entry in matching(session, table, [])) == [
        ("192.0.2.1", 2, 7),
        ("192.0.2.2", 0, 0),
    ]


def test_filters(session: Session) -> None:
    table = find(session, "addresses")
    for number in range(6):
        session.run(f"set table addresses key 192.0.2.{number} data.gpc0 {number} data.gpt0 {number % 2}")
    filters = ["data.gpc0 ge 2", "data.gpt0 eq 0"]
    found = matching(session, table, filters)
    assert sorted(entry.key for entry in found) == ["192.0.2.2", "192.0.2.4"]
    assert clear(session, table, filters, found) == []
    assert sorted(entry.key[-1] for entry in matching(session, table, [])) == ["0", "1", "3", "5"]
    with pytest.raises(LbforgeError, match="Data type not stored in this table"):
        matching(session, table, ["data.gpc1 gt 0"])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("data.gpc0 gt 0", True),
        ("data.http_req_rate le 100", True),
        ("gpc0 gt 0", False),
        ("data.gpc0 > 0", False),
        ("data.gpc0 gt", False),
        ("data.gpc0 gt 0x", False),
        ("data.gpc0 gt -1", False),
        ("data.gpc0 gt 9223372036854775808", False),
        ("data.gpc0 gt 0;clear table b", False),
        ("data.gpc0 gt 0\n", False),
    ],
)
def test_filter(text: str, right: bool) -> None:
    assert (filter_problem(text) == "") is right


def test_no_such_table(session: Session) -> None:
    with pytest.raises(LbforgeError, match=r"no stick table 'none'\. It has addresses, addresses6, bytes, "):
        find(session, "none")


@pytest.mark.parametrize("key", ["٣", "1.2.3.٤"])
def test_digits_of_other_scripts(key: str) -> None:
    assert key_problem("integer", key)
    assert key_problem("ip", key)
    assert value_problem("gpc0", key)


def test_a_table_of_the_future() -> None:
    assert Table("x", "new", 1, 0) == parse_tables("# table: x, type: new, size:1, used:0\n")[0]
    assert "accepts no keys of type" in key_problem("new", "x")
