# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of real HAProxys: 2.6.12 (Debian 12) and 3.0.11 (Debian 13)."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import parse_messages, section_of

CONFIGURATION = """\
global
    description x
defaults
    timeout client 5s
frontend   web-front-1 # the shop
    bind 127.0.0.1:18080
    foo bar
    default_backend b1
backend b1
    mode tcp
"""

CASES: list[tuple[str, str, list[tuple[str, str, int | None, str | None, str | None]]]] = [
    ("nothing", "Configuration file is valid\n", []),
    (
        "an unknown keyword, the same in 2.6 and 3.0",
        (
            "[NOTICE]   (20577) : haproxy version is 2.6.12-1+deb12u4\n"
            "[NOTICE]   (20577) : path to executable is /usr/sbin/haproxy\n"
            "[ALERT]    (20577) : config : parsing [/e/haproxy.cfg:7] : unknown keyword 'foo' in 'frontend' section\n"
            "[ALERT]    (20577) : config : Error(s) found in configuration file : /e/haproxy.cfg\n"
            "[ALERT]    (20577) : config : Fatal errors found in configuration.\n"
        ),
        [("ALERT", "unknown keyword 'foo' in 'frontend' section", 7, "frontend web-front-1", "foo bar")],
    ),
    (
        "a place in round brackets, a warning without place over several lines",
        (
            "[ALERT]    (20580) : config : http frontend 'web-front-1' (/e/haproxy.cfg:5) tries to use incompatible tcp"
            " backend 'b1' (/e/haproxy.cfg:9) as its default backend (see 'mode').\n"
            "[WARNING]  (20580) : config : missing timeouts for backend 'b1'.\n"
            "   | While not properly invalid, you will certainly encounter various problems\n"
            "   | with such a configuration.\n"
        ),
        [
            (
                "ALERT",
                (
                    "http frontend 'web-front-1' (/e/haproxy.cfg:5) tries to use incompatible tcp backend 'b1'"
                    " (/e/haproxy.cfg:9) as its default backend (see 'mode')."
                ),
                5,
                "frontend web-front-1",
                "frontend   web-front-1 # the shop",
            ),
            (
                "WARNING",
                (
                    "missing timeouts for backend 'b1'. While not properly invalid, you will certainly encounter "
                    "various problems with such a configuration."
                ),
                None,
                None,
                None,
            ),
        ],
    ),
    (
        "a drawing of the position is left out",
        (
            "[ALERT]    (20582) : config : parsing [/e/haproxy.cfg:2]: unmatched quote at position 7:\n"
            '  foo "abc\n      ^\n'
        ),
        [("ALERT", 'unmatched quote at position 7: foo "abc', 2, "global", "description x")],
    ),
    (
        "the start-up log of a reload that fails",
        (
            "[NOTICE]   (20843) : haproxy version is 3.0.11-1+deb13u3\n"
            "[ALERT]    (20843) : Binding [/e/haproxy.cfg:6] for frontend web-front-1: protocol tcpv4: cannot bind"
            " socket (Address already in use) for [127.0.0.1:18080].\n"
            "[ALERT]    (20843) : [/usr/sbin/haproxy.main()] Some protocols failed to start their listeners! Exiting.\n"
            "[WARNING]  (20843) : Loading failure!\n"
        ),
        [
            (
                "ALERT",
                (
                    "Binding [/e/haproxy.cfg:6] for frontend web-front-1: protocol tcpv4: cannot bind socket"
                    " (Address already in use) for [127.0.0.1:18080]."
                ),
                6,
                "frontend web-front-1",
                "bind 127.0.0.1:18080",
            )
        ],
    ),
    (
        "a line of another file",
        "[ALERT]    (1) : config : parsing [/e/other.cfg:6] : unknown keyword 'x'\n",
        [("ALERT", "unknown keyword 'x'", None, None, None)],
    ),
]


@pytest.mark.parametrize(("output", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_messages(output: str, expected: list[tuple[str, str, int | None, str | None, str | None]]) -> None:
    messages = parse_messages(output, CONFIGURATION, "/e/haproxy.cfg")
    assert [(m.level, m.why, m.line, m.name or None, m.value or None) for m in messages] == expected


def test_a_message_as_a_sentence() -> None:
    output = "[ALERT]    (1) : config : parsing [/e/haproxy.cfg:7] : unknown keyword 'foo' in 'frontend' section\n"
    assert str(parse_messages(output, CONFIGURATION, "/e/haproxy.cfg")[0]) == (
        "haproxy.cfg line 7 (frontend web-front-1), \"foo bar\": unknown keyword 'foo' in 'frontend' section"
    )


@pytest.mark.parametrize(
    ("number", "section"),
    [(1, "global"), (4, "defaults"), (5, "frontend web-front-1"), (8, "frontend web-front-1"), (10, "backend b1")],
)
def test_section_of(number: int, section: str) -> None:
    assert section_of(CONFIGURATION.splitlines(), number) == section
    assert section_of(["# x", "bind :80"], 2) is None
