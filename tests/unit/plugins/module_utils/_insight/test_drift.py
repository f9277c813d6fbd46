# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is changed by hand, on the disk or in a real HAProxy, is found and named, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.facts import Facts
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore, Runtime
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient

SECTIONS = """\
frontend web
    bind 127.0.0.1:@port-web@
    bind 127.0.0.1:@port-tls@ ssl crt @home@/ssl
    bind 127.0.0.1:@port-list@ ssl crt-list @home@/web.list
    http-request deny if { src -f @home@/denied.acl }
    use_backend %[path,map(@home@/paths.map,web-back)]
    default_backend web-back
backend web-back
    default-server maxconn 50
    server one 127.0.0.1:@port-back@ weight 10
    server two 127.0.0.1:@port-back@ weight 20 maxconn 5
    server six [::1]:@port-back@ disabled
    server named localhost:@port-back@
    server checked 127.0.0.1:@port-back@ check inter 1000s port 7 addr 127.0.0.5 ssl verify none
    server-template t 2 127.0.0.1:@port-back@
"""
SETTINGS = """\
    description lb @release@
    stats socket @home@/own mode 600
"""
FILES = {
    "paths.map": "# where to\n/a  web-back\n/b web-back\n",
    "denied.acl": "192.0.2.1\n198.51.100.0/24\n",
    "web.list": "@home@/ssl/one.pem [alpn h2,http/1.1] one.test\n@home@/ssl/two.pem two.test\n",
}

INHERITED = "defaults a\n default-server weight 5\ndefaults c from a\n default-server maxconn 9\n"

Found = dict[tuple[str, str], tuple[t.Any, t.Any]]
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port


@dataclass
class Machine:
    """A HAProxy that runs a release."""

    running: t.Any
    store: ReleaseStore
    release: Release
    pems: list[str]

    @property
    def home(self) -> Path:
        return Path(self.running.home)

    def bring(self, release: Release) -> None:
        """What haproxy_config does to the disk."""
        self.store.commit(self.store.stage(release.contents, ["hidden-value"]), release.id)
        self.store.add_links(release.contents)
        self.store.switch(release.id)
        self.store.finish(release.id, back=False, runtime=None)

    def drift(self, **options: t.Any) -> dict[str, t.Any]:
        master = RuntimeClient(self.running.master, 5)
        return Facts(self.running.client, master, self.store, self.home / "ssl", **options).drift()

    def found(self) -> Found:
        drift = self.drift()
        assert drift["in_sync"] == (not drift["differences"])
        assert all(difference["sentence"].endswith(".") for difference in drift["differences"])
        return {
            (difference["kind"], difference["object"].replace(f"{self.home}/", "")): (
                difference["desired"],
                difference["found"],
            )
            for difference in drift["differences"]
        }


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    bundles = []
    for _number in range(3):
        subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
        bundles.append((directory / "c").read_text() + (directory / "k").read_text())
    return bundles


@pytest.fixture
def machine(haproxy: t.Any, pems: list[str]) -> Machine:
    running = haproxy("backend empty\n", settings=SETTINGS)
    home = Path(running.home)
    (home / "ssl").mkdir()
    (home / "ssl" / "one.pem").write_text(pems[0])
    (home / "ssl" / "two.pem").write_text(pems[1])
    ports = {name: running.ports.get(name) or free_port() for name in ("web", "tls", "list", "back")}

    def filled(text: str) -> str:
        for name, port in ports.items():
            text = text.replace(f"@port-{name}@", str(port))
        return text.replace("@home@", str(home))

    text = (home / "haproxy.cfg").read_text().replace("backend empty\n", filled(SECTIONS))
    files = {"haproxy.cfg": text, **{name: filled(content) for name, content in FILES.items()}}
    machine = Machine(running, ReleaseStore(home), Release.made_of(files), pems)
    machine.bring(machine.release)
    running.reload()
    return machine


