# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: peer_addresses
short_description: Addresses by which load balancers share their stick tables
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Looks up the address of every load balancer, as P(lbforge.haproxy.haproxy_server#role) wants it in its variable
    C(haproxy_peers).
  - The address is the host's C(management_address), else its C(ansible_host), else its name. If the host's facts are
    known and it does not have that address itself, such as with a floating one, it is the address of its default route.
  - A single load balancer gets V(127.0.0.1); its next process learns from it after a reload.
positional: hostvars
options:
  _input:
    description: The inventory names of all load balancers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who shares stick tables
  ansible.builtin.debug:
    msg: "{{ groups['haproxy'] | lbforge.haproxy.peer_addresses(hostvars) }}"
  # => {"lb1": "10.0.0.11", "lb2": "10.0.0.12"}
"""

RETURN = r"""
_value:
  description: Addresses by host name. Where none is known, it is the host's name.
  type: dict
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import peer_addresses


class FilterModule:
    """The filter peer_addresses."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"peer_addresses": peer_addresses}
