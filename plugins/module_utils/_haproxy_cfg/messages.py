# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy's messages about a configuration, with the lines of the user's file. Pure functions."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

_FILE = "haproxy.cfg"

_START = re.compile(r"\[(?P<level>[A-Z]+)\]\s+\(\d+\) : (?P<text>.*)")
_CLUTTER = re.compile(r"^(?:config : )?(?:parsing \[[^\]]*:\d+\] ?: )?")
_SUMMARY = re.compile(
    r"(?:Error\(s\)|Fatal errors) found in configuration|Loading failure!|Some protocols failed to start"
)
_SECTION = re.compile(rf"\s*((?:{'|'.join(SECTIONS)})(?:\s+[^#]*)?)(?:#.*)?$")


@dataclass(frozen=True)
class Message(Problem):
    """One alert or warning: ``value`` is a line of C(haproxy.cfg), ``name`` its section; both are empty without one."""

    level: str = "WARNING"
    line: int | None = None

    def __str__(self) -> str:
        return f'{self.place}, "{self.value}": {self.why}' if self.value else self.why


def warning(why: str, line: str = "", section: str = "") -> Message:
    """A warning of our own, about a line whose number may be unknown."""
    return Message(_FILE, line, why, name=section)


def section_of(lines: t.Sequence[str], number: int) -> str | None:
    """Return the heading of the section that a line (counted from 1) belongs to."""
    for line in reversed(lines[:number]):
        if heading := _SECTION.match(line):
            return " ".join(heading[1].split())
    return None


def parse_messages(output: str, configuration: str, path: str) -> list[Message]:
    """Read alerts and warnings from HAProxy's output; ``path`` is the name it has for the configuration."""
    blocks: list[tuple[str, list[str]]] = []
    for line in output.splitlines():
        if start := _START.match(line):
            blocks.append((start["level"], [start["text"]]))
        elif blocks and line.strip():
            blocks[-1][1].append(line.strip().lstrip("| "))
    lines = configuration.splitlines()
    return [
        _message(level, parts, lines, path)
        for level, parts in blocks
        if level in ("ALERT", "EMERG", "WARNING") and not _SUMMARY.search(parts[0])
    ]


def _message(level: str, parts: list[str], lines: list[str], path: str) -> Message:
    text = " ".join(part for part in parts if part.strip(" ^"))
    place = re.search(rf"[\[(]{re.escape(path)}:(\d+)[\])]", text)
    text = _CLUTTER.sub("", text)
    if place is None or not 0 < int(place[1]) <= len(lines):
        return Message(_FILE, "", text, level=level)
    number = int(place[1])
    line, section = masked(lines[number - 1].strip()), section_of(lines, number) or ""
    return Message(f"{_FILE} line {number}", line, text, name=section, level=level, line=number)


def alerts(messages: t.Iterable[Message]) -> list[Message]:
    """The messages that stop HAProxy."""
    return [message for message in messages if message.level != "WARNING"]


def warnings(messages: t.Iterable[Message]) -> list[Message]:
    """The messages that do not stop HAProxy."""
    return [message for message in messages if message.level == "WARNING"]
