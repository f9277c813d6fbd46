# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Distinguish a rejection from a success. Pure; measured with 2.6 and 3.0.

HAProxy answers a successful command with an empty line or a sentence, and a rejected one with a sentence too. Only
severities help (``set severity-output number``), and they mislead twice: some setters answer with the same warning in
both cases, and an unknown command is mere information.
"""

from __future__ import annotations

import re

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_SEVERE = re.compile(r"\[[0-3]\]: ?")
_FAILED_WARNING = re.compile(
    r"\[4\]:.*(?:Invalid addr|problem converting|can't change|not enabled on this server|not an integer"
    r"|only supported through configuration)",
    re.DOTALL,
)
_PLAIN = re.compile(r"(?:\[\d\]: ?)?(?:Unknown command|Permission denied)")
_FAILED_COMMIT = re.compile(r"^Can't (?:commit|update|load)\b", re.MULTILINE)


class CommandError(LbforgeError):
    """HAProxy rejected a command. ``command`` is without payload, so it holds no secret."""

    def __init__(self, command: str, why: str) -> None:
        super().__init__(f"HAProxy rejected '{command}': {why}.")
        self.command = command
        self.why = why


def refusal(answer: str) -> str | None:
    """Return HAProxy's message if an answer is a rejection, without severity and on one line."""
    if answer == "":
        return "no answer, as after a command that exceeds its buffer"
    if _PLAIN.match(answer):
        return _words(answer.split(". Please enter")[0].split(", but maybe")[0])
    if _SEVERE.match(answer) or _FAILED_WARNING.match(answer) or _FAILED_COMMIT.search(answer):
        return _words(answer)
    return None


def _words(answer: str) -> str:
    return " ".join(re.sub(r"\[\d\]: ?", "", answer).split()).rstrip(".")
