# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vip_holders
short_description: Find the holder of each virtual address from the views of all nodes
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads the result of M(lbforge.haproxy.keepalived_info) on each node. A single node cannot know whether another node
    has the same address, or whether any has it.
positional: _input
options:
  _input:
    description: The results of M(lbforge.haproxy.keepalived_info) by host. Results of hosts that failed are left out.
    type: dict
    required: true
  show:
    description:
      - V(holders) are entries as data, V(table) is the same as lines of text, with the problems of the hosts.
      - V(addresses) are the VIPs that a host holds, without link-local ones of IPv6.
      - V(troubles) are sentences on why the cluster is not healthy; a healthy one has none.
    type: str
    choices: [holders, table, addresses, troubles]
    default: holders
  missing:
    description: Inventory names of hosts that should be there and are not, for O(show=troubles).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show where the virtual addresses are
  ansible.builtin.debug:
    msg: "{{ views | lbforge.haproxy.vip_holders | map(attribute='sentence') }}"
  vars:
    # Registered by a task with lbforge.haproxy.keepalived_info.
    views: "{{ ansible_play_hosts | lbforge.haproxy.host_results(hostvars, 'keepalived') }}"
"""

RETURN = r"""
_value:
  description: An entry for each virtual address; with O(show=table) a list of lines.
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
    instances:
      description: The names of its VRRP instance, usually one.
      type: list
      elements: str
    state:
      description:
        - V(ok) if one node has it and its keepalived says so.
        - V(absent) if no node has it, V(doubled) if two have it or a host outside the inventory also answers for it,
          V(orphan) if a
          node has it whose keepalived does not claim it.
      type: str
    holders:
      description: The hosts whose kernel has it.
      type: list
      elements: str
    orphans:
      description: Those of the holders whose keepalived does not claim it.
      type: list
      elements: str
    strangers:
      description: Hardware addresses that answer for it and belong to none of the hosts.
      type: list
      elements: str
    wanted:
      description: The host with the highest priority by configuration; V(null) if two have the same.
      type: str
    sentence:
      description: All that in words.
      type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.holders import (
    addresses,
    table,
    troubles,
    vip_holders,
)

Views = t.Mapping[str, t.Mapping[str, t.Any]]


def vip_holders_filter(views: Views, show: str = "holders", missing: t.Sequence[str] = ()) -> list[t.Any]:
    if show == "holders":
        return [holding.as_dict() for holding in vip_holders(views)]
    if show == "table":
        return table(views)
    if show == "addresses":
        return addresses(views)
    if show == "troubles":
        return troubles(views, missing)
    raise AnsibleFilterError(f"vip_holders: show must be holders, table, addresses or troubles, not {show!r}.")


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vip_holders": vip_holders_filter}
