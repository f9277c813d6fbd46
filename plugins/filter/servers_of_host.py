# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: servers_of_host
short_description: The servers of a host in all pools, and the pools that need them
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Finds the servers of a backend host for the playbook C(haproxy_drain).
positional: host, hostvars
options:
  _input:
    description: The C(servers) that M(lbforge.haproxy.haproxy_backend_server) returns for all pools.
    type: list
    elements: dict
    required: true
  host:
    description: The name of the servers, or their address, or an inventory host with that address.
    type: str
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show which pools web1 is in
  ansible.builtin.debug:
    msg: "{{ (all.servers | lbforge.haproxy.servers_of_host('web1', hostvars)).servers }}"
"""

RETURN = r"""
_value:
  description: The role of the host for this load balancer.
  type: dict
  contains:
    servers:
      description: Its servers, each with C(backend) and C(name).
      type: list
      elements: dict
    pools:
      description: Pools in which no other server takes requests at the moment.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._live.drains import servers_of


def servers_of_host(
    servers: t.Sequence[t.Mapping[str, t.Any]],
    host: str,
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> dict[str, t.Any]:
    known = hostvars[host] if hostvars is not None and host in hostvars else {}
    return servers_of(host, str(known.get("ansible_host") or host), servers)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"servers_of_host": servers_of_host}
