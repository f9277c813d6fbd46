# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one family of exceptions that modules and filters turn into a message for the user."""

from __future__ import annotations

import typing as t


class LbforgeError(Exception):
    """Something the user has to know about: a sentence, and the facts behind it.

    A module ends with ``module.fail_json(msg=str(error), **error.details)``, so the keys of
    ``details`` are return values and must be JSON types.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details


def mistakes(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """What one task says is wrong on several hosts: each mistake once, with its hosts unless it is on all of them.

    A result has C(errors), texts or dictionaries with a C(text), or else a C(msg).
    """
    hosts: dict[str, list[str]] = {}
    for host, result in results.items():
        errors = result.get("errors") or filter(None, [result.get("msg")])
        for text in dict.fromkeys(error if isinstance(error, str) else error["text"] for error in errors):
            hosts.setdefault(text, []).append(host)
    return [text if len(on) == len(results) else f"{text} ({', '.join(on)})" for text, on in hosts.items()]
