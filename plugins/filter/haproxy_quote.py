# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: haproxy_quote
short_description: Any text as one word of a line of HAProxy configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Quotes a text so that HAProxy reads it back unchanged, whatever blanks, quotes, backslashes, C(#) and C($) are in it
    (HAProxy Configuration Manual, section 2.2).
  - Fails on text with a newline or another control character, which a line cannot contain.
positional: _input
options:
  _input:
    description: A text or a number.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: A password from a vault in a raw line
  ansible.builtin.set_fact:
    haproxy_backend_arguments:
      - option tcp-check
      - tcp-check send {{ ('AUTH ' ~ redis_password) | lbforge.haproxy.haproxy_quote }}\r\n
  no_log: true
"""

RETURN = r"""
_value:
  description: The text, in single quotes where it is not a plain word.
  type: str
  sample: "'AUTH pa#ss'"
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote


def haproxy_quote(text: t.Any) -> str:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise AnsibleFilterError(f"haproxy_quote: use text or a number, not {type(text).__name__}")
    try:
        return quote(str(text))
    except ValueError as error:
        raise AnsibleFilterError(f"haproxy_quote: the text {error}") from error


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"haproxy_quote": haproxy_quote}
