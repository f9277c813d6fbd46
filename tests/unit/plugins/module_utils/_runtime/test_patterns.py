# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maps and ACLs: what we read in a file is what a real HAProxy loads, and what we give it is what it holds."""

from __future__ import annotations

import typing as t
from contextlib import suppress

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._live.pattern_changes import (
    Change,
    desired_entries,
    line_of,
    lines_of,
    merged,
    steps,
    text_of,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.patterns import (
    PatternFile,
    entries,
    loaded,
    parse_acl,
    parse_map,
    prepared,
    replace,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import VersionError
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

StartHAProxy = t.Callable[..., t.Any]

CONFIGURATION = """\
frontend web
    bind 127.0.0.1:@port-web@
    acl shared path -M -f @home@/shared.map
    acl denied src -f @home@/denied.acl
    acl plain path -f @home@/plain.acl
    acl inline path /inline
    http-request deny if denied or shared or plain or inline
    http-request return status 200 content-type text/plain lf-string \
        "%[path,map(@home@/hosts.map)] %[path,map(@home@/shared.map)] %[path,map_str_int(@home@/numbers.map)]"
"""
FILES = {
    "hosts_map": "a one\nb two\n",
    "shared_map": "/x one\n",
    "numbers_map": "a 1\n",
    "denied_acl": "192.0.2.1\n",
    "plain_acl": "/p\n",
}

ODD_MAP = (
    "# a comment\n"
    "  leading  two words \t\n"
    "bare\n"
    "\n"
    " \t\n"
    "windows line\r\n"
    "\ttab\tand \\ x;y \"q\" 'r'\n"
    "hash v # no comment\n"
    "  # this is a key\n"
    "#no key\n"
    "twice 1\n"
    "twice 2\n"
    "nel a\x85b\n"
    "last without newline"
)
ODD_ACL = "# a comment\n  lead spaces here  \n\nwindows\r\n\ttab\tin\n#c\n   # pattern\nform\x0cfeed\nlast"

# What is hard to say on one line, and what a payload could lose.
HARD = [
    "<<",
    "x<<",
    "a <<",
    "<<end",
    "a <<end",
    "a;b",
    ";",
    "\\",
    "b\\",
    "\\;",
    "two  words",
    '"q',
    "'q'",
    "@1",
    "#5",
    "ü",
]


@pytest.fixture
def running(haproxy: StartHAProxy) -> t.Any:
    return haproxy(CONFIGURATION, **FILES)


@pytest.fixture
def session(running: t.Any) -> t.Iterator[Session]:
    with running.client.session() as session:
        yield session


def test_files_are_read_as_haproxy_reads_them(haproxy: StartHAProxy) -> None:
    running = haproxy(CONFIGURATION, **{**FILES, "hosts_map": ODD_MAP, "plain_acl": ODD_ACL})
    with running.client.session() as session:
        assert entries(session, "map", f"{running.home}/hosts.map") == parse_map(ODD_MAP)
        assert entries(session, "acl", f"{running.home}/plain.acl") == parse_acl(ODD_ACL)
    assert ("leading", "two words") in parse_map(ODD_MAP)
    assert ("bare", "") in parse_map(ODD_MAP)
    assert "lead spaces here  " in parse_acl(ODD_ACL)


def test_listing(running: t.Any) -> None:
    maps, acls = (loaded(running.client.read(f"show {kind}")) for kind in ("map", "acl"))
    home = running.home
    assert set(maps) == {f"{home}/{name}.map" for name in ("hosts", "shared", "numbers")}
    assert maps[f"{home}/hosts.map"].kind == "map"
    assert maps[f"{home}/hosts.map"].count == 2
    assert acls[f"{home}/denied.acl"].kind == "acl"
    assert acls[f"{home}/shared.map"] == maps[f"{home}/shared.map"]
    unnamed = [path for path in acls if path.startswith("#")]
    assert any(entries(running.client, "acl", path) == ["/inline"] for path in unnamed)


def test_everything_at_once(running: t.Any, session: Session) -> None:
    path = f"{running.home}/hosts.map"
    wanted = [(f"key{number}", f"some value {number}") for number in range(5000)]  # in several payloads
    replace(session, "map", path, wanted)
    assert entries(session, "map", path) == wanted
    assert "found=yes" in running.ask(f"get map {path} key4999")
    replace(session, "map", path, [])
    assert entries(session, "map", path) == []


def test_values_that_are_hard_to_say(running: t.Any, session: Session) -> None:
    path = f"{running.home}/hosts.map"
    wanted = [*((f"k{number}", value) for number, value in enumerate(HARD)), ("empty", ""), ("spaces", "v  ")]
    replace(session, "map", path, wanted)
    assert entries(session, "map", path) == wanted


def test_patterns_that_are_hard_to_say(running: t.Any, session: Session) -> None:
    path = f"{running.home}/plain.acl"
    replace(session, "acl", path, [*HARD, "blank  "])
    assert entries(session, "acl", path) == [*HARD, "blank  "]


def test_an_acl_shared_with_a_map(running: t.Any, session: Session) -> None:
    path = f"{running.home}/shared.map"
    replace(session, "acl", path, ["/x one", "/y two words"])
    assert entries(session, "map", path) == [("/x", "one"), ("/y", "two words")]


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "why"),
    [
        ("numbers.map", "map", [("b", "2"), ("c", "three")], "unable to parse 'three'"),
        ("denied.acl", "acl", ["192.0.2.2", "nowhere"], "'nowhere' is not a valid IPv4 or IPv6 address"),
        ("hosts.map", "map", [("a", "1"), ("b", "x" * 20_000)], "the buffer of this HAProxy takes"),
        ("hosts.map", "map", [("a", "caf\udce9")], "not UTF-8"),
        ("none.map", "map", [("a", "1")], "Unknown map identifier"),
    ],
)
def test_all_or_nothing(running: t.Any, session: Session, name: str, kind: str, wanted: list[t.Any], why: str) -> None:
    path = f"{running.home}/{name}"

    def versions() -> list[str]:
        with suppress(LbforgeError):  # there is no such map
            return [session.run(f"show {kind} @{version} {path}").strip() for version in (1, 2)]
        return []

    before = {listed: entries(session, file.kind, listed) for listed, file in loaded(session.run("show acl")).items()}
    with pytest.raises(LbforgeError, match=why):
        replace(session, kind, path, wanted)
    after = {listed: entries(session, file.kind, listed) for listed, file in loaded(session.run("show acl")).items()}
    assert before == after
    assert not any(versions())  # nothing is left behind
    assert session.run("show info")  # the conversation goes on


