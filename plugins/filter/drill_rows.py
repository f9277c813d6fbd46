# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_rows
short_description: The effect of a drill's fault on each VIP
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Compares the outages that M(lbforge.haproxy.vip_probe) measured with the failover budget.
options:
  _input:
    description: The VIPs, as P(lbforge.haproxy.vip_holders#filter) returns them.
    type: list
    elements: dict
    required: true
  probed:
    description: The result of M(lbforge.haproxy.vip_probe).
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
  node:
    description: The inventory name of the node that was struck.
    type: str
    required: true
  tolerance:
    description: Seconds over the budget that are attributed to the measurement.
    type: float
    default: 0.2
"""

EXAMPLES = r"""
- name: Judge the measured outage
  ansible.builtin.debug:
    msg: >-
      {{ haproxy_vip_holders | lbforge.haproxy.drill_rows(probed=probed, budget=keepalived_failover_budget,
                                                   fault='haproxy_hung', node='lb1') }}
"""

RETURN = r"""
_value:
  description: A row for each VIP.
  type: list
  elements: dict
  contains:
    fault:
      description: The fault.
      type: str
    address:
      description: The VIP.
      type: str
    node:
      description: The node that was struck.
      type: str
    outage:
      description: Seconds of the longest outage.
      type: float
    budget:
      description: Seconds that it may take; V(0) for a VIP of another node, V(null) if nothing ends the outage.
      type: float
    lost:
      description: Requests without an answer.
      type: int
    lag:
      description: Seconds that the prober itself was late.
      type: float
    verdict:
      description: V(ok), V(too long), V(lost) (a request of a planned stop), or V(no budget).
      type: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drill import Budget, Data, rows


def drill_rows(
    vips: t.Sequence[Data], probed: Data, budget: Budget, fault: str, node: str, tolerance: float = 0.2
) -> list[dict[str, t.Any]]:
    return rows(vips, probed, budget, fault, node, float(tolerance))


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"drill_rows": drill_rows}
