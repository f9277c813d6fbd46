# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_junit
short_description: Rehearsals as the XML of JUnit
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Makes the report that CI systems read of what M(lbforge.haproxy.haproxy_rehearsal) returns for some load balancers.
    Each load balancer is a suite, and each expectation a case in it.
options:
  _input:
    description: What the module returned, by the names of the load balancers.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the report
  ansible.builtin.copy:
    content: "{{ {inventory_hostname: rehearsal} | lbforge.haproxy.rehearsal_junit }}"
    dest: junit.xml
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The report.
  type: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import junit


def rehearsal_junit(rehearsals: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    return junit(rehearsals)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rehearsal_junit": rehearsal_junit}
