# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What expires first comes first, and what is the same everywhere comes once."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.certificate_expiry import certificate_expiry


def shown(path: str, serial: str, days: int | None, *names: str) -> dict[str, t.Any]:
    return {"path": path, "serial": serial, "days_left": days, "san": list(names)}


def at(**ahead: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**ahead)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_nodes_are_put_together() -> None:
    found = certificate_expiry(
        {
            "lb1": [shown("/ssl/www.pem", "aa", 300, "www.example.org"), shown("/ssl/old.pem", "bb", -3)],
            "lb2": [shown("/ssl/www.pem", "aa", 300, "www.example.org")],
            # Its certificate was not renewed with the others'.
            "lb3": [shown("/ssl/www.pem", "a0", 9, "www.example.org"), shown("/ssl/not-loaded.pem", "", None)],
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
    assert certificate_expiry({"lb1": []}) == []
