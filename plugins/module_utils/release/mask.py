# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep passwords out of what is shown. Pure."""

from __future__ import annotations

import re
import typing as t

# A place holder of the same kind as AnsibleModule's, so that a masked text looks alike everywhere.
MASK = "********"
_WORD = r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|(?:\\.|[^\s\\])+)"""
_PASSWORDS = re.compile(rf"(?m)(^[ \t]*stats[ \t]+auth[ \t]+[^:\n]*:).*$|(\b(?:insecure-)?password[ \t]+){_WORD}")


def masked(text: str, secrets: t.Iterable[str] = ()) -> str:
    """Hide passwords: those listed, and those that HAProxy's own keywords announce.

    The text may be older than the list: a password that was changed is not in the new list any more.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _PASSWORDS.sub(lambda match: f"{match[1] or match[2]}{MASK}", text)
