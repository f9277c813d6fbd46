# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration as HAProxy reads it: sections of lines of words. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import BLANKS, Words, split


@dataclass(frozen=True)
class Section:
    """A heading, and the lines below it, split into words and as they are written. Lines of comments are left out."""

    heading: Words
    lines: tuple[Words, ...]
    texts: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The type of section: global, defaults, frontend …"""
        return self.heading[0]

    @property
    def name(self) -> str:
        """Its name, empty for sections without one."""
        return self.heading[1] if len(self.heading) > 1 else ""

    def lines_with(self, *start: str) -> list[Words]:
        """The lines that begin with these words."""
        return [line for line in self.lines if line[: len(start)] == start]


Configuration = t.Sequence[Section]


def parse(text: str) -> list[Section]:
    """Split a configuration into its sections. Lines before the first heading (``.if``, for example) have none."""
    sections: list[tuple[Words, list[tuple[Words, str]]]] = []
    for raw in text.split("\n"):
        line = split(raw)
        if not line:
            continue
        if line[0] in SECTIONS:
            sections.append((line, []))
        elif sections:
            sections[-1][1].append((line, raw.strip(BLANKS)))
        else:
            sections.append((("",), [(line, raw.strip(BLANKS))]))
    return [
        Section(heading, tuple(words for words, _raw in lines), tuple(raw for _words, raw in lines))
        for heading, lines in sections
    ]


def description(sections: t.Iterable[Section]) -> str:
    """What ``show info`` answers for the global description of a worker with this configuration."""
    lines = [line for section in sections if section.kind == "global" for line in section.lines_with("description")]
    return " ".join(lines[-1][1:]) if lines else ""


def stats_sockets(sections: t.Iterable[Section]) -> list[str]:
    """The paths of the sockets that take every command."""
    return [
        line[2].removeprefix("unix@")
        for section in sections
        if section.kind == "global"
        for line in section.lines_with("stats", "socket")
        if line[2:3] and word_after(line, "level") == "admin" and line[2].removeprefix("unix@").startswith("/")
    ]


def serving(sections: t.Iterable[Section]) -> list[str]:
    """The sections that serve clients: those that listen, except for statistics pages."""
    return [
        " ".join(section.heading[:2])
        for section in sections
        if section.kind in ("frontend", "listen")
        and section.lines_with("bind")
        and not (section.lines_with("stats", "enable") and not section.lines_with("server"))
    ]


@dataclass(frozen=True)
class SocketFile:
    """A socket in the file system, and its access rights if they are set."""

    path: str
    mode: int | None
    user: str  # a name or a number, empty where none is given
    group: str


def socket_files(sections: t.Iterable[Section]) -> list[SocketFile]:
    """The sockets of ``stats socket`` and ``bind`` that have a path."""
    found = []
    for section in sections:
        start = ("stats", "socket") if section.kind == "global" else ("bind",)
        for line in section.lines_with(*start):
            path, mode = "".join(line[len(start) : len(start) + 1]).removeprefix("unix@"), word_after(line, "mode")
            if path.startswith("/"):
                user = word_after(line, "user") or word_after(line, "uid")
                group = word_after(line, "group") or word_after(line, "gid")
                found.append(SocketFile(path, int(mode, 8) if re.fullmatch("[0-7]+", mode) else None, user, group))
    return found


def state_file(sections: t.Iterable[Section]) -> str | None:
    """The file from which a new worker reads the server states of the old one; None without one."""
    sections = list(sections)
    paths = [
        line for section in sections if section.kind == "global" for line in section.lines_with("server-state-file")
    ]
    loads = any(
        section.lines_with("load-server-state-from-file", "global")
        for section in sections
        if section.kind in ("defaults", "backend", "listen")
    )
    path = paths[-1][1] if paths and len(paths[-1]) > 1 else ""
    return path if loads and path.startswith("/") else None


def shares_tables(sections: t.Iterable[Section]) -> bool:
    """Whether stick tables pass from worker to worker and from node to node."""
    return any("peers" in line for section in sections for line in section.lines_with("stick-table"))


def word_after(line: Words, keyword: str) -> str:
    """The word behind a keyword; empty when there is none."""
    return line[line.index(keyword) + 1] if keyword in line[:-1] else ""
