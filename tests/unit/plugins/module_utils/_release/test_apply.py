# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole sequence against a real HAProxy, also when it is cut off at any step."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import (
    Found,
    Wanted,
    decide,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.check import Checker
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Difference
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy, Service, Worker
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    CONFIGURATION,
    Machine,
    end,
    free_port,
    killed,
    served_certificate,
)


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
    assert (mapped.plan.action, mapped.found.files, machine.answer()) == ("runtime", ["a.map", "haproxy.cfg"], "two y")


def test_a_refused_configuration_touches_nothing(machine: Machine) -> None:
    machine.apply(machine.wanted())
    before = machine.tree()
    for check_mode in (True, False):
        with pytest.raises(LbforgeError, match="unknown keyword 'foo'") as caught:
            machine.apply(machine.wanted("two", "foo bar"), check_mode=check_mode)
        assert "HAProxy keeps serving (worker " in str(caught.value)
        assert (machine.tree(), machine.answer()) == (before, "one x")


def test_a_port_that_is_taken_is_refused_before_anything_is_done(machine: Machine, pems: list[bytes]) -> None:
    machine.apply(machine.wanted(pem=pems[0]))
    before = machine.tree()
    worker = machine.host().haproxy.worker()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"bind 127.0.0.1:{taken.getsockname()[1]}"
        for check_mode in (True, False):
            with pytest.raises(LbforgeError, match=rf"is in use by \S+ \(process {os.getpid()}\)") as caught:
                machine.apply(machine.wanted("two", bind, pem=pems[1]), check_mode=check_mode)
            assert "HAProxy keeps serving (worker " in str(caught.value)
            assert caught.value.details["errors"][0]["value"] == bind
            assert machine.tree() == before
    now = machine.host().haproxy.worker()
    assert worker
    assert now
    assert (now.pid, machine.answer()) == (worker.pid, "one x")


def test_an_address_of_nobody_is_refused_before_anything_is_done(machine: Machine) -> None:
    """Unless the kernel allows it; then it is no problem for HAProxy either."""
    if Path("/proc/sys/net/ipv4/ip_nonlocal_bind").read_text() != "0\n":
        pytest.skip("this host binds addresses of others")
    machine.apply(machine.wanted())
    before = machine.tree()
    wanted = machine.wanted("two", "bind 192.0.2.77:80")
    with pytest.raises(LbforgeError, match=r"net\.ipv4\.ip_nonlocal_bind"):
        machine.apply(wanted)
    assert machine.tree() == before
    # In check mode the role has not set the kernel's switch yet.
    predicted = machine.apply(wanted, check_mode=True)
    assert any("net.ipv4.ip_nonlocal_bind" in str(warning) for warning in predicted.warnings)


@pytest.mark.usefixtures("taken_late")
def test_a_port_that_is_taken_late_is_rolled_back(machine: Machine, pems: list[bytes]) -> None:
    machine.apply(machine.wanted(pem=pems[0]))
    before = machine.tree()
    worker = machine.host().haproxy.worker()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"bind 127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LbforgeError) as caught:
            machine.apply(machine.wanted("two", bind, pem=pems[1]))
    assert "Address already in use" in str(caught.value)
    assert caught.value.details["errors"][0]["value"] == bind
    assert "HAProxy runs with them" in str(caught.value)
    assert machine.tree() == before
    assert (machine.answer(), machine.host().haproxy.worker().pid) == ("one x", worker.pid)
    assert machine.apply(machine.wanted("two", bind, pem=pems[1])).plan.action == "reload"
    assert machine.answer() == "two x"


@pytest.mark.usefixtures("taken_late")
def test_failures_keep_the_releases_that_ran(machine: Machine) -> None:
    ran = [machine.apply(machine.wanted(text)).found.current for text in ("one", "two", "three")][1:]
    ran.append(machine.wanted("three").release.id)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"bind 127.0.0.1:{taken.getsockname()[1]}"
        for text in ("bad", "worse"):
            with pytest.raises(LbforgeError, match="HAProxy runs with them"):
                machine.apply(machine.wanted(text, bind))
        assert sorted(machine.host().store.names()) == sorted(t.cast("list[str]", ran))
    # A release that ran once is kept, though it fails today.
    machine.apply(machine.wanted("four", bind))
    machine.apply(machine.wanted("five"))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(bind.rpartition(":")[2])))
        taken.listen()
        with pytest.raises(LbforgeError, match="HAProxy runs with them"):
            machine.apply(machine.wanted("four", bind))
    assert machine.wanted("four", bind).release.id in machine.host().store.names()


