# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of configurations against HAProxy's own: what it puts into its environment, it has read as one word."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.release.configuration import (
    description,
    parse,
    shares_tables,
    split,
    state_file,
    stats_sockets,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.runtime.client import RuntimeClient

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

WORDS = [
    "plain",
    r"a\ b",
    r"a\#b",
    "'a b'",
    "'a\\ b'",
    "'a\"b'",
    '"a b"',
    r'"a\"b"',
    r'"a\\b"',
    r'"a\b"',
    '"a#b"',
    '"a\'b"',
    "a'b c'd",
    'a"b c"d',
    "''x",
    r"a\\b",
    "{a,b}",
    "x # a comment",
    "x#a comment",
    r"a\'b",
    r"^/\.git",
    r"\d+",
    r"a\x41b",
    r'"\d+"',
    r'"a\x41b"',
    r"a\tb",
    r'"a\tb"',
    "a\u00a0b",
    "\x0cab",
]


def test_words_are_haproxys() -> None:
    if BINARY is None:
        pytest.skip("needs haproxy")
    with tempfile.TemporaryDirectory() as home:
        lines = [f"setenv WORD{number} {word}" for number, word in enumerate(WORDS)]
        path = Path(home) / "haproxy.cfg"
        path.write_text(
            "\n".join(["global", f"stats socket {home}/admin level admin", *lines])
            + "\nfrontend f\n    bind abns@words-of-a-test\n    mode http\n    timeout client 1s\n"
        )
        process = subprocess.Popen([BINARY, "-db", "-f", str(path)], stderr=subprocess.PIPE, text=True)
        try:
            client = RuntimeClient(f"{home}/admin", 5)
            shown = [client.ask(f"show env WORD{number}", patience=5) for number in range(len(WORDS))]
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
        found = [split(f"setenv WORD {word}")[2] for word in WORDS]
        assert [answer.strip("\n").partition("=")[2] for answer in shown] == found


TEXT = """
# a comment
global
    description "one  two" @release@ # here
    stats socket ipv4@127.0.0.1:9999 level admin
    stats socket /run/user.sock mode 600
    stats socket unix@/run/admin.sock mode 600 level admin
    server-state-file /run/states

defaults shared
    load-server-state-from-file global

frontend web
    bind :80
backend web # the pool
    stick-table type ip size 1k peers all
    server a 192.0.2.1:80
"""


def test_sections() -> None:
    sections = parse(TEXT)
    assert [section.heading for section in sections] == [
        ("global",),
        ("defaults", "shared"),
        ("frontend", "web"),
        ("backend", "web"),
    ]
    assert sections[2].lines == (("bind", ":80"),)
    assert (sections[3].kind, sections[3].name) == ("backend", "web")
    assert description(sections) == "one  two @release@"
    assert stats_sockets(sections) == ["/run/admin.sock"]
    assert state_file(sections) == "/run/states"
    assert shares_tables(sections)


@pytest.mark.parametrize(
    ("without", "found"),
    [
        ("load-server-state-from-file global", None),
        ("server-state-file /run/states", None),
        ("stick-table type ip size 1k peers all", "/run/states"),
    ],
)
def test_what_is_not_there(without: str, found: str | None) -> None:
    sections = parse(TEXT.replace(without, ""))
    assert state_file(sections) == found
    assert shares_tables(sections) is ("stick-table" not in without)


def test_nothing() -> None:
    assert parse("\n# only a comment\n") == []
    assert description([]) == ""


def test_lines_before_a_section_are_kept() -> None:
    """They decide, and so a change of them is one."""
    assert parse(".if defined(X)\nglobal\n.endif\n") != parse(".if defined(Y)\nglobal\n.endif\n")


def test_does_not_hang_on_what_haproxy_refuses() -> None:
    assert split("a 'b c") == ("a", "'b c")
    assert split('a "b c') == ("a", "b c")
    assert split("a b\\") == ("a", "b\\")
