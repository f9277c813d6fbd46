# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lvs_director
short_description: The requirements of LVS services for a director
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Collects the VIPs and the real servers of all services of LVS.
positional: groups
options:
  _input:
    description: The value of C(keepalived_virtual_servers).
    type: list
    elements: dict
    required: true
  groups:
    description: The value of C(keepalived_virtual_server_groups).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show the VIPs of LVS
  ansible.builtin.debug:
    msg: "{{ (keepalived_virtual_servers | lbforge.haproxy.lvs_director).vips }}"
"""

RETURN = r"""
_value:
  description: The services together.
  type: dict
  contains:
    vips:
      description: Each address once; in a group it may be a range, such as V(192.0.2.10-20).
      type: list
      elements: str
    real_servers:
      description: The addresses of all real servers.
      type: list
      elements: str
    uses_nat:
      description: Whether a service or a real server has the method NAT.
      type: bool
"""

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lvs import director

Services = t.Sequence[t.Mapping[str, t.Any]]


def lvs_director(servers: Services, groups: Services = ()) -> dict[str, t.Any]:
    found = dataclasses.asdict(director(servers, groups))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"lvs_director": lvs_director}
