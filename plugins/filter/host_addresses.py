# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_addresses
short_description: Addresses of inventory hosts, as a load balancer reaches them
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - The address of a host is its C(management_address), else its C(ansible_host), else its name.
  - Unused hosts are not read, so a large inventory costs nothing.
positional: hostvars
options:
  _input:
    description: Service dicts; for O(of=peers) and O(of=vips) the inventory names of load balancers.
    type: list
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
  of:
    description:
      - V(nodes) are the inventory hosts that services name as backend or backup nodes, for
        M(lbforge.haproxy.haproxy_validate).
      - V(servers) are the backend and backup nodes of all services that are switched on, by their C(ip_addr) or as
        above, for the option C(servers) of P(lbforge.haproxy.vrrp_instances#filter). A name of no host stays a name.
      - V(peers) are load balancers, for the variable C(haproxy_peers) of P(lbforge.haproxy.haproxy_server#role). If the
        facts of one are known and it does not have its address itself, such as with a floating one, it is the address
        of its default route. A single load balancer gets V(127.0.0.1); its next process learns from it after a reload.
      - V(vips) are the addresses or names that load balancers bind as VIPs, as far as the inventory says so, for
        each variable of P(lbforge.haproxy.haproxy_server#role) and each host.
    type: str
    choices: [nodes, servers, peers, vips]
    default: nodes
"""

EXAMPLES = r"""
- name: Show where web1 is
  ansible.builtin.debug:
    msg: "{{ [{'haproxy_backend_nodes': ['web1']}] | lbforge.haproxy.host_addresses(hostvars) }}"
  # => {"web1": "10.0.0.21"}

- name: Show where the servers are
  ansible.builtin.debug:
    msg: "{{ haproxy_service_configs | lbforge.haproxy.host_addresses(hostvars, of='servers') }}"
  # => ["10.0.0.21", "10.0.0.22"]

- name: Show who shares stick tables
  ansible.builtin.debug:
    msg: "{{ groups['haproxy'] | lbforge.haproxy.host_addresses(hostvars, of='peers') }}"
  # => {"lb1": "10.0.0.11", "lb2": "10.0.0.12"}

- name: Show the VIPs of all load balancers
  ansible.builtin.debug:
    msg: "{{ groups['haproxy'] | lbforge.haproxy.host_addresses(hostvars, of='vips') }}"
  # => ["192.0.2.10", "10.0.0.9"]
"""

RETURN = r"""
_value:
  description: Addresses by host name; with O(of=servers) a list with each of them once, with O(of=vips) a list.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import (
    HostVars,
    bound_vips,
    node_addresses,
    peer_addresses,
    server_addresses,
)

LOOK_UPS: dict[str, t.Callable[[t.Any, HostVars], dict[str, str] | list[str]]] = {
    "nodes": node_addresses,
    "servers": server_addresses,
    "peers": peer_addresses,
    "vips": bound_vips,
}


def host_addresses(value: t.Any, hostvars: HostVars, of: str = "nodes") -> dict[str, str] | list[str]:
    if of not in LOOK_UPS:
        raise AnsibleFilterError(
            f"host_addresses: {of!r} is not a valid value of option of; use nodes, servers, peers or vips."
        )
    return LOOK_UPS[of](value, hostvars)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_addresses": host_addresses}