def test_nothing_is_seen_before_the_commit(running: t.Any, session: Session) -> None:
    path = f"{running.home}/hosts.map"
    with prepared(session, "map", path, [("c", "three")]) as commit:
        assert entries(running.client, "map", path) == [("a", "one"), ("b", "two")]
        commit()
    assert entries(running.client, "map", path) == [("c", "three")]


def test_a_version_that_is_not_used_goes(running: t.Any, session: Session) -> None:
    path = f"{running.home}/hosts.map"
    with pytest.raises(ZeroDivisionError), prepared(session, "map", path, [("c", "three")]):
        raise ZeroDivisionError
    assert session.run(f"show map @1 {path}").strip() == ""
    assert entries(session, "map", path) == [("a", "one"), ("b", "two")]


def test_who_prepared_first_loses_the_race(running: t.Any, session: Session) -> None:
    path = f"{running.home}/hosts.map"
    with (
        pytest.raises(LbforgeError, match=r"Another client replaced the entries of .*hosts\.map at the same time"),
        prepared(session, "map", path, [("mine", "1")]) as commit,
    ):
        with running.client.session() as other:
            replace(other, "map", path, [("theirs", "1")])
        commit()
    assert entries(session, "map", path) == [("theirs", "1")]


def test_a_change_right_after_the_commit_is_told(
    running: t.Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{running.home}/hosts.map"
    run = Session.run

    def meddle(self: Session, command: str, payload: str = "") -> str:
        answer = run(self, command, payload)
        if command.startswith("commit"):
            running.ask(f"add map {path} rule-of-http 1")
        return answer

    monkeypatch.setattr(Session, "run", meddle)
    with pytest.raises(LbforgeError, match="holds others"):
        replace(session, "map", path, [("mine", "1")])
    assert ("mine", "1") in entries(session, "map", path)  # what is in use is not cleared


def test_an_old_haproxy(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "version", Version(2, 2))
    with pytest.raises(VersionError, match=r"needs 2\.4 or newer"):
        replace(session, "map", "x", [])


@pytest.mark.parametrize(
    ("kind", "state", "text", "wanted", "after"),
    [
        ("map", "present", "a 1\n# c\nb 2\n", [("b", "3"), ("d", "4")], "a 1\n# c\nb 3\nd 4\n"),
        ("map", "present", "a 1\na 2\nb 2\n", [("a", "2")], "a 2\nb 2\n"),
        ("map", "present", "a \t 1 \nb 2\n", [("a", "1")], "a \t 1 \nb 2\n"),  # HAProxy reads no difference
        ("map", "present", "", [("a", "1")], "a 1\n"),
        ("map", "present", "b 2", [("a", "1")], "b 2\na 1\n"),
        ("map", "absent", "# c\na 1\nb 2\na 3\n", [("a", "")], "# c\nb 2\n"),
        ("map", "exact", "# top\n\na 1\n# middle\nb 2\n", [("b", "2"), ("a", "1")], "# top\n\nb 2\na 1\n"),
        ("map", "exact", "# top\na 1\n# middle\nb 2\n", [("a", "1"), ("b", "2")], "# top\na 1\n# middle\nb 2\n"),
        ("map", "exact", "# only\n", [("a", "1")], "# only\na 1\n"),
        ("map", "exact", "a 1\n", [], ""),
        ("acl", "present", "/a\n/a\n", ["/a", "/b"], "/a\n/b\n"),
        ("acl", "absent", "/a b\n/a\n", ["/a"], "/a b\n"),
        ("acl", "exact", "/a\n", ["/b"], "/b\n"),
    ],
)
def test_lines_of_a_file(kind: str, state: str, text: str, wanted: list[t.Any], after: str) -> None:
    once = merged(lines_of(kind, text), wanted, state)
    assert text_of(once) == after
    assert merged(lines_of(kind, text_of(once)), wanted, state) == lines_of(kind, after)


FILE = PatternFile("/x y.map", "map", 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "commands"),
    [
        (
            [("a", "1"), ("b", "2")],
            [("b", "x <<"), ("c", "3 ;")],
            ["del map /x\\ y.map a", "set map /x\\ y.map b x\\ \\<\\<", "add map /x\\ y.map | c 3 ;"],
        ),
        ([("a", "1"), ("a", "2")], [], ["del map /x\\ y.map a"]),
        ([("a", "1"), ("a", "2")], [("a", "1")], None),  # del would remove both
        ([("d", "1"), ("d", "2")], [("d", "1"), ("d", "2"), ("e", "1")], ["add map /x\\ y.map | e 1"]),
        ([], [(f"k{number}", "v") for number in range(51)], None),
    ],
)
def test_few_commands(before: list[t.Any], after: list[t.Any], commands: list[str] | None) -> None:
    change = Change(*([line_of(entry) for entry in side] for side in (before, after)))
    found = steps(FILE, change)
    shown = found and [f"{step.command} | {step.payload}" if step.payload else step.command for step in found]
    assert shown == commands


