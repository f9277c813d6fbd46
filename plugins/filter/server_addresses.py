# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: server_addresses
short_description: Addresses of the servers of services
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Looks up where the backend and backup nodes are of all services that are switched on, for the option C(servers) of
    P(lbforge.haproxy.vrrp_instances#filter).
  - The address is the C(ip_addr) of the node; of an inventory host its C(management_address), else its C(ansible_host);
    otherwise the name itself.
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
- name: Show where the servers are
  ansible.builtin.debug:
    msg: "{{ haproxy_service_configs | lbforge.haproxy.server_addresses(hostvars) }}"
  # => ["10.0.0.21", "10.0.0.22"]
"""

RETURN = r"""
_value:
  description: Each address once; a name where there is no address.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import server_addresses


class FilterModule:
    """The filter server_addresses."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"server_addresses": server_addresses}
