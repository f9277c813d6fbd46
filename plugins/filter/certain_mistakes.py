# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certain_mistakes
short_description: What is wrong whatever facts will tell, each mistake once
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Puts together what other filters find wrong before facts are known. What such a filter fails with is a mistake, too,
    unless a variable is undefined, which may be only a fact.
options:
  _input:
    description: What each of the filters finds, by any name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail before any host is asked for its facts
  ansible.builtin.assert:
    that: found | lbforge.haproxy.certain_mistakes | length == 0
    fail_msg: "{{ found | lbforge.haproxy.certain_mistakes | join(' ') }}"
  vars:
    found:
      linter: "{{ keepalived_instances | lbforge.haproxy.keepalived_mistakes }}"
"""

RETURN = r"""
_value:
  description: A sentence for each mistake; empty if there are none.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.mark_undefined import mark_undefined
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import undefined


def certain_mistakes(found: t.Mapping[str, t.Any]) -> list[str]:
    return undefined.certain_mistakes(mark_undefined(found).values())


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certain_mistakes": certain_mistakes}
