# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import keepalived_model
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.uploads import uploads

CHECK = {"check_script": "/etc/keepalived/check.sh one", "src_check_script": "check.sh"}


def server(**keys: t.Any) -> list[dict[str, t.Any]]:
    return [{"ip": "192.0.2.10", "port": 80, "real_servers": [{"ip": "192.0.2.20", "port": 80, **keys}]}]


@pytest.mark.parametrize(
    "variables, found",
    [
        ({}, {}),
        ({"scripts": {"check": {"check_script": "/usr/bin/true"}}}, {}),
        ({"scripts": {"check": CHECK}}, {"/etc/keepalived/check.sh": "check.sh"}),
        ({"scripts": {"one": CHECK, "two": CHECK}}, {"/etc/keepalived/check.sh": "check.sh"}),
        (
            {"scripts": {"check": {**CHECK, "check_script": "python3 /srv/c.py", "dest_check_script": "/srv/c.py"}}},
            {"/srv/c.py": "check.sh"},
        ),
        (
            {"instances": {"one": {"notify_stop": "/n.sh stop", "src_notify_stop": "n.sh"}}},
            {"/n.sh": "n.sh"},
        ),
        (
            {"sync_groups": {"g": {"notify_script": "/n.sh", "src_notify_script": "n.sh"}}},
            {"/n.sh": "n.sh"},
        ),
        (
            {"global_settings": {"notify_fifo_script": "/f.sh", "src_notify_fifo_script": "f.sh"}},
            {"/f.sh": "f.sh"},
        ),
        (
            {"virtual_servers": server(misc_check=[{"misc_path": "/m.sh", "src_misc_path": "m.sh"}])},
            {"/m.sh": "m.sh"},
        ),
    ],
)
def test_uploads(variables: dict[str, t.Any], found: dict[str, str]) -> None:
    assert uploads(variables) == found


@pytest.mark.parametrize(
    "variables, path, words",
    [
        (
            {"scripts": {"c": {**CHECK, "check_script": "check.sh"}}},
            "keepalived_scripts.c.src_check_script",
            "check.sh",
        ),
        ({"scripts": {"c": {"src_check_script": "c.sh"}}}, "keepalived_scripts.c.src_check_script", "absolute path"),
        (
            {"scripts": {"c": CHECK, "d": {**CHECK, "src_check_script": "d.sh"}}},
            "scripts.d.src_check",
            "already installed",
        ),
        ({"instances": {"i": {"src_notify_stop": "n"}}}, "keepalived_instances.i.src_notify_stop", "dest_notify_stop"),
        (
            {"virtual_servers": server(notify_up="up", src_notify_up="up.sh")},
            "keepalived_virtual_servers[0].real_servers[0].src_notify_up",
            "absolute path",
        ),
    ],
)
def test_mistakes(variables: dict[str, t.Any], path: str, words: str) -> None:
    with pytest.raises(VrrpError) as caught:
        uploads(variables)

    (error,) = caught.value.details["errors"]
    assert path in error["text"]
    assert words in error["text"]


def test_the_model_takes_the_keys_of_uploads() -> None:
    keepalived_model({"scripts": {"check": {**CHECK, "dest_check_script": "/x"}}, "sync_groups": {}, "instances": {}})
    with pytest.raises(VrrpError, match="src_intervall: unknown key"):
        keepalived_model(
            {
                "scripts": {"check": {**CHECK, "src_intervall": "x"}},
                "sync_groups": {"g": {"instances": ["a"], "track_scripts": ["check"]}},
            }
        )