def test_a_release_that_runs_is_in_sync(machine: Machine) -> None:
    assert machine.drift() == {
        "release": machine.release.id,
        "running_release": machine.release.id,
        "in_sync": True,
        "differences": [],
    }


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["set server web-back/one weight 3"], {("server_weight", "web-back/one"): (10, 3)}),
        (["set server web-back/t1 weight 0"], {("server_weight", "web-back/t1"): (1, 0)}),
        (["set server web-back/one state drain"], {("server_state", "web-back/one"): ("ready", "drain")}),
        (["set server web-back/t2 state maint"], {("server_state", "web-back/t2"): ("ready", "maint")}),
        (["set server web-back/six state ready"], {("server_state", "web-back/six"): ("maint", "ready")}),
        (["set maxconn server web-back/two 9"], {("server_maxconn", "web-back/two"): (5, 9)}),
        (["set maxconn server web-back/one 0"], {("server_maxconn", "web-back/one"): (50, 0)}),
        (
            ["set server web-back/two addr 192.0.2.9 port 81"],
            {("server_address", "web-back/two"): ("127.0.0.1:BACK", "192.0.2.9:81")},
        ),
        (["add server web-back/new 127.0.0.1:1"], {("server", "web-back/new"): ("absent", "present")}),
        (
            ["set server web-back/one state maint", "del server web-back/one"],
            {("server", "web-back/one"): ("present", "absent")},
        ),
        (
            ["add map HOME/paths.map /c hidden-value", "del map HOME/paths.map /a"],
            {
                ("map", "paths.map"): (
                    {"count": 1, "examples": ["/a web-back"]},
                    {"count": 1, "examples": ["/c ********"]},
                )
            },
        ),
        (
            ["set map HOME/paths.map /a other"],
            {
                ("map", "paths.map"): (
                    {"count": 1, "examples": ["/a web-back"]},
                    {"count": 1, "examples": ["/a other"]},
                )
            },
        ),
        (
            [f"add acl HOME/denied.acl 203.0.113.{number}" for number in range(12)],
            {
                ("acl", "denied.acl"): (
                    {"count": 0, "examples": []},
                    {"count": 12, "examples": [f"203.0.113.{number}" for number in range(10)]},
                )
            },
        ),
        (
            ["del ssl crt-list HOME/web.list HOME/ssl/two.pem"],
            {
                ("crt_list", "web.list"): (
                    {"count": 1, "examples": ["HOME/ssl/two.pem two.test"]},
                    {"count": 0, "examples": []},
                )
            },
        ),
        (["set server web-back/checked ssl off"], {("server_tls", "web-back/checked"): ("TLS", "plain text")}),
        (["set server web-back/checked check-port 98"], {("server_check_port", "web-back/checked"): (7, 98)}),
        (
            ["set server web-back/checked check-addr 127.0.0.6"],
            {("server_check_address", "web-back/checked"): ("127.0.0.5", "127.0.0.6")},
        ),
        (["disable health web-back/checked"], {("server_check", "web-back/checked"): ("enabled", "disabled")}),
        (["set server web-back/named addr 127.0.0.1 port 99"], {("server_port", "web-back/named"): ("BACK", 99)}),
        # These change nothing that a release says.
        (["set server web-back/one health up"], {}),
        (["set server web-back/one state drain", "set server web-back/one state ready"], {}),
    ],
)
def test_what_was_done_to_the_running_haproxy(machine: Machine, commands: list[str], expected: Found) -> None:
    for command in commands:
        answer = machine.running.ask(command.replace("HOME", str(machine.home)))
        assert "Unknown" not in answer
    if any("web-back/one" in command and "del" in command for command in commands):
        assert "web-back 1 one" not in machine.running.ask("show servers state web-back")
    back = str(machine.release.texts["haproxy.cfg"].partition("server one 127.0.0.1:")[2].partition(" ")[0])
    shown = repr(machine.found()).replace(str(machine.home), "HOME")
    assert shown == repr(expected).replace("'BACK'", back).replace("BACK'", f"{back}'")
    machine.running.reload()
    assert machine.drift()["in_sync"]


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ({"192.0.2.8", "127.0.0.1"}, {}),
        (set(), {}),  # the last address is as good as any
        ({"192.0.2.8"}, {("server_address", "web-back/named"): ("192.0.2.8", "127.0.0.1")}),
    ],
)
def test_a_name_that_means_something_else(machine: Machine, addresses: set[str], expected: Found) -> None:
    found = machine.drift(lookup={"localhost": addresses}.__getitem__)["differences"]
    assert {(one["kind"], one["object"]): (one["desired"], one["found"]) for one in found} == expected


