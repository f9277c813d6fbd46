# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back to what ran before, and what the journal knows of it."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.release.apply import Outcome, Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.certificates import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.process import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import Release
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils.release.machine import (
    CONFIGURATION,
    Machine,
    free_port,
    killed,
    served_certificate,
)


def way_back(machine: Machine, name: str | None = None) -> Wanted:
    store = machine.host().store
    target = name or store.journal.before
    assert target
    return Wanted(Release(target, store.read(target)), is_rollback=True)


def roll_back(machine: Machine, name: str | None = None) -> Outcome:
    return machine.apply(way_back(machine, name))


def test_back_and_back_again(machine: Machine) -> None:
    for text in ("one", "two", "three"):
        machine.apply(machine.wanted(text))
    predicted = machine.apply(way_back(machine), check_mode=True)
    assert (predicted.plan.action, machine.answer()) == ("reload", "three x")
    outcome = roll_back(machine)
    assert (outcome.plan, machine.answer()) == (predicted.plan, "two x")
    assert machine.host().haproxy.worker().description == machine.wanted("two").release.id
    assert machine.apply(way_back(machine, machine.wanted("two").release.id)).plan.action == "nothing"
    roll_back(machine)
    assert machine.answer() == "one x"
    assert machine.host().store.journal.before is None
    machine.apply(machine.wanted("four"))
    assert machine.host().store.journal.history == [machine.wanted(text).release.id for text in ("one", "four")]
    # What was left behind can still be asked for by name, as long as it is kept.
    roll_back(machine, machine.wanted("three").release.id)
    assert machine.answer() == "three x"
    roll_back(machine)
    assert machine.answer() == "four x"


def test_back_at_run_time(machine: Machine) -> None:
    machine.apply(machine.wanted())
    machine.apply(machine.wanted(mapped="y"))
    pid = machine.pid
    outcome = roll_back(machine)
    assert (outcome.plan.action, machine.answer(), machine.pid) == ("runtime", "one x", pid)


def test_back_to_the_user_s_own_files(machine: Machine) -> None:
    own = CONFIGURATION.format(port=machine.port, text="own", home=machine.home).replace("@release@", "mine")
    (machine.etc / "haproxy.cfg").write_text(own.replace("ETC/a.map", f"{machine.etc}/own.map"))
    (machine.etc / "own.map").write_text("/ o\n")
    machine.host().haproxy.start(None)
    machine.apply(machine.wanted())
    roll_back(machine)
    assert machine.answer() == "own o"
    assert not (machine.etc / "a.map").exists()
    assert machine.apply(way_back(machine, "original")).plan.action == "nothing"


def test_certificates_stay(machine: Machine, pems: list[bytes]) -> None:
    port = free_port()
    bind = f"bind 127.0.0.1:{port} ssl crt {machine.ssl}/a.pem"
    machine.apply(machine.wanted("one", bind, pem=pems[0]))
    machine.apply(machine.wanted("two", bind, pem=pems[1]))
    renewed = served_certificate(port)
    roll_back(machine)
    assert machine.answer() == "one x"
    assert served_certificate(port) == renewed


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (ReleaseStore, "begin"),
        (CertificateStore, "write"),
        (ReleaseStore, "switch"),
        (HAProxy, "reload"),
        (ReleaseStore, "finish"),
    ],
)
def test_a_way_back_that_was_cut_off_is_finished(machine: Machine, kind: type, step: str, late: bool) -> None:
    """The one who asks again does not go back twice, unless the first had ended."""
    for text in ("one", "two", "three"):
        machine.apply(machine.wanted(text))
    killed(machine, way_back(machine), kind, step, late=late)
    if (step, late) == ("finish", True):
        assert machine.answer() == "two x"
        return
    roll_back(machine)
    assert machine.answer() == "two x"


def test_back_from_a_change_that_was_cut_off(machine: Machine) -> None:
    """Back is to what ran before that change, not before the one that ran."""
    for text in ("one", "two"):
        machine.apply(machine.wanted(text))
    killed(machine, machine.wanted("three"), HAProxy, "reload", late=True)
    assert machine.answer() == "three x"
    roll_back(machine)
    assert machine.answer() == "two x"
