# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module against a real HAProxy: what is in the file, and what runs."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.patterns import entries, parse_map
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_map

StartHAProxy = t.Callable[..., t.Any]
RunModule = t.Callable[..., dict[str, t.Any]]

CONFIGURATION = """\
frontend web
    bind 127.0.0.1:@port-web@
    acl shared path -M -f @home@/shared.map
    acl denied src -f @home@/denied.acl
    http-request deny if denied or shared
    http-request return status 200 content-type text/plain lf-string \
        "%[path,map(@home@/hosts.map)] %[path,map(@home@/shared.map)] %[path,map_str_int(@home@/numbers.map)]\
 %[path,map(relative.map)]"
"""
FILES = {
    "hosts_map": "# ours\na one\nb two\n",
    "shared_map": "/x one\n",
    "numbers_map": "a 1\n",
    "denied_acl": "192.0.2.1\n",
    "relative_map": "r 1\n",
}
NOTHING = {"changed": False, "added": 0, "updated": 0, "removed": 0}


class Host:
    """A HAProxy with maps, and the module that changes them."""

    def __init__(self, running: t.Any, run_module: RunModule) -> None:
        self.running = running
        self.home: Path = running.home
        self._run_module = run_module

    def run(self, map_name: str = "hosts.map", **options: t.Any) -> dict[str, t.Any]:
        name = map_name if map_name.startswith("#") or map_name == "relative.map" else f"{self.home}/{map_name}"
        return self._run_module(haproxy_map, map=name, socket=self.running.admin, timeout=5, **options)

    def live(self, name: str = "hosts.map", kind: str = "map") -> list[t.Any]:
        return entries(self.running.client, kind, f"{self.home}/{name}")

    def file(self, name: str = "hosts.map") -> str:
        return (self.home / name).read_text()


@pytest.fixture
def host(haproxy: StartHAProxy, run_module: RunModule) -> Host:
    return Host(haproxy(CONFIGURATION, **FILES), run_module)


def test_present(host: Host) -> None:
    options = {"entries": {"b": "2; \\ <<", "c": "three"}}
    check = host.run(**options, _ansible_check_mode=True, _ansible_diff=True)
    assert (host.file(), host.live()) == (FILES["hosts_map"], [("a", "one"), ("b", "two")])
    run = host.run(**options, _ansible_diff=True)
    assert check == run
    counts = {"changed": True, "added": 1, "updated": 1, "removed": 0}
    assert (run["changed"], run["runtime"], run["file"]) == (True, counts, counts)
    assert [(each["before"], each["after"]) for each in run["diff"]] == [
        ("# ours\na one\nb two\n", "# ours\na one\nb 2; \\ <<\nc three\n"),
        ("a one\nb two\n", "a one\nb 2; \\ <<\nc three\n"),
    ]
    assert host.file() == "# ours\na one\nb 2; \\ <<\nc three\n"
    assert host.live() == [("a", "one"), ("b", "2; \\ <<"), ("c", "three")]
    again = host.run(**options, _ansible_diff=True)
    assert (again["changed"], again["runtime"], again["file"], again["diff"]) == (False, NOTHING, NOTHING, [])


def test_absent(host: Host) -> None:
    host.running.ask(f"add map {host.home}/hosts.map a again")
    run = host.run(entries=["a", "none"], state="absent")
    assert run["runtime"] == run["file"] == {"changed": True, "added": 0, "updated": 0, "removed": 1}
    assert (host.file(), host.live()) == ("# ours\nb two\n", [("b", "two")])
    assert not host.run(entries=["a", "none"], state="absent")["changed"]


def test_duplicates_go(host: Host) -> None:
    host.running.ask(f"add map {host.home}/hosts.map a again")
    run = host.run(entries={"a": "one"})
    assert (run["runtime"]["updated"], run["file"]) == (1, NOTHING)
    assert host.live() == [("a", "one"), ("b", "two")]


def test_exact(host: Host) -> None:
    wanted = {f"host{number}": f"back {number}" for number in range(3000)}
    run = host.run(entries=wanted, state="exact")
    assert run["runtime"] == {"changed": True, "added": 3000, "updated": 0, "removed": 2}
    assert host.live() == parse_map(host.file()) == list(wanted.items())
    assert host.file().startswith("# ours\nhost0 back 0\n")
    assert not host.run(entries=wanted, state="exact")["changed"]
    order = host.run(entries=dict(reversed(wanted.items())), state="exact")
    assert order["runtime"] == {"changed": True, "added": 0, "updated": 0, "removed": 0}
    host.running.reload()
    assert host.live() == list(reversed(wanted.items()))


