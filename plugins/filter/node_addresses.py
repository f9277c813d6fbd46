# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_addresses
short_description: Addresses of the inventory hosts that services name
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Looks up the address of every inventory host that a service names as a backend node or backup node.
  - The address is the host's C(management_address), else its C(ansible_host), else its name.
  - Hosts that no service names are not looked at, so a large inventory costs nothing.
positional: hostvars
options:
  _input:
    description: Service dicts.
    type: list
    elements: dict
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show where web1 is
  ansible.builtin.debug:
    msg: "{{ [{'haproxy_backend_nodes': ['web1']}] | lbforge.haproxy.node_addresses(hostvars) }}"
  # => {"web1": "10.0.0.21"}
"""

RETURN = r"""
_value:
  description: Addresses by host name; names that are not in the inventory are left out.
  type: dict
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import node_addresses


class FilterModule:
    """The filter node_addresses."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"node_addresses": node_addresses}