def test_a_socket_that_lets_others_in(machine: Machine) -> None:
    (machine.home / "own").chmod(0o666)
    assert machine.found() == {("socket", "own"): ("0600", "0666")}


def test_the_last_word_counts_in_a_certificate(machine: Machine) -> None:
    path, lines = machine.home / "ssl" / "two.pem", "\n".join(filter(None, machine.pems[2].splitlines()))
    sha1 = fingerprints(machine.pems)
    machine.running.ask(f"set ssl cert {path} <<\n{lines}\n")
    machine.running.ask(f"commit ssl cert {path}")
    assert machine.found() == {("certificate", "ssl/two.pem"): (sha1[1], sha1[2])}
    path.write_text(machine.pems[2])
    assert machine.found() == {}
    path.unlink()
    assert machine.found() == {("certificate", "ssl/two.pem"): (None, sha1[2])}


def test_a_certificate_that_is_not_loaded_yet(machine: Machine) -> None:
    (machine.home / "ssl" / "three.pem").write_text(machine.pems[2])
    (machine.home / "ssl" / "three.pem.issuer").write_text(machine.pems[2])
    (machine.home / "ssl" / "README").write_text("Nothing to load.\n")
    assert machine.found() == {("certificate", "ssl/three.pem"): (fingerprints(machine.pems)[2], None)}


def fingerprints(pems: list[str]) -> list[str]:
    """What openssl says."""
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha1"]
    said = [subprocess.run(command, input=pem, check=True, capture_output=True, text=True).stdout for pem in pems]
    return [line.partition("=")[2].strip().replace(":", "") for line in said]


def test_a_file_that_was_edited(machine: Machine) -> None:
    """Behind its link, as editors do that write in place."""
    with (machine.home / "haproxy.cfg").open("a") as file:
        file.write("backend more\n    server three 127.0.0.1:1\n")
    name = f"releases/{machine.release.id}/haproxy.cfg"
    assert machine.found() == {
        ("file", name): ("as applied", "edited"),
        # HAProxy would read this at its next reload.
        ("server", "more/three"): ("present", "absent"),
    }


def test_a_file_that_was_edited_without_a_trace(machine: Machine) -> None:
    path = machine.home / "releases" / machine.release.id / "web.list"
    times = path.stat()
    path.write_text(f"# hello\n{path.read_text()}")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert machine.found() == {("file", f"releases/{machine.release.id}"): ("as applied", "edited")}


def test_a_link_that_was_replaced(machine: Machine) -> None:
    """As `sed -i` and other editors do."""
    path = machine.home / "paths.map"
    text = path.read_text()
    path.unlink()
    assert machine.found() == {("link", "paths.map"): ("current/paths.map", "nothing")}
    path.write_text(text)
    assert machine.found() == {("link", "paths.map"): ("current/paths.map", "a file from elsewhere")}


def changed(release: Release, before: str, after: str) -> Release:
    """The next release."""
    texts = {name: text.replace(release.id, "@release@") for name, text in release.texts.items()}
    return Release.made_of({**texts, "haproxy.cfg": texts["haproxy.cfg"].replace(before, after)})


