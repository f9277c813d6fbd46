# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unanswered
short_description: The load balancers that do not report their certificates
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Lists the load balancers that did not answer M(lbforge.haproxy.haproxy_info), or C(haproxy-acme status) if it was
    asked.
options:
  _input:
    description: The results of M(lbforge.haproxy.haproxy_info) by host.
    type: dict
    required: true
  statuses:
    description: The registered results of C(haproxy-acme status) by host.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show who does not answer
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: found} | lbforge.haproxy.unanswered }}"
  # => ["lb1 does not tell its certificates"]
"""

RETURN = r"""
_value:
  description: A sentence for each of them.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight import expiry

Results = t.Mapping[str, t.Mapping[str, t.Any]]


def unanswered(hosts: Results, statuses: Results | None = None) -> list[str]:
    return expiry.unanswered(hosts, statuses or {})


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"unanswered": unanswered}
