# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of health checks that hide behind the version of `option httpchk`, written as `http-check send`.

Before HAProxy 2.2 there was no other way to send a header; 2.6 warns of it, and 3.0 refuses it. Sources: configuration
manual of 2.6, section 4.2, "option httpchk" and "http-check send".
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote, split
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.checks import first_word, options_in


class Hidden(t.NamedTuple):
    """What an `option httpchk` holds: the option without it, and the words of `http-check send` that say the same."""

    option: str
    headers: str
    body: str


def spelled_out(lines: t.Sequence[str]) -> list[str]:
    """The lines of a backend, each with an effect on requests of checks written as HAProxy 3.0 takes it."""
    hidden = {index: found for index, line in enumerate(lines) if (found := request_in(line))}
    if not hidden:
        return list(lines)
    result = [hidden[index].option if index in hidden else line for index, line in enumerate(lines)]
    # Of several options that choose a kind of checks, HAProxy takes the last.
    last = [index for index, _option in options_in(lines)][-1]
    return with_request(result, last, hidden[last]) if last in hidden else result


def request_in(line: str) -> Hidden | None:
    words = split(line)
    if words[:2] != ("option", "httpchk") or len(words) < 5 or "\n" not in words[4]:
        return None
    head, _blank, body = re.sub(r"\r\n?", "\n", words[4]).partition("\n\n")
    version, *headers = head.split("\n")
    pairs = [header.partition(":") for header in headers if header.strip()]
    return Hidden(
        " ".join([*words[:2], *map(quote, words[2:4]), quote(version)]),
        "".join(f" hdr {quote(name.strip())} {quote(value.strip())}" for name, _colon, value in pairs),
        f" body {quote(body)}" if body else "",
    )


def with_request(lines: list[str], option: int, hidden: Hidden) -> list[str]:
    """The lines with the request as a rule: as HAProxy does, the first of the rules but for one that connects.

    A rule of the user's that sends goes first: what it says itself replaces what was hidden.
    """
    rules = [index for index, line in enumerate(lines) if first_word(line) == "http-check"]
    if rules and split(lines[rules[0]])[1] == "connect":
        rules = rules[1:] or [rules[0] + 1]
    place = rules[0] if rules else option + 1
    first = split(lines[place])[:2] if place < len(lines) else ()
    if first != ("http-check", "send"):
        return [*lines[:place], f"http-check send{hidden.headers}{hidden.body}", *lines[place:]]
    own = split(lines[place])
    added = ("" if "hdr" in own else hidden.headers) + ("" if "body" in own else hidden.body)
    return [*lines[:place], f"{lines[place]}{added}", *lines[place + 1 :]]
