# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_outcomes
short_description: The outcome of a run, one line per load balancer
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reports the release of each load balancer, whether it holds a VIP, and the action of the run on its HAProxy and
    keepalived, with the reason.
  - The playbooks C(haproxy_install) and C(haproxy_rollback) end with it.
positional: hostvars, groups, asked
options:
  _input:
    description: Names of the load balancers.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The magic variable C(hostvars), in which the roles publish the results of their modules as
        C(haproxy_server_applied) and C(keepalived_applied).
    type: dict
    required: true
  groups:
    description: The magic variable C(groups), with the groups C(haproxy_holder) and C(haproxy_standby).
    type: dict
    required: true
  asked:
    description:
      - Results of a loop of M(lbforge.haproxy.haproxy_info) over load balancers that the run has not reached, with
        their drift.
    type: list
    elements: dict
    default: []
  check:
    description: Whether the run was in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Report what each load balancer runs
  ansible.builtin.debug:
    msg: "{{ groups['haproxy'] | lbforge.haproxy.run_outcomes(hostvars, groups) }}"
  # => ["lb1 (holder) runs release 91daf3d57844: nothing to do."]
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.outcomes import outcome

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def run_outcomes(
    hosts: t.Sequence[str],
    hostvars: HostVars,
    groups: t.Mapping[str, t.Sequence[str]],
    asked: t.Sequence[t.Mapping[str, t.Any]] = (),
    check: bool = False,
) -> list[str]:
    answers = {answer["item"]: answer for answer in asked}
    return [
        outcome(
            f"{host}{role(host, groups)}",
            hostvars[host].get("haproxy_server_applied") or {},
            hostvars[host].get("keepalived_applied") or {},
            answers.get(host, {}),
            check,
        )
        for host in hosts
    ]


def role(host: str, groups: t.Mapping[str, t.Sequence[str]]) -> str:
    return next((f" ({role})" for role in ("holder", "standby") if host in groups.get(f"haproxy_{role}", ())), "")


class FilterModule:
    """The filter run_outcomes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_outcomes": run_outcomes}