def test_many_at_once_go_in_as_a_version(host: Host) -> None:
    run = host.run(entries={f"host{number}": "back" for number in range(51)})
    assert run["runtime"]["added"] == 51
    assert "next_ver=1" in host.running.ask("show map").partition("/hosts.map)")[2].partition("\n")[0]
    assert host.live()[:3] == [("a", "one"), ("b", "two"), ("host0", "back")]


def test_acl(host: Host) -> None:
    run = host.run("denied.acl", kind="acl", entries=["192.0.2.1", "198.51.100.0/24"])
    assert run["runtime"] == run["file"] == {"changed": True, "added": 1, "updated": 0, "removed": 0}
    assert host.file("denied.acl") == "192.0.2.1\n198.51.100.0/24\n"
    assert "match=yes" in host.running.ask(f"get acl {host.home}/denied.acl 198.51.100.7")
    host.run("denied.acl", kind="acl", entries=["198.51.100.0/24"], state="absent")
    host.run("denied.acl", kind="acl", entries=["203.0.113.1"], state="exact", persist=False)
    assert (host.file("denied.acl"), host.live("denied.acl", "acl")) == ("192.0.2.1\n", ["203.0.113.1"])


def test_file_and_haproxy_differ_at_first(host: Host) -> None:
    (host.home / "hosts.map").write_text("a one\nc three\n")
    run = host.run(entries={"c": "three", "d": "four"})
    assert run["file"] == {"changed": True, "added": 1, "updated": 0, "removed": 0}
    assert run["runtime"] == {"changed": True, "added": 2, "updated": 0, "removed": 0}
    assert (host.file(), host.live()[-2:]) == ("a one\nc three\nd four\n", [("c", "three"), ("d", "four")])
    (host.home / "hosts.map").write_text("a one\n")
    run = host.run(entries={"d": "four"})
    assert (run["changed"], run["file"]["added"], run["runtime"]) == (True, 1, NOTHING)


def test_until_the_next_reload(host: Host) -> None:
    run = host.run(entries={"c": "three"}, persist=False)
    assert (run["file"], run["runtime"]["added"], host.file()) == (NOTHING, 1, FILES["hosts_map"])
    host.running.reload()
    assert host.live() == [("a", "one"), ("b", "two")]


def test_entries_in_a_file(host: Host) -> None:
    path = host.home / "entries.json"
    path.write_text('{"c": "three", "d": "ü"}')
    assert host.run(entries_file=str(path))["runtime"]["added"] == 2
    assert not host.run(entries={"c": "three", "d": "ü"})["changed"]
    path.write_text('"c three\\nd ü\\n"')
    assert not host.run(entries_file=str(path))["changed"]
    path.write_text("c three\n")
    assert "Cannot read the entries in" in host.run(entries_file=str(path))["msg"]
    assert "No such file" in host.run(entries_file="/nowhere")["msg"]
    assert "mutually exclusive" in host.run(entries_file=str(path), entries={"c": "three"})["msg"]


def test_by_id(host: Host) -> None:
    listed = host.running.ask("show map").splitlines()
    number = next(line.split()[0] for line in listed if "/hosts.map)" in line)
    assert host.run(f"#{number}", entries={"c": "three"})["map"] == f"{host.home}/hosts.map"
    assert host.file().endswith("c three\n")


def test_a_relative_name(host: Host) -> None:
    failed = host.run("relative.map", entries={"c": "three"})
    assert failed["msg"].startswith("HAProxy read 'relative.map' from its own working directory. Set option file")
    host.run("relative.map", entries={"c": "three"}, file=str(host.home / "relative.map"))
    assert host.file("relative.map") == "r 1\nc three\n"


def test_owner_and_mode_stay(host: Host) -> None:
    path = host.home / "hosts.map"
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65533)
    before = path.stat()
    host.run(entries={"c": "three"})
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o604
    assert after.st_ino != before.st_ino  # it is replaced, not rewritten
    assert not [*host.home.glob(".new*")]


