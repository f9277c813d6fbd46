# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back to what ran before, and what the journal knows of it."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Outcome, Wanted, rollback_target
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    CONFIGURATION,
    Machine,
    free_port,
    killed,
    served_certificate,
)


def back(machine: Machine, name: str | None = None) -> Wanted:
    return Wanted(rollback_target(machine.host().store, name), is_rollback=True)


def roll_back(machine: Machine, name: str | None = None) -> Outcome:
    return machine.apply(back(machine, name))


def test_back_and_no_further(machine: Machine) -> None:
    """Whoever asks twice, because a node was down, does not go back twice where it worked."""
    ids = {}
    for text in ("one", "two", "three"):
        ids[text] = machine.apply(machine.wanted(text)).wanted.release.id
    predicted = machine.apply(back(machine), check_mode=True)
    assert (predicted.plan.action, machine.answer()) == ("reload", "three x")
    outcome = roll_back(machine)
    assert (outcome.plan, machine.answer()) == (predicted.plan, "two x")
    assert machine.host().haproxy.worker().description == ids["two"]
    again = roll_back(machine)
    assert (again.plan.action, machine.answer()) == ("nothing", "two x")
    assert "Set release to go further back" in again.plan.reason
    roll_back(machine, ids["one"])
    assert machine.answer() == "one x"
    machine.apply(machine.wanted("four"))
    assert machine.host().store.journal.history == [ids["one"], machine.wanted("four").release.id]
    # What was left behind can still be asked for by name, as long as it is kept.
    roll_back(machine, ids["three"])
    assert machine.answer() == "three x"


def test_nothing_to_go_back_to(machine: Machine) -> None:
    machine.apply(machine.wanted())
    with pytest.raises(LbforgeError, match="No release ran before the one in use"):
        back(machine)
    with pytest.raises(LbforgeError, match=f"no release 'x'.*{machine.wanted().release.id}"):
        back(machine, "x")


def test_a_release_that_was_edited_is_none(machine: Machine) -> None:
    for text in ("one", "two"):
        machine.apply(machine.wanted(text))
    old = machine.etc / "releases" / machine.wanted("one").release.id / "a.map"
    old.write_text("/ edited\n")
    with pytest.raises(LbforgeError, match="were changed by hand"):
        back(machine)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"history": 5}'])
def test_a_journal_that_cannot_be_read(machine: Machine, text: str) -> None:
    machine.apply(machine.wanted())
    (machine.etc / "releases" / ".journal").write_text(text)
    outcome = machine.apply(machine.wanted())
    assert outcome.plan.action == "reload"
    assert machine.apply(machine.wanted()).plan.action == "nothing"


def test_a_journal_of_a_later_version(machine: Machine) -> None:
    machine.apply(machine.wanted())
    journal = machine.etc / "releases" / ".journal"
    journal.write_text(journal.read_text().replace("{", '{"more": 1, ', 1))
    assert machine.apply(machine.wanted()).plan.action == "nothing"


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
    with pytest.raises(
        LbforgeError, match=r"there before the first run; they are stored as original\. Set release to original"
    ):
        back(machine)
    roll_back(machine, "original")
    assert machine.answer() == "own o"
    assert not (machine.etc / "a.map").exists()
    assert roll_back(machine, "original").plan.action == "nothing"


def test_back_after_an_edit_was_undone(machine: Machine) -> None:
    machine.apply(machine.wanted())
    path = machine.etc / "current" / "a.map"
    path.write_text("/ edited\n")
    machine.apply(machine.wanted())
    with pytest.raises(LbforgeError, match=r"changed by hand; they are stored as (edited-[0-9a-f]{12})\.") as caught:
        back(machine)
    name = str(caught.value).partition("stored as ")[2][: len("edited-") + 12]
    # What it says is kept is among those that it lists, and can be gone back to.
    assert name in str(caught.value).partition("Stored releases")[2]
    roll_back(machine, name)
    assert machine.answer() == "one edited"


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
    killed(machine, back(machine), kind, step, late=late)
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
