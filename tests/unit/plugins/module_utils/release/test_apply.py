# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole sequence against a real HAProxy, also when it is cut off at any step.

Systemd is the one thing played: a script in its place starts and watches the real process. ``HAPROXY`` names another
HAProxy to test with.
"""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.release import files as disk
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.apply import (
    Found,
    Host,
    Outcome,
    Wanted,
    apply,
    decide,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.certificates import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.check import Checker
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.process import HAProxy, Service, Worker
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils.runtime.client import RuntimeClient

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

SYSTEMCTL = """#!/bin/sh
runs() {{ grep -q '^State:.[^ZX]' "/proc/$(cat {home}/pid)/status" 2>/dev/null; }}
case $1 in
is-active) runs && echo active || echo inactive ;;
start)
    runs && exit 0
    {binary} -W -f {home}/etc/haproxy.cfg {master} >>{home}/log 2>&1 &
    echo $! >{home}/pid
    sleep 0.5
    runs || {{ echo 'Job for haproxy.service failed.' >&2; exit 1; }} ;;
esac
"""
JOURNALCTL = "#!/bin/sh\ncat {home}/log\n"

CONFIGURATION = """\
global
    description @release@
    hard-stop-after 5s
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    option idle-close-on-response
frontend web-front-1
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "{text} %[path,map(ETC/a.map,none)]"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Machine:
    """A host with one HAProxy in a directory of its own."""

    home: Path
    port: int

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def ssl(self) -> Path:
        return self.etc / "ssl"

    def host(self) -> Host:
        store = ReleaseStore(self.etc)
        return Host(
            store,
            CertificateStore(self.ssl),
            Checker(BINARY, store, self.ssl, self.home / "run"),
            HAProxy(RuntimeClient(self.home / "master", 10), Service("haproxy"), 10),
        )

    def wanted(self, text: str = "one", *lines: str, mapped: str = "x", pem: bytes = b"") -> Wanted:
        configuration = CONFIGURATION.format(port=self.port, text=text) + "".join(f"    {line}\n" for line in lines)
        files = {"haproxy.cfg": configuration.replace("ETC", str(self.etc)), "a.map": f"/ {mapped}\n"}
        return Wanted(Release(files), {"a.pem": pem} if pem else {})

    def apply(self, wanted: Wanted, host: Host | None = None, *, check_mode: bool = False) -> Outcome:
        return apply(wanted, host or self.host(), keep=3, patience=5, check_mode=check_mode)

    def answer(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/")
        return connection.getresponse().read().decode()

    def tree(self) -> dict[str, str]:
        """Everything below the directory of the configuration."""
        return {
            str(path.relative_to(self.etc)): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in self.etc.rglob("*")
            if path.is_symlink() or path.is_file()
        }


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Machine]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    with tempfile.TemporaryDirectory() as name:  # short: the path of a socket is limited
        home = Path(name)
        (home / "etc").mkdir()
        (home / "bin").mkdir()
        (home / "run").mkdir()
        for program, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            script = home / "bin" / program
            script.write_text(text.format(home=home, binary=BINARY, master=f"-S {home}/master"))
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
        yield Machine(home, free_port())
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((home / "pid").read_text()), signal.SIGTERM)
            time.sleep(0.2)


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    directory = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    bundles = []
    for _number in range(2):
        subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
        bundles.append((directory / "c").read_bytes() + (directory / "k").read_bytes())
    return bundles


def served_certificate(port: int) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, input="").stdout


def test_from_nothing_to_a_second_release(machine: Machine) -> None:
    first = machine.apply(machine.wanted())
    assert (first.plan.action, first.previous_release, machine.answer()) == ("start", None, "one x")
    assert first.worker

    before = machine.tree()
    again = machine.apply(machine.wanted())
    assert (again.plan.action, again.worker, machine.tree()) == ("nothing", first.worker, before)

    predicted = machine.apply(machine.wanted("two"), check_mode=True)
    assert (predicted.plan.action, machine.tree(), machine.answer()) == ("reload", before, "one x")

    second = machine.apply(machine.wanted("two"))
    assert second.plan == predicted.plan
    assert second.previous_release == machine.wanted().release.id
    assert second.worker
    assert second.worker.pid != first.worker.pid
    assert machine.answer() == "two x"

    mapped = machine.apply(machine.wanted("two", mapped="y"))
    assert (mapped.plan.action, mapped.found.files, machine.answer()) == ("reload", ["a.map", "haproxy.cfg"], "two y")


