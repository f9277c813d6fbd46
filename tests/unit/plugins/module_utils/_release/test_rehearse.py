# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release that does not do what is expected of it does not get into place."""

from __future__ import annotations

import shutil
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Outcome, Wanted, rollback_target
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.diff import diff_blocks
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import Machine

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="needs ip")


def expecting(machine: Machine, **expect: t.Any) -> Machine:
    url = f"http://127.0.0.1:{machine.port}/"
    return replace(machine, expectations=[{"name": "the page", "request": {"url": url}, "expect": expect}])


def test_only_what_is_expected_gets_into_place(machine: Machine) -> None:
    machine = expecting(machine, body="one x")
    machine.apply(machine.wanted())
    before, pid = machine.tree(), machine.pid
    # The map of the new release, and not the one that lies there, makes the difference.
    for wanted in (machine.wanted("two"), machine.wanted("one", mapped="y")):
        for check_mode in (True, False):
            with pytest.raises(LbforgeError, match="1 of 1 expectations are not met; nothing was changed") as caught:
                machine.apply(wanted, check_mode=check_mode)
            assert "HAProxy keeps serving (worker " in str(caught.value)
            (error,) = caught.value.details["errors"]
            assert (error["key"], error["expected"]) == ("body", "one x")
            assert (machine.tree(), machine.answer(), machine.pid) == (before, "one x", pid)
    machine.apply(machine.wanted("one x and"))
    assert machine.answer() == "one x and x"


def test_a_path_by_way_of_the_link(machine: Machine) -> None:
    template = machine.template.replace("map(ETC/a.map", "map(ETC/current/a.map")
    machine = expecting(replace(machine, template=template), body="one x")
    for mapped in ("x", "x y"):
        machine.apply(machine.wanted(mapped=mapped))
    with pytest.raises(LbforgeError, match="expected one x, got one z"):
        machine.apply(machine.wanted(mapped="z"))


def test_a_certificate_that_is_not_there_yet(machine: Machine) -> None:
    template = machine.template.replace(
        "    bind 127.0.0.1:{port}\n", "    bind 127.0.0.1:{port}\n    bind 203.0.113.10:443 ssl crt ETC/ssl/a.pem\n"
    )
    pem = make("www.example.com").pem.encode()
    expected: dict[str, t.Any] = {"certificate": {"names": ["www.example.com"], "issuer": "www.example.com"}}
    shown = {"name": "the certificate", "request": {"url": "https://203.0.113.10/"}, "expect": expected}
    machine = replace(machine, template=template, expectations=[shown])
    assert machine.apply(machine.wanted(pem=pem), check_mode=True).plan.action == "start"
    other = make("other.example.com").pem.encode()
    with pytest.raises(LbforgeError, match="expected www"):
        machine.apply(machine.wanted(pem=other), check_mode=True)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_diff_tells_which_responses_change(machine: Machine, check_mode: bool) -> None:
    """With expectations that both releases meet."""
    machine = expecting(machine, status=200)
    first = machine.apply(machine.wanted("one"))
    assert responses(machine, first) == []
    changed = machine.apply(machine.wanted("two"), check_mode=check_mode)
    (text,) = responses(machine, changed)
    request = f"GET http://127.0.0.1:{machine.port}/"
    assert text == f"CHANGED the page ({request})\n        body: one x -> two x\n"
    assert responses(machine, machine.apply(machine.wanted("one" if check_mode else "two"))) == []


def responses(machine: Machine, outcome: Outcome) -> list[str]:
    return [block["prepared"] for block in diff_blocks(machine.host(), outcome) if "prepared" in block]


def test_a_diff_hides_secrets(machine: Machine) -> None:
    machine = expecting(machine, status=200)
    machine.apply(replace(machine.wanted("hunter1"), secrets=["hunter1"]))
    outcome = machine.apply(replace(machine.wanted("hunter2"), secrets=["hunter2", "hunter1"]), check_mode=True)
    (text,) = responses(machine, outcome)
    assert "body: " in text
    assert "hunter" not in text


def test_the_way_back_is_not_rehearsed(machine: Machine) -> None:
    machine.apply(machine.wanted())
    machine.apply(machine.wanted("two"))
    strict = expecting(machine, body="two x")
    back = Wanted(rollback_target(strict.host().store, None), is_rollback=True)
    strict.apply(back)
    assert strict.answer() == "one x"


def test_without_haproxy_it_is_said(machine: Machine) -> None:
    machine = expecting(machine, body="one x")
    host = machine.host()
    host = replace(host, rehearsal=replace(host.rehearsal, binary=None))
    warnings = machine.apply(machine.wanted(), host, check_mode=True).warnings
    assert ["expectations were not rehearsed" in str(warning) for warning in warnings] == [True]
