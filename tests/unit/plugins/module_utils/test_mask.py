# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("a hunter2 b", ["hunter2"], "a ******** b"),
        ("ab abc", ["ab", "abc"], "******** ********"),
        ("text", [""], "text"),
        ("    stats auth admin:old:one\nx", [], "    stats auth admin:********\nx"),
        ('\tstats\tauth "admin:a b"\n', [], '\tstats\tauth "admin:********\n'),
        ("    user bob insecure-password s3 groups a\n", [], "    user bob insecure-password ******** groups a\n"),
        ("    user bob password $5$x.y groups a\n", [], "    user bob password ******** groups a\n"),
        ('    user bob insecure-password "a \\" b" groups a', [], "    user bob insecure-password ******** groups a"),
        ("    user bob insecure-password a\\ b groups a", [], "    user bob insecure-password ******** groups a"),
        (
            r"    user bob insecure-password 'a b'\''c d' groups a",
            [],
            "    user bob insecure-password ******** groups a",
        ),
        ("    user bob insecure-password a'b c'd\"e f\"", [], "    user bob insecure-password ********"),
        ("    user bob pasword s3\n    user haproxy\n", [], "    user bob pasword ********\n    user haproxy\n"),
        ("    user bob groups a,b\n", [], "    user bob groups a,b\n"),
        ("    user password insecure-password s3", [], "    user password insecure-password ********"),
        ("    user bob insecure-password 'a b\nx 'y'", [], "    user bob insecure-password ********\nx 'y'"),
        ("    user bob insecure-password 'a b'", [], "    user bob insecure-password ********"),
        ("# no stats auth here: plain", [], "# no stats auth here: plain"),
        (
            'http-check send uri / hdr Authorization "Basic c2Vj" hdr Host x',
            [],
            "http-check send uri / hdr Authorization ******** hdr Host x",
        ),
        (
            "http-request set-header authorization Custom\\ c2Vj if { ssl_fc }",
            [],
            "http-request set-header authorization ******** if { ssl_fc }",
        ),
        (
            "option httpchk GET / HTTP/1.1\\r\\nAuthorization:\\ Basic\\ c2Vj\nx",
            [],
            "option httpchk GET / HTTP/1.1\\r\\nAuthorization:\\ ********\nx",
        ),
        ('tcp-check send "PROXY-AUTHORIZATION: Own c2Vj"', [], 'tcp-check send "PROXY-AUTHORIZATION: ********'),
        ('replace-header Authorization (.*) "Basic c2Vj"', [], "replace-header Authorization ********"),
        (
            'acl a req.hdr(Authorization) -m str "Basic c2Vj"',
            [],
            'acl a req.hdr(Authorization) -m str "Basic ********"',
        ),
        ("del-header Authorization if a", [], "del-header Authorization if a"),
        ("set-header X %[req.hdr(authorization)] if a", [], "set-header X %[req.hdr(authorization)] if a"),
    ],
)
def test_masked(text: str, secrets: list[str], shown: str) -> None:
    assert masked(text, secrets) == shown


def test_masked_data() -> None:
    data = {"lines": ["x hunter2", {"password secret": 1}], "pair": ("user a password p", None), "on": True}
    shown = {"lines": ["x ********", {"password secret": 1}], "pair": ["user a password ********", None], "on": True}
    assert masked_data(data, ["hunter2"]) == shown
