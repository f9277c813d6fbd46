# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What expires first comes first, and what is the same everywhere comes once."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.certificate_expiry import certificate_expiry
from ansible_collections.lbforge.haproxy.plugins.filter.unanswered import unanswered


def shown(path: str, serial: str, days: int | None, *names: str) -> dict[str, t.Any]:
    return {"path": path, "serial": serial, "days_left": days, "san": list(names)}


def at(**ahead: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**ahead)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_nodes_are_put_together() -> None:
    found = certificate_expiry(
        {
            "lb1": {
                "certificates": [shown("/ssl/www.pem", "aa", 300, "www.example.org"), shown("/ssl/old.pem", "bb", -3)]
            },
            "lb2": {"certificates": [shown("/ssl/www.pem", "aa", 300, "www.example.org")]},
            # Its certificate was not renewed with the others'.
            "lb3": {
                "certificates": [
                    shown("/ssl/www.pem", "a0", 9, "www.example.org"),
                    shown("/ssl/not-loaded.pem", "", None),
                ]
            },
        },
        [{"name": "Root", "not_after": at(days=3000, hours=1)}, {"name": "Gone", "not_after": at(hours=-1)}],
    )
    assert [(each["days"], each["name"], each["hosts"]) for each in found] == [
        (-3, "/ssl/old.pem", ("lb1",)),
        (-1, "authority Gone", ("the setup host",)),
        (9, "/ssl/www.pem", ("lb3",)),
        (300, "/ssl/www.pem", ("lb1", "lb2")),
        (3000, "authority Root", ("the setup host",)),
    ]
    assert found[0]["sentence"].strip() == "EXPIRED 3 d ago  /ssl/old.pem on lb1"
    assert found[3]["sentence"].strip() == "300 d left  /ssl/www.pem (www.example.org) on lb1, lb2"


def test_nothing_is_nothing() -> None:
    assert certificate_expiry({"lb1": {"certificates": []}, "lb2": {}}) == []


def test_of_ca_files_only_revocation_lists_end() -> None:
    files = [
        {"path": "/ssl/clients.crl.pem", "kind": "crl", "not_after": at(days=5), "days_left": 5},
        {"path": "/etc/ssl/certs/ca-certificates.crt", "kind": "ca", "not_after": at(days=-9), "days_left": -9},
    ]
    (found,) = certificate_expiry({"lb1": {"certificates": [], "ca_files": files}})
    assert (found["name"], found["days"]) == ("/ssl/clients.crl.pem", 5)


def test_who_does_not_answer_is_named() -> None:
    well: dict[str, t.Any] = {"certificates": []}
    loaded = {"lb1": well, "lb2": {"msg": "There is no HAProxy."}, "lb3": {"unreachable": True}, "lb4": well}
    statuses = {"lb1": {"rc": 0, "stdout": "{}"}, "lb2": {}, "lb3": {"skipped": True}, "lb4": {"rc": 2, "stdout": ""}}
    assert unanswered(loaded, statuses) == [
        "lb2 does not report its certificates",
        "lb3 does not report its certificates",
        "lb4 does not report the state of its orders (haproxy-acme status)",
    ]
