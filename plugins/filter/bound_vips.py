# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bound_vips
short_description: VIPs that load balancers bind by the inventory
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads the variables of P(lbforge.haproxy.haproxy_server#role) that define the VIPs of frontends, as far as the
    inventory sets them.
positional: hostvars
options:
  _input:
    description: Inventory names of load balancers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the VIPs of all load balancers
  ansible.builtin.debug:
    msg: "{{ groups['haproxy'] | lbforge.haproxy.bound_vips(hostvars) }}"
  # => ["192.0.2.10", "10.0.0.9"]
"""

RETURN = r"""
_value:
  description: Addresses or names, one for each variable and host.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import hosts


def bound_vips(names: t.Sequence[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    return hosts.bound_vips(names, hostvars)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bound_vips": bound_vips}