@pytest.mark.parametrize(
    ("kind", "state", "given", "found"),
    [
        ("map", "present", {"a": "1", "b": 2}, [("a", "1"), ("b", "2")]),
        (
            "map",
            "present",
            [{"key": "a", "value": "x; y\\"}, {"key": 80, "value": 1.5}],
            [("a", "x; y\\"), ("80", "1.5")],
        ),
        ("map", "absent", ["a", {"key": "b"}, {"key": "c", "value": "1"}], [("a", ""), ("b", ""), ("c", "1")]),
        ("map", "exact", {}, []),
        ("map", "exact", "", []),
        ("map", "exact", "# c\na  1 2 \nb <<", [("a", "1 2"), ("b", "<<")]),
        ("map", "absent", "a 1\nb\n", [("a", "1"), ("b", "")]),
        ("acl", "exact", "/a b\n# c\n\n/c", ["/a b", "/c"]),
        ("acl", "present", ["a b", 10], ["a b", "10"]),
    ],
)
def test_wishes(kind: str, state: str, given: t.Any, found: list[t.Any]) -> None:
    assert desired_entries(kind, given, state) == (found, [])


@pytest.mark.parametrize(
    ("kind", "state", "given", "path", "why"),
    [
        ("map", "present", 1, "entries", "a dictionary or a list of items with key and value, not int"),
        ("map", "present", "a 1\n\nb\n", "entries, line 3", "it has no value"),
        ("map", "present", "a 1\na 2\n", "entries, line 2", "it is listed twice"),
        ("map", "present", "a 1\t2\n", "entries, line 1", "control character"),
        ("map", "present", {"a": "1\n"}, "entries['a']", "the value holds a line break"),
        ("map", "present", {"a\nb": "1"}, "entries['a\\nb']", "the key holds a line break"),
        ("acl", "present", {"a": 1}, "entries", "a list of patterns, not dict"),
        ("map", "present", {"a": "1\n2"}, "entries['a']", "the value holds a line break"),
        ("map", "present", {"a": "1\t2"}, "entries['a']", "control character"),
        ("map", "present", {"a\r": "1"}, "entries['a\\r']", "the key holds a line break"),
        ("map", "present", {"a b": "1"}, "entries['a b']", "the key contains a blank"),
        ("map", "present", {"#a": "1"}, "entries['#a']", "begins with '#'"),
        ("map", "present", {"": "1"}, "entries['']", "the key is empty"),
        ("map", "present", {"a": ""}, "entries['a']", "the value is empty"),
        ("map", "present", {"a": None}, "entries['a']", "it has no value"),
        ("map", "present", {"a": True}, "entries['a']", "the value is true, which is neither text nor a number"),
        ("map", "present", {"a": ["x"]}, "entries['a']", "the value is a list"),
        ("map", "present", {"a": " x"}, "entries['a']", "begins or ends with a blank"),
        ("map", "present", [{"key": "a", "value": 1}, {"key": "a", "value": 2}], "entries[1]", "it is listed twice"),
        ("map", "present", [{"key": "a", "val": 1}], "entries[0]", "the key is a dictionary"),
        ("map", "present", ["a"], "entries[0]", "it has no value"),
        ("map", "absent", ["a b"], "entries[0]", "the key contains a blank"),
        ("map", "present", [{"value": "a"}], "entries[0]", "the key is empty"),
        ("acl", "present", ["a", " b"], "entries[1]", "the pattern begins or ends with a blank"),
        ("acl", "absent", ["#0x1234"], "entries[0]", "begins with '#'"),
    ],
)
def test_wishes_that_cannot_be(kind: str, state: str, given: t.Any, path: str, why: str) -> None:
    _found, (problem,) = desired_entries(kind, given, state)
    assert problem.path == path
    assert why in problem.why
