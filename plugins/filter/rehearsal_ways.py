# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_ways
short_description: The ways that requests took in rehearsals
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Tells how requests were answered, and by whom, from what M(lbforge.haproxy.haproxy_rehearsal) returns for some load
    balancers. What is the same for several of them is there once.
options:
  _input:
    description: What the module returned, by the names of the load balancers.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the way
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: rehearsal} | lbforge.haproxy.rehearsal_ways }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import of_hosts, ways


def rehearsal_ways(rehearsals: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    return of_hosts({name: ways(rehearsal["results"]) for name, rehearsal in rehearsals.items()})


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rehearsal_ways": rehearsal_ways}