def test_a_refused_configuration_touches_nothing(machine: Machine) -> None:
    machine.apply(machine.wanted())
    before = machine.tree()
    for check_mode in (True, False):
        with pytest.raises(LbforgeError, match="unknown keyword 'foo'") as caught:
            machine.apply(machine.wanted("two", "foo bar"), check_mode=check_mode)
        assert "HAProxy goes on serving (worker " in str(caught.value)
        assert (machine.tree(), machine.answer()) == (before, "one x")


def test_a_port_that_is_taken_is_rolled_back(machine: Machine, pems: list[bytes]) -> None:
    machine.apply(machine.wanted(pem=pems[0]))
    before = machine.tree()
    pid = machine.host().haproxy.worker()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"bind 127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LbforgeError) as caught:
            machine.apply(machine.wanted("two", bind, pem=pems[1]))
    assert "Address already in use" in str(caught.value)
    assert caught.value.details["errors"][0]["source"] == bind
    assert "HAProxy serves with it" in str(caught.value)
    assert machine.tree() == before
    assert (machine.answer(), machine.host().haproxy.worker()) == ("one x", pid)
    assert machine.apply(machine.wanted("two", bind, pem=pems[1])).plan.action == "reload"
    assert machine.answer() == "two x"


def test_failures_keep_the_releases_that_ran(machine: Machine) -> None:
    ran = [machine.apply(machine.wanted(text)).found.current for text in ("one", "two", "three")][1:]
    ran.append(machine.wanted("three").release.id)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"bind 127.0.0.1:{taken.getsockname()[1]}"
        for text in ("bad", "worse"):
            with pytest.raises(LbforgeError, match="HAProxy serves with it"):
                machine.apply(machine.wanted(text, bind))
        assert sorted(machine.host().store.names()) == sorted(t.cast("list[str]", ran))
    # A release that ran once is kept, though it fails today.
    machine.apply(machine.wanted("four", bind))
    machine.apply(machine.wanted("five"))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(bind.rpartition(":")[2])))
        taken.listen()
        with pytest.raises(LbforgeError, match="HAProxy serves with it"):
            machine.apply(machine.wanted("four", bind))
    assert machine.wanted("four", bind).release.id in machine.host().store.names()


