# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of real HAProxys: 2.6.12 (Debian 12) and 3.0.11 (Debian 13)."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import (
    Process,
    Processes,
    parse_info,
    parse_processes,
    parse_reload,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

HEADING = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"

PROCESSES: list[tuple[str, str, Processes, int | None]] = [
    (
        "2.6 started",
        HEADING + "5777            master          0 [failed: 0]   0d00h00m01s     2.6.12-1+deb12u4\n"
        "# workers\n5780            worker          0               0d00h00m01s     2.6.12-1+deb12u4\n# programs\n\n",
        Processes(Process(5777, 0), 0, (Process(5780, 0),), ()),
        5780,
    ),
    (
        "2.6 after a failed reload: the old worker is the worker",
        HEADING + "5777            master          2 [failed: 1]   0d00h00m14s     2.6.12-1+deb12u4\n"
        "# workers\n5826            worker          1               0d00h00m13s     2.6.12-1+deb12u4\n# programs\n\n",
        Processes(Process(5777, 2), 1, (Process(5826, 1),), ()),
        5826,
    ),
    (
        "3.0 with a worker that finishes its connections",
        HEADING + "20843           master          1 [failed: 0]   0d00h00m09s     3.0.11-1+deb13u3\n"
        "# workers\n20891           worker          0               0d00h00m00s     3.0.11-1+deb13u3\n"
        "# old workers\n20846           worker          1               0d00h00m09s     3.0.11-1+deb13u3\n"
        "# programs\n\n",
        Processes(Process(20843, 1), 0, (Process(20891, 0),), (Process(20846, 1),)),
        20891,
    ),
    (
        "newer: after a failed reload the survivor is among the old workers",
        HEADING + "1               master          3 [failed: 1]   0d00h00m09s     3.2.0\n"
        "# workers\n# old workers\n8               worker          3               0d00h00m09s     3.2.0\n"
        "9               worker          1               0d00h00m09s     3.2.0\n# programs\n\n",
        Processes(Process(1, 3), 1, (), (Process(8, 3), Process(9, 1))),
        9,
    ),
    (
        "no worker",
        HEADING + "1               master          0 [failed: 1]   0d00h00m09s     3.0.11\n# workers\n\n",
        Processes(Process(1, 0), 1, (), ()),
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "processes", "serving"), [case[1:] for case in PROCESSES], ids=[c[0] for c in PROCESSES]
)
def test_processes(text: str, processes: Processes, serving: int | None) -> None:
    found = parse_processes(text)
    assert found == processes
    assert (found.serving.pid if found.serving else None) == serving


@pytest.mark.parametrize("text", ["", "\n", "Unknown command: 'show proc'\n"])
def test_an_answer_without_a_master_is_an_error(text: str) -> None:
    with pytest.raises(LbforgeError, match="names no master"):
        parse_processes(text)


def test_info() -> None:
    text = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nUptime: 0d 0h00m01s\nnode: vm\ndescription: a: b\nJobs: 4\n\n"
    assert parse_info(text) == {
        "Name": "HAProxy",
        "Version": "2.6.12-1+deb12u4",
        "Uptime": "0d 0h00m01s",
        "node": "vm",
        "description": "a: b",
        "Jobs": "4",
    }


@pytest.mark.parametrize(
    ("text", "success", "log"),
    [
        ("", None, ""),
        (
            "Success=1\n--\n[NOTICE]   (20843) : New worker (20891) forked\n\n",
            True,
            "[NOTICE]   (20843) : New worker (20891) forked",
        ),
        ("Success=0\n--\n[WARNING]  (20843) : Loading failure!\n\n", False, "[WARNING]  (20843) : Loading failure!"),
        ("Permission denied\n", None, "Permission denied"),
    ],
)
def test_reload(text: str, success: bool | None, log: str) -> None:
    answer = parse_reload(text)
    assert (answer.success, answer.log) == (success, log)
