# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failover_budget
short_description: Compute the longest outage of a virtual address after a fault
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Computes, from the configuration of all nodes, the longest time until an address serves again after a fault on its
    holder, for each instance and each kind of fault.
  - It is the bound for one fault in a healthy cluster, with a network that carries the adverts.
  - The faults are C(planned_stop), C(daemon_killed), C(vrrp_killed) (the VRRP child of keepalived), C(node_dead),
    C(node_frozen), C(link_down), C(server_link_down) (the cable to the servers), C(haproxy_stopped), C(haproxy_killed),
    C(haproxy_hung) and C(ping_lost).
  - The other options of P(lbforge.haproxy.keepalived_model#filter) may be there and do not matter, so that all that
    P(lbforge.haproxy.keepalived_variables#filter) finds can be handed over.
positional: _input
options:
  _input:
    description: The instances of all hosts, as P(lbforge.haproxy.vrrp_instances#filter) returns them without C(host).
    type: dict
    required: true
  scripts:
    description: The value of C(keepalived_scripts).
    type: dict
    default: {}
  track_files:
    description: The value of C(keepalived_track_files).
    type: dict
    default: {}
  track_processs:
    description: The value of C(keepalived_track_processs).
    type: dict
    default: {}
  sync_groups:
    description: The value of C(keepalived_sync_groups).
    type: dict
    default: {}
  haproxy:
    description:
      - The names of the scripts and track files that watch the local HAProxy. Trackers of processes are known by the
        word C(haproxy) in their C(process), and ping checks by their command.
    type: list
    elements: str
    default: [haproxy_check_script, haproxy_ready]
  global_defs:
    description: The value of C(keepalived_global_defs), for its C(vrrp_version).
    type: list
    elements: str
    default: []
  global_settings:
    description: The value of C(keepalived_global_settings), whose C(vrrp_version) takes precedence over that of
      O(global_defs).
    type: dict
    default: {}
  show:
    description:
      - V(seconds) are the numbers. It is null where nothing ends the outage.
      - V(reasons) are the parts of the numbers, or the reason for a missing one.
      - V(table) are both as lines of text.
    type: str
    choices: [seconds, reasons, table]
    default: seconds
"""

EXAMPLES = r"""
- name: Fail when a hung HAProxy would be noticed too late
  ansible.builtin.assert:
    that: (cluster | lbforge.haproxy.failover_budget(scripts=keepalived_scripts)).external.haproxy_hung < 3
  vars:
    cluster: >-
      {{ keepalived_vips | lbforge.haproxy.vrrp_instances(hosts=keepalived_hosts, hostvars=hostvars,
                                                          scripts=keepalived_scripts) }}
"""

RETURN = r"""
_value:
  description:
    - For each instance a dictionary with the seconds, or the reason, for each fault.
    - With O(show=table) a list of lines.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.budget import (
    Settings,
    failover_budget,
    table,
    vrrp_version,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.variables import OF_FILE

Entries = dict[str, dict[str, t.Any]]


def failover_budget_filter(
    cluster: dict[str, Entries],
    scripts: Entries | None = None,
    track_files: Entries | None = None,
    track_processs: Entries | None = None,
    sync_groups: Entries | None = None,
    haproxy: t.Collection[str] = Settings.haproxy,
    global_defs: t.Sequence[str] = (),
    global_settings: t.Mapping[str, t.Any] | None = None,
    show: str = "seconds",
    **others: t.Any,
) -> t.Any:
    if show not in ("seconds", "reasons", "table"):
        raise AnsibleFilterError(f"failover_budget: show must be seconds, reasons or table, not {show!r}.")
    if unknown := others.keys() - OF_FILE.keys():
        raise AnsibleFilterError(f"failover_budget: {', '.join(sorted(unknown))} is not an option.")
    version = vrrp_version(global_defs, global_settings or {})
    settings = Settings(
        scripts or {}, track_files or {}, track_processs or {}, sync_groups or {}, tuple(haproxy), version
    )
    budget = failover_budget(cluster, settings)
    if show == "table":
        return table(budget)
    return {
        name: {
            fault: bound.why if show == "reasons" else None if bound.seconds is None else round(bound.seconds, 3)
            for fault, bound in bounds.items()
        }
        for name, bounds in budget.items()
    }


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"failover_budget": failover_budget_filter}