@pytest.mark.parametrize(
    ("runs", "state"), [(True, "HAProxy goes on serving (worker "), (False, "HAProxy does not run.")]
)
def test_a_file_that_cannot_be_written_is_named(machine: Machine, runs: bool, state: str) -> None:
    """A limit of the size of files fails a write as a full disk does: in the open file, with no name."""
    if runs:
        machine.apply(machine.wanted())
    before = machine.tree()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(LbforgeError) as caught:
            machine.apply(machine.wanted("two", mapped="x" * 200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"'{machine.home}/run/haproxy-check-" in str(caught.value)
    assert "/config/a.map'" in str(caught.value)
    assert state in str(caught.value)
    assert machine.tree() == before


def test_what_a_killed_check_left_is_removed(machine: Machine, pems: list[bytes]) -> None:
    """Also by a run that finds nothing to do, and in check mode; what is somebody else's stays."""
    machine.apply(machine.wanted())
    (machine.home / "run" / "haproxy-check-other").mkdir()
    slow = machine.home / "bin" / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 1\n")
    slow.chmod(0o755)
    for check_mode in (True, False):
        run = os.fork()
        if run == 0:
            host = machine.host()
            host = replace(host, checker=Checker(str(slow), host.store, machine.ssl, machine.home / "run"))
            machine.apply(machine.wanted("two", pem=pems[0]), host, check_mode=True)
            os._exit(0)
        while not (keys := list(machine.home.glob("run/*/certificates/a.pem"))):
            time.sleep(0.02)
        os.kill(run, signal.SIGKILL)
        os.waitpid(run, 0)
        assert keys[0].exists()
        assert machine.apply(machine.wanted(), check_mode=check_mode).plan.action == "nothing"
        assert [path.name for path in (machine.home / "run").iterdir()] == ["haproxy-check-other"]


def test_a_start_that_fails_goes_back(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", machine.port))
        taken.listen()
        with pytest.raises(LbforgeError, match="Address already in use") as caught:
            machine.apply(machine.wanted())
        assert "does not run, as before" in str(caught.value)
        assert machine.tree() == {}
    machine.apply(machine.wanted())
    os.kill(int((machine.home / "pid").read_text()), signal.SIGTERM)
    time.sleep(0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LbforgeError, match="HAProxy serves with it"):
            machine.apply(machine.wanted("two", f"bind 127.0.0.1:{taken.getsockname()[1]}"))
    assert machine.answer() == "one x"


def test_certificates_are_state(machine: Machine, pems: list[bytes]) -> None:
    port = free_port()
    bind = f"bind 127.0.0.1:{port} ssl crt {machine.ssl}/a.pem"
    machine.apply(machine.wanted("one", bind, pem=pems[0]))
    first = served_certificate(port)
    changed = machine.apply(machine.wanted("one", bind, pem=pems[1]))
    assert (changed.plan.action, changed.found.files) == ("reload", [])
    assert changed.plan.reason == "Certificates change: a.pem."
    second = served_certificate(port)
    assert first.split("BEGIN CERT")[1] != second.split("BEGIN CERT")[1]
    assert machine.apply(machine.wanted("one", bind, pem=pems[1])).plan.action == "nothing"


def test_a_worker_of_another_release(machine: Machine) -> None:
    machine.apply(machine.wanted())
    store = machine.host().store
    wanted = machine.wanted("two")
    store.commit(store.stage(wanted.release.contents), wanted.release.id)
    store.switch(wanted.release.id)  # and nobody told HAProxy
    outcome = machine.apply(wanted)
    assert (outcome.plan.action, machine.answer()) == ("reload", "two x")
    assert outcome.plan.reason.startswith(f"The worker runs '{machine.wanted().release.id}'")


def test_a_file_changed_by_hand_is_kept_and_healed(machine: Machine) -> None:
    machine.apply(machine.wanted())
    (machine.etc / "a.map").write_text("/ hand\n")
    outcome = machine.apply(machine.wanted())
    assert (outcome.plan.action, outcome.found.files, machine.answer()) == ("reload", ["a.map"], "one x")
    assert outcome.previous_release
    assert machine.tree()[f"releases/{outcome.previous_release}/a.map"] == "/ hand\n"
    assert machine.apply(machine.wanted()).plan.action == "nothing"


def test_the_user_s_own_configuration_becomes_a_release(machine: Machine) -> None:
    own = CONFIGURATION.format(port=machine.port, text="own").replace("@release@", "mine")
    (machine.etc / "haproxy.cfg").write_text(own.replace("ETC/a.map", f"{machine.etc}/own.map"))
    (machine.etc / "own.map").write_text("/ o\n")
    machine.host().haproxy.start(None)
    assert machine.answer() == "own o"
    outcome = machine.apply(machine.wanted())
    assert (outcome.plan.action, outcome.previous_release, machine.answer()) == ("reload", "original", "one x")
    assert (machine.etc / "own.map").read_text() == "/ o\n"


def test_without_the_master_socket(machine: Machine) -> None:
    script = machine.home / "bin" / "systemctl"
    script.write_text(script.read_text().replace(f"-S {machine.home}/master", ""))
    (machine.etc / "haproxy.cfg").write_text(
        CONFIGURATION.format(port=machine.port, text="x").replace("ETC/a.map", "/etc/fstab")
    )
    Service("haproxy").start()
    with pytest.raises(LbforgeError, match=f"start HAProxy with '-W -S {machine.home}/master'"):
        machine.apply(machine.wanted())


class CutError(BaseException):
    """A kill: nothing of the module catches it."""


# Each step of a change that writes, and how often it happens in one change from the user's own file.
STEPS: list[tuple[type, str, int]] = [
    (ReleaseStore, "tidy", 1),
    (ReleaseStore, "adopt", 1),
    (ReleaseStore, "stage", 1),
    (ReleaseStore, "commit", 1),
    (ReleaseStore, "switch", 1),
    (ReleaseStore, "add_links", 1),
    (ReleaseStore, "stage", 2),
    (ReleaseStore, "commit", 2),
    (ReleaseStore, "begin", 1),
    (CertificateStore, "write", 1),
    (ReleaseStore, "add_links", 2),
    (ReleaseStore, "switch", 2),
    (HAProxy, "reload", 1),
    (ReleaseStore, "remove_links", 1),
    (ReleaseStore, "finish", 1),
    (ReleaseStore, "prune", 1),
]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("kind", "step", "count"), STEPS, ids=[f"{case[1]}-{case[2]}" for case in STEPS])
def test_cut_off_anywhere(
    machine: Machine,
    pems: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    step: str,
    count: int,
    late: bool,
) -> None:
    """The old or the new files are there as a whole, HAProxy serves, and the next run finishes the job."""
    port = free_port()
    bind = f"bind 127.0.0.1:{port} ssl crt {machine.ssl}/a.pem"
    own = machine.wanted("own", bind).release.files
    (machine.etc / "haproxy.cfg").write_text(own["haproxy.cfg"])
    (machine.etc / "a.map").write_text(own["a.map"])
    machine.ssl.mkdir()
    (machine.ssl / "a.pem").write_bytes(pems[0])
    (machine.ssl / "a.pem").chmod(0o600)
    machine.host().haproxy.start(None)
    wanted = machine.wanted("new", bind, mapped="y", pem=pems[1])
    real = getattr(kind, step)
    calls = []

    def cut(self: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        calls.append(step)
        if len(calls) == count and not late:
            raise CutError
        result = real(self, *args, **options)
        if len(calls) == count:
            raise CutError
        return result

    monkeypatch.setattr(kind, step, cut)
    with pytest.raises(CutError):
        machine.apply(wanted)
    monkeypatch.setattr(kind, step, real)

    live = (machine.etc / "haproxy.cfg").read_text(), (machine.etc / "a.map").read_text()
    assert live in [
        (own["haproxy.cfg"], own["a.map"]),
        (wanted.release.texts["haproxy.cfg"], wanted.release.texts["a.map"]),
    ]
    assert machine.answer() in ("own x", "new y")

    finished = machine.apply(wanted)
    assert machine.answer() == "new y"
    assert served_certificate(port).split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0] in pems[1].decode()
    assert finished.worker
    assert finished.worker.runs(wanted.release.id)
    assert not machine.host().store.pending
    assert not list(machine.etc.rglob(f"{disk.NEW}*"))
    assert machine.apply(wanted).plan.action == "nothing"
    assert (machine.etc / "releases" / "original" / "haproxy.cfg").read_text() == own["haproxy.cfg"]


WORKER = Worker(7, "R")
RELEASE = Release({"haproxy.cfg": ""})
ID = RELEASE.id


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "nothing", f"HAProxy runs release {ID}."),
        ({"worker": None}, "start", "HAProxy does not run."),
        ({"worker": None, "current": None}, "start", f"HAProxy does not run; the release changes from none to {ID}."),
        ({"current": "x"}, "reload", f"The release changes from x to {ID}."),
        ({"files": ["a.map"]}, "reload", f"Somebody changed files of release {ID}: a.map."),
        ({"certificates": {"a.pem": None}}, "reload", "Certificates change: a.pem."),
        ({"pending": True}, "reload", "An earlier run was cut off before HAProxy was proved."),
        ({"worker": WORKER}, "reload", f"The worker runs 'R', not release {ID}."),
    ],
)
def test_decide(changes: dict[str, t.Any], action: str, reason: str) -> None:
    same: dict[str, t.Any] = {
        "current": ID,
        "worker": Worker(7, ID),
        "contents": {},
        "files": [],
        "certificates": {},
        "adopted": None,
        "pending": False,
    }
    plan = decide(RELEASE, Found(**{**same, **changes}))
    assert (plan.action, plan.reason) == (action, reason)
