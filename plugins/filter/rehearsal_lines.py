# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_lines
short_description: Rehearsals as lines of text
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Puts together what M(lbforge.haproxy.haproxy_rehearsal) returns for some load balancers. What is the same for
    several of them is there once.
options:
  _input:
    description: What the module returned, by the names of the load balancers.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what came of each expectation
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: rehearsal} | lbforge.haproxy.rehearsal_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import of_hosts


def rehearsal_lines(rehearsals: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    return of_hosts({name: rehearsal["lines"] for name, rehearsal in rehearsals.items()})


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rehearsal_lines": rehearsal_lines}
