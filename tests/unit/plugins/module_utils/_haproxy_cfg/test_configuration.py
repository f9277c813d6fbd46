# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations, read as sections."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import (
    description,
    parse,
    shares_tables,
    state_file,
    stats_sockets,
)

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
