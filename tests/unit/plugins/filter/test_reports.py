# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters mistakes and run_outcomes: what a run tells about several hosts."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.mistakes import FilterModule as Mistakes
from ansible_collections.lbforge.haproxy.plugins.filter.run_outcomes import FilterModule as Outcomes

mistakes = Mistakes().filters()["mistakes"]
run_outcomes = Outcomes().filters()["run_outcomes"]
GROUPS = {"haproxy": ["lb1", "lb2"], "haproxy_holder": ["lb1"], "haproxy_standby": ["lb2"]}


def test_a_mistake_is_told_once() -> None:
    both, one = {"text": "a is wrong.", "path": "a"}, {"text": "b is wrong.", "path": "b"}
    assert mistakes(
        {
            "lb1": {"msg": "1 mistake", "errors": [both, both]},
            "lb2": {"msg": "2 mistakes", "errors": [both, one]},
        }
    ) == ["a is wrong.", "b is wrong. (lb2)"]


def test_a_failure_without_errors_is_told_too() -> None:
    assert mistakes({"lb1": {"errors": [{"text": "no"}]}, "lb2": {"msg": "it crashed"}, "lb3": {"changed": False}}) == [
        "no (lb1)",
        "it crashed (lb2)",
    ]


def test_nothing_is_wrong() -> None:
    assert mistakes({"lb1": {"changed": False}, "lb2": {"errors": []}}) == []


def applied(action: str, reason: str) -> dict[str, t.Any]:
    return {"release": "91daf3d57844", "action": action, "reason": reason}


def told(*arguments: t.Any, **hostvars: dict[str, t.Any]) -> list[str]:
    return list(run_outcomes(list(hostvars), hostvars, GROUPS, *arguments))


def test_each_load_balancer_is_one_line() -> None:
    reason = "The release changes from ca67bed5f63a to 91daf3d57844; it needs a reload: frontend web-front-1 is new."
    assert told(
        lb1={"haproxy_server_applied": applied("nothing", "HAProxy runs release 91daf3d57844.")},
        lb2={
            "haproxy_server_applied": applied("reload", reason),
            "keepalived_applied": {"action": "start"},
        },
    ) == [
        "lb1 (holder) runs release 91daf3d57844: nothing to do.",
        f"lb2 (standby) runs release 91daf3d57844: reload. {reason} keepalived: start.",
    ]


def test_check_mode_says_would() -> None:
    (line,) = told([], True, lb1={"haproxy_server_applied": applied("runtime", "HAProxy takes it without a reload.")})
    assert line == "lb1 (holder) would run release 91daf3d57844: runtime. HAProxy takes it without a reload."


def test_one_that_the_run_did_not_reach_is_told_as_it_was_found() -> None:
    asked = [
        {"item": "lb1", "drift": {"release": None, "running_release": None}},
        {"item": "lb2", "drift": {"release": "91daf3d57844", "running_release": "91daf3d57844"}},
        {"item": "lb3", "drift": {"release": "91daf3d57844", "running_release": None}},
        {"item": "lb4", "unreachable": True},
        {"item": "lb5", "msg": "There is no HAProxy.\nThe rest"},
    ]
    failed = {"haproxy_server_applied": {"failed": True, "msg": "refused", "release": "91daf3d57844"}}
    assert told(asked, lb1={}, lb2=failed, lb3={}, lb4={}, lb5={}, lb6={}) == [
        "lb1 (holder) runs release none",
        "lb2 (standby) runs release 91daf3d57844",
        "lb3 runs release unknown, its files are release 91daf3d57844",
        "lb4 cannot be reached",
        "lb5 does not report what it runs: There is no HAProxy.",
        "lb6 does not report what it runs: no answer",
    ]
