# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers as HAProxy 2.6.12 and 3.0 gave them, with what they mean."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import refusal


@pytest.mark.parametrize(
    "answer",
    [
        "\n",
        "[4]: IP changed from '127.0.0.1' to '::1', no need to change the port by 'stats socket command'\n\n",
        "[4]: no need to change the addr, no need to change the port by 'stats socket command'\n\n",
        "[5]: All sockets are already disabled.\n\n",
        "[5]: Transaction created for certificate /a.pem!\n\n",
        "[6]: New server registered.\n\n",
        "[6]: Server deleted.\n",
        "[6]: New version created: 1\n\n",
        "Committing /a.pem..\nSuccess!\n\n",
        "50 (initial 100)\n\n",
        "# table: st, type: ip, size:1048576, used:0\n\n",
    ],
)
def test_success(answer: str) -> None:
    assert refusal(answer) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "no answer, as after a command that exceeds its buffer"),
        ("[3]: Permission denied\n\n", "Permission denied"),
        ("Permission denied\n\n", "Permission denied"),
        ("[3]: No such server.\n\n", "No such server"),
        ("[6]: Unknown command. Please enter one of the following commands only:\n  abort ssl\n", "Unknown command"),
        (
            "[6]: Unknown command, but maybe one of the following ones is a better match:\n  get var\n",
            "Unknown command",
        ),
        (
            "[4]: Invalid addr '999.1.1.1' by 'stats socket command'\n\n",
            "Invalid addr '999.1.1.1' by 'stats socket command'",
        ),
        (
            "[4]: no need to change the addr, problem converting port 'abc' to an int by 'stats socket command'\n\n",
            "no need to change the addr, problem converting port 'abc' to an int by 'stats socket command'",
        ),
        ("[4]: health checks are not enabled on this server\n", "health checks are not enabled on this server"),
        (
            "[3]: No ongoing transaction! !\nCan't commit /a.pem!\n\n",
            "No ongoing transaction! ! Can't commit /a.pem!",
        ),
    ],
)
def test_refusals(answer: str, words: str) -> None:
    assert refusal(answer) == words
