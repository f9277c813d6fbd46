# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong with orders is told once, with the nodes it concerns; what is over is not told."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.filter.renewal_troubles import renewal_troubles
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.renewals import shorten

Status = dict[str, t.Any]


def at(**ahead: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**ahead)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


EARLIER, LATER = at(hours=-6), at(hours=-1)


def had(days: float, serial: str = "aa", **news: t.Any) -> Status:
    """What a node tells of a certificate with so many days left of its 90."""
    return {
        "name": "shop",
        "domains": ["shop.example.org"],
        "serial": serial,
        "not_before": at(days=days - 90, hours=1),
        "not_after": at(days=days, hours=1),
        "last_result": "ok",
        "last_error": "",
        "last_attempt": at(days=days - 90),
        **news,
    }


WANTED = {"name": "shop", "domains": ["shop.example.org"]}


def failed(when: str, why: str = "certbot: no route") -> Status:
    return {"last_result": "failed", "last_attempt": when, "last_error": why}


def printed(status: Status) -> dict[str, t.Any]:
    """What a task has registered."""
    return {"rc": 0, "stdout": json.dumps(status)}


def sentences(**nodes: Status) -> list[str]:
    found = renewal_troubles(
        {name: printed({"holds_vip": False, "certificates": {"shop": said}}) for name, said in nodes.items()}
    )
    return [" ".join(each["sentence"].split()) for each in found]


WELL = [
    ({"lb1": had(60), "lb2": had(60)}),
    # The last of another node was a success: what failed here is over, and so is what a node would send.
    ({"lb1": had(60, **failed(EARLIER)), "lb2": had(60, last_attempt=LATER)}),
    # A node that was down got it elsewhere.
    ({"lb1": had(60, undelivered={"lb2": "lb2 does not answer"}), "lb2": had(60)}),
]


@pytest.mark.parametrize("nodes", WELL)
def test_all_is_well(nodes: dict[str, Status]) -> None:
    assert sentences(**nodes) == []


NOT_WELL = [
    ({"lb1": WANTED, "lb2": WANTED}, ["NEVER ORDERED shop (shop.example.org) on lb1, lb2"]),
    (
        {"lb1": {**WANTED, **failed(LATER)}, "lb2": WANTED},
        [f"ORDER FAILED shop (shop.example.org) on lb1, tried at {LATER}: certbot: no route"],
    ),
    (
        {"lb1": had(12, **failed(LATER)), "lb2": had(12)},
        [f"RENEWAL FAILED shop (shop.example.org) on lb1, 12 d left, tried at {LATER}: certbot: no route"],
    ),
    # Several nodes with the same reason are told of once.
    (
        {"lb1": had(-3, **failed(LATER)), "lb2": had(-3, **failed(EARLIER)), "lb3": had(-3, **failed(LATER, "other"))},
        [
            f"RENEWAL FAILED shop (shop.example.org) on lb1, lb2, EXPIRED 3 d ago, tried at {LATER}: certbot: no route",
            f"RENEWAL FAILED shop (shop.example.org) on lb3, EXPIRED 3 d ago, tried at {LATER}: other",
        ],
    ),
    # A node lacks the newest, whether it says so itself or not.
    (
        {"lb1": had(60, undelivered={"lb2": "refused", "lb3": "lb3 does not answer"}), "lb2": had(20, "bb")},
        [
            "NOT DELIVERED shop (shop.example.org) on lb2, 60 d left: refused",
            "NOT DELIVERED shop (shop.example.org) on lb3, 60 d left: lb3 does not answer",
        ],
    ),
    ({"lb1": had(60), "lb2": WANTED}, ["NOT DELIVERED shop (shop.example.org) on lb2, 60 d left"]),
    # It failed, then another node had success, and could not send it.
    (
        {"lb1": had(5, **failed(EARLIER)), "lb2": had(60, "bb", last_attempt=LATER, undelivered={"lb1": "no answer"})},
        ["NOT DELIVERED shop (shop.example.org) on lb1, 60 d left: no answer"],
    ),
]


@pytest.mark.parametrize(("nodes", "expected"), NOT_WELL)
def test_what_went_wrong(nodes: dict[str, Status], expected: list[str]) -> None:
    assert sentences(**nodes) == expected


def test_the_most_urgent_comes_first() -> None:
    lb1 = {
        "a": had(20, **failed(LATER)),
        "b": had(-2, **failed(LATER)),
        "c": dict(WANTED),
        "d": had(60),
        "e": had(3, **failed(LATER)),
    }
    found = renewal_troubles({"lb1": printed({"certificates": lb1})})
    assert [(each["name"], each["what"], each["days"]) for each in found] == [
        ("c", "NEVER ORDERED", None),
        ("b", "RENEWAL FAILED", -2),
        ("e", "RENEWAL FAILED", 3),
        ("a", "RENEWAL FAILED", 20),
    ]
    # In line with what certificate_expiry says.
    assert [each["sentence"].index(f"  {each['name']} ") for each in found] == [16] * 4


def test_nobody_is_nothing() -> None:
    assert renewal_troubles({}) == renewal_troubles({"lb1": printed({"certificates": {}})}) == []


def test_who_has_no_answer_is_left_out() -> None:
    assert renewal_troubles({"lb1": {}, "lb2": {"skipped": True}, "lb3": {"rc": 1, "stdout": "no such file"}}) == []


GISTS: list[tuple[str, str]] = [
    # What certbot 2.1 says, in one line as haproxy-acme keeps it.
    (
        "Certbot failed. Domain: www.example.org Type:   connection Detail: 192.0.2.1: Connection refused Hint: The CA",
        "www.example.org: 192.0.2.1: Connection refused",
    ),
    (
        "Problems: Domain: a.example.org Type: dns Detail: NXDOMAIN Domain: b.example.org Type: dns Detail: other",
        "a.example.org: NXDOMAIN",
    ),
    ("Problems: Domain: a.example.org Type: dns Detail: NXDOMAIN", "a.example.org: NXDOMAIN"),
    ("An unexpected error occurred: Connection refused", "An unexpected error occurred: Connection refused"),
    ("word " * 100, "word " * 59 + "…"),
    ("", ""),
]


@pytest.mark.parametrize(("said", "expected"), GISTS)
def test_the_gist_of_what_certbot_says(said: str, expected: str) -> None:
    assert shorten(said) == expected
