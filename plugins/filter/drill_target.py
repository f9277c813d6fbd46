# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_target
short_description: The target node of a drill, and the length of the fault
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Chooses the node that holds a VIP for the playbook C(keepalived_drill), with its interfaces and the seconds that the
    fault has to last.
options:
  _input:
    description: The VIPs, as P(lbforge.haproxy.vip_holders#filter) returns them.
    type: list
    elements: dict
    required: true
  views:
    description: The results of M(lbforge.haproxy.keepalived_info) by host.
    type: dict
    required: true
  cluster:
    description: The instances of all hosts, such as C(keepalived_cluster) of P(lbforge.haproxy.keepalived#role).
    type: dict
    required: true
  budget:
    description: The seconds by instance and fault, as P(lbforge.haproxy.failover_budget#filter) returns them.
    type: dict
    required: true
  fault:
    description: The fault, in the words of P(lbforge.haproxy.failover_budget#filter).
    type: str
    required: true
  sync_groups:
    description: The value of C(keepalived_sync_groups).
    type: dict
    default: {}
  vip:
    description: The address whose holder is struck; without one, that of the first VIP.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Choose the node of the fault
  ansible.builtin.set_fact:
    struck: >-
      {{ haproxy_vip_holders | lbforge.haproxy.drill_target(views=views, cluster=keepalived_cluster,
                                                     budget=keepalived_failover_budget, fault='haproxy_hung') }}
"""

RETURN = r"""
_value:
  description: Where and how long.
  type: dict
  contains:
    node:
      description: The inventory name of the holder.
      type: str
    interface:
      description: The interface that has the VIP.
      type: str
    server_interface:
      description: The first interface that the instance or a group tracks; without one, that of the VIP.
      type: str
    hold:
      description: Whole seconds, three more than the longest outage by the budget.
      type: int
"""

import dataclasses
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drill import Budget, Data, DrillError, target


def drill_target(
    vips: t.Sequence[Data],
    views: t.Mapping[str, Data],
    cluster: t.Mapping[str, t.Mapping[str, Data]],
    budget: Budget,
    fault: str,
    sync_groups: t.Mapping[str, Data] | None = None,
    vip: str = "",
) -> dict[str, t.Any]:
    try:
        return dataclasses.asdict(target(vips, views, cluster, sync_groups or {}, budget, fault, vip))
    except DrillError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"drill_target": drill_target}
