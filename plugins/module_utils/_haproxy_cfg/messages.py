# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy says about a configuration, with the line of the user's file it means. Pure functions."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

_START = re.compile(r"\[(?P<level>[A-Z]+)\]\s+\(\d+\) : (?P<text>.*)")
_CLUTTER = re.compile(r"^(?:config : )?(?:parsing \[[^\]]*:\d+\] ?: )?")
_SUMMARY = re.compile(
    r"(?:Error\(s\)|Fatal errors) found in configuration|Loading failure!|Some protocols failed to start"
)
_SECTION = re.compile(rf"\s*((?:{'|'.join(SECTIONS)})(?:\s+[^#]*)?)(?:#.*)?$")


@dataclass(frozen=True)
class Message:
    """One alert or warning. ``line``, ``section`` and ``source`` are None when HAProxy names no line."""

    level: str
    text: str
    line: int | None = None
    section: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        if self.source is None:
            return self.text
        line = f" line {self.line}" if self.line is not None else ""
        section = f" ({self.section})" if self.section else ""
        return f'haproxy.cfg{line}{section}, "{self.source}": {self.text}'

    def as_dict(self) -> dict[str, t.Any]:
        """The message as a return value."""
        return {"message": self.text, "line": self.line, "section": self.section, "source": self.source}


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
        return Message(level, text)
    number = int(place[1])
    return Message(level, text, number, section_of(lines, number), masked(lines[number - 1].strip()))


def alerts(messages: t.Iterable[Message]) -> list[Message]:
    """The messages that stop HAProxy."""
    return [message for message in messages if message.level != "WARNING"]


def warnings(messages: t.Iterable[Message]) -> list[Message]:
    """The messages that do not stop HAProxy."""
    return [message for message in messages if message.level == "WARNING"]