def test_a_link_stays(host: Host) -> None:
    path = host.home / "hosts.map"
    path.rename(host.home / "elsewhere")
    path.symlink_to("elsewhere")
    host.run(entries={"c": "three"})
    assert path.is_symlink()
    assert (host.home / "elsewhere").read_text().endswith("c three\n")


def test_other_bytes_stay(host: Host) -> None:
    path = host.home / "hosts.map"
    path.write_bytes(b"# caf\xe9\na one\r\nb two\n")
    host.run(entries={"c": "three"})
    assert path.read_bytes() == b"# caf\xe9\na one\r\nb two\nc three\n"


def test_a_file_of_a_release(host: Host) -> None:
    release = host.home / "releases" / "0123456789ab"
    release.mkdir(parents=True)
    (host.home / "hosts.map").rename(release / "hosts.map")
    (host.home / "current").symlink_to("releases/0123456789ab")
    (host.home / "hosts.map").symlink_to("current/hosts.map")
    for check_mode in (True, False):
        failed = host.run(entries={"c": "three"}, _ansible_check_mode=check_mode)
        assert "belongs to a release of haproxy_config" in failed["msg"]
        assert "persist: false" in failed["msg"]
    assert host.live() == [("a", "one"), ("b", "two")]
    assert host.run(entries={"c": "three"}, persist=False)["changed"]


def test_what_is_refused_is_in_neither(host: Host) -> None:
    failed = host.run("denied.acl", kind="acl", entries=["192.0.2.2", "nowhere", "192.0.2.3", "no where"])
    assert failed["failed"]
    assert [(error["path"], error["name"], error["why"]) for error in failed["errors"]] == [
        ("entries[1]", "nowhere", "HAProxy rejected it: 'nowhere' is not a valid IPv4 or IPv6 address"),
        ("entries[3]", "no where", "HAProxy rejected it: 'no where' is not a valid IPv4 or IPv6 address"),
    ]
    assert failed["runtime"] == failed["file"] == {"changed": True, "added": 2, "updated": 0, "removed": 0}
    assert host.live("denied.acl", "acl") == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert host.file("denied.acl") == "192.0.2.1\n192.0.2.2\n192.0.2.3\n"


def test_what_haproxy_takes_and_does_not_follow(host: Host) -> None:
    failed = host.run("numbers.map", entries={"a": "many", "b": "2"})
    assert [error["name"] for error in failed["errors"]] == ["a"]
    assert (host.live("numbers.map"), host.file("numbers.map")) == ([("a", "1"), ("b", "2")], "a 1\nb 2\n")


def test_many_are_proved_before_the_file_is_touched(host: Host) -> None:
    failed = host.run("numbers.map", entries={**{f"k{n}": n for n in range(100)}, "x": "many"})
    assert "unable to parse 'many'" in failed["msg"]
    assert (host.live("numbers.map"), host.file("numbers.map")) == ([("a", "1")], "a 1\n")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"map_name": "host.map", "entries": {"a": "1"}},
            r"HAProxy has loaded no map '.*/host\.map'. It has .*hosts\.map",
        ),
        ({"map_name": "#999", "entries": {"a": "1"}}, "HAProxy has loaded no map '#999'"),
        ({"map_name": "shared.map", "kind": "acl", "entries": ["/y"]}, "is also used as a map, .* Set kind: map."),
        (
            {"entries": {"a": "1\n2", "b c": "1"}, "timeout": 0},
            "(?s)line break.*contains a blank.*0 is too small",
        ),
        ({"entries": {"a": "1"}, "file": "/nowhere/hosts.map"}, "Cannot read /nowhere/hosts.map: No such file"),
        (
            {"entries": {"a": "1"}, "socket": "/nowhere/s"},
            "Cannot send 'prompt' to HAProxy on /nowhere/s: No such file",
        ),
    ],
)
def test_errors(host: Host, run_module: RunModule, options: dict[str, t.Any], why: str) -> None:
    name = options.pop("map_name", "hosts.map")
    name = name if name.startswith("#") else f"{host.home}/{name}"
    failed = run_module(haproxy_map, **{"map": name, "socket": host.running.admin, "timeout": 5, **options})
    assert failed["failed"]
    assert re.search(why, failed["msg"])
    assert (host.file(), host.live()) == (FILES["hosts_map"], [("a", "one"), ("b", "two")])