@pytest.mark.parametrize(
    ("runs", "state"), [(True, "HAProxy keeps serving (worker "), (False, "HAProxy does not run.")]
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


@pytest.mark.usefixtures("taken_late")
def test_a_start_that_fails_goes_back(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", machine.port))
        taken.listen()
        with pytest.raises(LbforgeError, match="Address already in use") as caught:
            machine.apply(machine.wanted())
        assert "does not run, as before" in str(caught.value)
        assert machine.tree() == {}
    machine.apply(machine.wanted())
    end(int((machine.home / "pid").read_text()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LbforgeError, match="HAProxy runs with them"):
            machine.apply(machine.wanted("two", f"bind 127.0.0.1:{taken.getsockname()[1]}"))
    assert machine.answer() == "one x"


def test_certificates_are_state(machine: Machine, pems: list[bytes]) -> None:
    port = free_port()
    bind = f"bind 127.0.0.1:{port} ssl crt {machine.ssl}/a.pem"
    machine.apply(machine.wanted("one", bind, pem=pems[0]))
    first = served_certificate(port)
    changed = machine.apply(machine.wanted("one", bind, pem=pems[1]))
    assert (changed.plan.action, changed.found.files) == ("runtime", [])
    assert changed.plan.reason == "Certificates change: a.pem; HAProxy takes it without a reload."
    second = served_certificate(port)
    assert first != second
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
    own = CONFIGURATION.format(port=machine.port, text="own", home=machine.home).replace("@release@", "mine")
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
        CONFIGURATION.format(port=machine.port, text="x", home=machine.home).replace("ETC/a.map", "/etc/fstab")
    )
    Service("haproxy").start()
    with pytest.raises(LbforgeError, match=f"start HAProxy with '-W -S {machine.home}/master'"):
        machine.apply(machine.wanted())


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
def test_killed_anywhere(
    machine: Machine,
    pems: list[bytes],
    kind: type,
    step: str,
    count: int,
    late: bool,
) -> None:
    """The old or the new files are there as a whole, HAProxy serves, and the next run finishes the job."""
    port = free_port()
    bind = f"bind 127.0.0.1:{port} ssl crt {machine.ssl}/a.pem"
    own = machine.files("own", bind)
    (machine.etc / "haproxy.cfg").write_text(own["haproxy.cfg"])
    (machine.etc / "a.map").write_text(own["a.map"])
    machine.ssl.mkdir()
    (machine.ssl / "a.pem").write_bytes(pems[0])
    (machine.ssl / "a.pem").chmod(0o600)
    machine.host().haproxy.start(None)
    wanted = machine.wanted("new", bind, mapped="y", pem=pems[1])
    killed(machine, wanted, kind, step, count, late=late)

    live = (machine.etc / "haproxy.cfg").read_text(), (machine.etc / "a.map").read_text()
    assert live in [
        (own["haproxy.cfg"], own["a.map"]),
        (wanted.release.texts["haproxy.cfg"], wanted.release.texts["a.map"]),
    ]
    assert machine.answer() in ("own x", "new y")

    finished = machine.apply(wanted)
    assert machine.answer() == "new y"
    assert served_certificate(port) in pems[1].decode()
    assert finished.worker
    assert finished.worker.description == wanted.release.id
    assert machine.host().store.journal.pending is None
    assert not list(machine.etc.rglob(f"{disk.NEW}*"))
    assert machine.apply(wanted).plan.action == "nothing"
    assert (machine.etc / "releases" / "original" / "haproxy.cfg").read_text() == own["haproxy.cfg"]


RELEASE = Release.made_of({"haproxy.cfg": ""})
ID = RELEASE.id


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "nothing", f"HAProxy runs release {ID}."),
        ({"worker": None}, "start", "HAProxy does not run."),
        ({"worker": None, "current": None}, "start", f"HAProxy does not run; the release changes from none to {ID}."),
        (
            {"current": "x", "difference": Difference()},
            "runtime",
            f"The release changes from x to {ID}; HAProxy takes it without a reload.",
        ),
        (
            {"current": "x"},
            "reload",
            f"The release changes from x to {ID}; it needs a reload: the running worker is unknown.",
        ),
        (
            {"current": "x", "difference": Difference(reasons=["of this", "of that"])},
            "reload",
            f"The release changes from x to {ID}; it needs a reload: of this, of that.",
        ),
        (
            {"files": ["a.map"], "difference": Difference(reasons=list("1234567"))},
            "reload",
            f"Files of release {ID} were changed by hand: a.map; it needs a reload: 1, 2, 3, 4, 5, 2 more reasons.",
        ),
        (
            {"certificates": {"a.pem": None}, "difference": Difference()},
            "runtime",
            "Certificates change: a.pem; HAProxy takes it without a reload.",
        ),
        (
            {"pending": True, "difference": Difference(reasons=["x"])},
            "reload",
            "An earlier run was interrupted before HAProxy was checked; it needs a reload: x.",
        ),
        (
            {"running": "R", "difference": Difference(reasons=["x"])},
            "reload",
            f"The worker runs 'R', not release {ID}; it needs a reload: x.",
        ),
    ],
)
def test_decide(changes: dict[str, t.Any], action: str, reason: str) -> None:
    same: dict[str, t.Any] = {
        "current": ID,
        "worker": Worker(7, "R"),
        "running": ID,
        "contents": {},
        "files": [],
        "certificates": {},
    }
    plan = decide(Wanted(RELEASE), Found(**{**same, **changes}))
    assert (plan.action, plan.reason) == (action, reason)
