# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vrrp_sync_groups
short_description: Turn virtual addresses that move together into keepalived sync groups
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Puts the instances that P(lbforge.haproxy.vrrp_instances#filter) makes of virtual addresses with the same
    C(sync_group) into the group of that name.
  - The group has all trackers of its members. keepalived ignores the weight of a tracker that only a member of a group
    has, so a failing ping would move nothing; what the group tracks moves all its members.
  - A group of a single instance is left out, because keepalived refuses it.
positional: _input
options:
  _input:
    description: The virtual addresses, as for P(lbforge.haproxy.vrrp_instances#filter).
    type: raw
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
  host:
    description:
      - The inventory name of the host whose groups are wanted. With it the groups track softly what
        P(lbforge.haproxy.vrrp_instances#filter) has instances track softly; O(hosts) and O(hostvars) are needed then.
    type: str
  hosts:
    description: The inventory names of all keepalived hosts.
    type: list
    elements: str
    default: []
  hostvars:
    description: The variables of these hosts.
    type: dict
    default: {}
  servers:
    description: The addresses of the servers, as for P(lbforge.haproxy.vrrp_instances#filter).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which instances move together
  ansible.builtin.debug:
    msg: "{{ keepalived_vips | lbforge.haproxy.vrrp_sync_groups(scripts=keepalived_scripts) }}"
"""

RETURN = r"""
_value:
  description: The groups by name, with the key names of C(keepalived_sync_groups).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Instances, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import node_from_vars
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved

Entries = dict[str, dict[str, t.Any]]
Vips = t.Union[list[dict[str, t.Any]], dict[str, t.Any]]
HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def vrrp_sync_groups_filter(
    vips: Vips,
    scripts: Entries | None = None,
    track_files: Entries | None = None,
    track_processs: Entries | None = None,
    host: str = "",
    hosts: t.Sequence[str] = (),
    hostvars: HostVars | None = None,
    servers: t.Sequence[str] = (),
) -> Instances:
    variables = hostvars or {}
    try:
        wanted = moved(vips)
        # Most have no groups, and then hosts are not needed.
        grouped = any(vip.sync_group for vip in wanted)
        nodes = [node_from_vars(name, variables[name]) for name in hosts] if grouped else []
        trackers = Trackers(scripts or {}, track_files or {}, track_processs or {})
        return Cluster(wanted, nodes, trackers, servers=servers).sync_groups(host)
    except VrrpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vrrp_sync_groups": vrrp_sync_groups_filter}
