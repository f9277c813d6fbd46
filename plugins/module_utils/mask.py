# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mask passwords in output. Pure."""

from __future__ import annotations

import re
import typing as t

# AnsibleModule's placeholder, so that masked texts look the same everywhere.
MASK = "********"
# Of quoted and other pieces; what begins with a quote that nobody closes goes to the end of the line.
_WORD = r"""(?:(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\\.|[^\s\\'"])+|["'].*)"""
_BLANK = r"(?:\\?[ \t])"
# The value of a header may be one word or, inside of quotes, many; these keywords come after it.
_VALUE = rf"(?:{_BLANK}*(?!(?:if|unless|hdr|body|len)\b){_WORD})+"
_CREDENTIALS = re.compile(
    rf"(?P<stats>(?m:^)[ \t]*stats[ \t]+auth[ \t]+[^:\n]*:).*"
    # Whatever the keyword: it may be misspelt.
    rf"|(?P<account>(?m:^)[ \t]*user[ \t]+[^\s]+[ \t]+(?!groups[ \t])[^\s]+[ \t]+){_WORD}"
    rf"|(?P<user>\b(?:insecure-)?password[ \t]+){_WORD}"
    rf"|(?P<header>(?i:authorization)\\?[\"']?(?:{_BLANK}|:)+){_VALUE}"
    rf"|(?P<compared>(?i:authorization)\b[^\n]*?\b(?i:basic|bearer|digest|token){_BLANK}+)(?:\\.|[^\s\"'\\])+"
)


def masked(text: str, secrets: t.Iterable[str] = ()) -> str:
    """Hide passwords: those listed, and those that HAProxy's own keywords or a header's name announce.

    The text may be older than the list, which lacks changed passwords.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _CREDENTIALS.sub(lambda match: f"{match[match.lastgroup or 0]}{MASK}", text)


def masked_data(data: t.Any, secrets: t.Collection[str] = ()) -> t.Any:
    """The same for all texts in lists and dictionaries."""
    if isinstance(data, str):
        return masked(data, secrets)
    if isinstance(data, t.Mapping):
        return {key: masked_data(value, secrets) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [masked_data(value, secrets) for value in data]
    return data