def test_a_release_that_does_not_run_yet(machine: Machine) -> None:
    pid = str(machine.running.client.ask("show info").partition("\nPid: ")[2].partition("\n")[0])
    following = changed(machine.release, "weight 10", "weight 11")
    machine.bring(following)
    # Compared with the release that runs, nothing else was changed.
    assert machine.found() == {("worker", pid): (following.id, machine.release.id)}
    assert machine.drift()["running_release"] == machine.release.id
    machine.running.reload()
    assert machine.found() == {}
    # Forget the one that runs.
    machine.bring(changed(machine.release, "weight 10", "weight 12"))
    machine.store.discard(following.id)
    (difference,) = machine.drift()["differences"]
    assert (difference["kind"], difference["found"]) == ("worker", f"lb {following.id}")
    assert machine.drift()["running_release"] is None


def test_a_release_that_came_by_commands(machine: Machine) -> None:
    following = changed(machine.release, "weight 10", "weight 11")
    with machine.running.client.session() as session:
        runtime = Runtime(worker=session.pid, description=session.info["description"], release=following.id)
    machine.bring(following)
    machine.store.finish(following.id, back=False, runtime=runtime)
    assert machine.found() == {("server_weight", "web-back/one"): (11, 10)}
    machine.running.ask("set server web-back/one weight 11")
    assert machine.found() == {}
    assert machine.drift()["running_release"] == following.id
    machine.running.reload()  # the mark is of a worker that is gone
    assert machine.found() == {}


def test_a_run_that_was_cut_off(machine: Machine) -> None:
    machine.store.begin("0123456789ab", back=False)
    assert machine.found() == {("release", "0123456789ab"): ("0123456789ab", machine.release.id)}


def test_a_host_without_a_release(haproxy: t.Any) -> None:
    running = haproxy("backend b\n    server s 127.0.0.1:1\n")
    facts = Facts(running.client, RuntimeClient(running.master, 5), ReleaseStore(running.home), running.home / "ssl")
    found = facts.drift()
    assert (found["release"], found["running_release"], found["in_sync"]) == (None, None, False)
    assert [difference["kind"] for difference in found["differences"]] == ["release"]


@pytest.mark.parametrize(
    ("text", "weight", "maxconn", "disabled"),
    [
        ("backend b\n server s 127.0.0.1:1", 1, None, False),
        ("defaults\n default-server weight 5 disabled\nbackend b\n server s 127.0.0.1:1", 5, None, True),
        ("defaults\n default-server weight 5 disabled\nbackend b\n server s 127.0.0.1:1 enabled", 5, None, False),
        ("defaults\n default-server weight 5\ndefaults\nbackend b\n server s 127.0.0.1:1", 1, None, False),
        (
            "defaults a\n default-server weight 5\ndefaults c\nbackend b from a\n server s 127.0.0.1:1 maxconn 3",
            5,
            3,
            False,
        ),
        (
            "defaults\n default-server weight 5\nbackend b\n default-server weight 6\n server s 127.0.0.1:1 weight 7",
            7,
            None,
            False,
        ),
        (
            f"{INHERITED}listen b\n server s 127.0.0.1:1",
            5,
            9,
            False,
        ),
    ],
)
def test_defaults_of_servers(haproxy: t.Any, text: str, weight: int, maxconn: int | None, disabled: bool) -> None:
    server = configured_servers(parse(text))["b", "s"]
    assert (server.weight, server.numbers.get("maxconn"), server.disabled) == (weight, maxconn, disabled)
    # As HAProxy says.
    running = haproxy(text.replace("listen b\n", "listen b\n bind 127.0.0.1:@port-b@\n") + "\n")
    rows = [line.split(",") for line in running.ask("show stat b 4 -1").splitlines()]
    row = dict(zip(rows[0], next(row for row in rows if row[0] == "b"), strict=True))
    assert (row["weight"], row["slim"] or None, row["status"] == "MAINT") == (
        str(weight),
        None if maxconn is None else str(maxconn),
        disabled,
    )
