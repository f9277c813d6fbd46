# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import explain
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.masking import masked

TEXT = "vrrp_instance one {\n    priorty 100\n    auth_pass geheim\n}\n"


@pytest.mark.parametrize(
    "line, words",
    [
        ("(/etc/x.conf: Line 2) Unknown keyword 'priorty'", "line 2 (priorty 100): Unknown keyword 'priorty'"),
        ("(/etc/x.conf: Line 3) Truncating auth_pass", "line 3 (auth_pass ********): Truncating auth_pass"),
        ("(/etc/x.conf: Line 99) missing '}'", "line 99 (): missing '}'"),
        ("Non-existent interface specified in configuration", "Non-existent interface specified in configuration"),
    ],
)
def test_explain(line: str, words: str) -> None:
    assert explain([line, ""], TEXT) == [words]


def test_explain_says_it_once() -> None:
    assert explain(["(Line 2) Unknown keyword", "(/x: Line 2) Unknown keyword"], TEXT) == [
        "line 2 (priorty 100): Unknown keyword"
    ]


def test_explain_says_what_insecure_means() -> None:
    (explained,) = explain(["Disabling track script ping due to insecure"], TEXT)

    assert "use /usr/bin, not /bin" in explained


@pytest.mark.parametrize(
    "text, secrets, result",
    [
        ("auth_pass abc", [], "auth_pass ********"),
        ('    auth_pass "a b"\n    priority 1', [], "    auth_pass ********\n    priority 1"),
        ("script /x abc", ["abc"], "script /x ********"),
        ("abcd abc", ["abc", "abcd", ""], "******** ********"),
        ("priority 100", ["x"], "priority 100"),
        ("    key 1 hex:00ff\n    active_key 1", [], "    key 1 ********\n    active_key 1"),
        ("    password x\n    key /etc/ssl/key.pem", [], "    password ********\n    key /etc/ssl/key.pem"),
        ("authentication { auth_pass abc }", [], "authentication { auth_pass ********"),
    ],
)
def test_masked(text: str, secrets: list[str], result: str) -> None:
    assert masked(text, secrets) == result
