# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vrrp_instances
short_description: Turn virtual addresses and hosts into the keepalived instances of one host
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Gives every virtual address a VRRP instance for each address family, with a priority that follows the order of
    the hosts, with unicast peers from the inventory, and with the trackers that belong to it.
  - Priorities are strictly ordered and stay within 1 to 254 whatever the trackers report, for 2 to 50 hosts. A host
    where a tracker with a weight fails ranks below every host where it does not. When it fails on all hosts, the
    order is what it was.
  - Peers are addresses in the network of the instance's interface. The inventory address (C(ansible_host)) is taken
    when it lies there, otherwise the host's address by its facts. The variable C(keepalived_unicast_address) of a host
    overrides both.
positional: _input
options:
  _input:
    description:
      - The virtual addresses. Each has the keys C(name), C(cidr) (one address with prefix length, or a list with any
        number of IPv4 and IPv6 addresses), C(interface), C(virtual_router_id) and C(advert_int) (seconds, 0.25 if
        missing).
      - An entry with an empty C(cidr) makes no instance.
    type: list
    elements: dict
    required: true
  host:
    description: The inventory name of the host whose instances are wanted.
    type: str
    required: true
  hosts:
    description: The inventory names of all keepalived hosts, the preferred one first.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of these hosts, from which addresses and facts are read.
    type: dict
    required: true
  scripts:
    description:
      - The value of C(keepalived_scripts). Scripts with the key C(instance) are tracked by the VIP of that name, others
        by all.
    type: dict
    default: {}
  track_files:
    description: The value of C(keepalived_track_files), with the same meaning of C(instance).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the instances of this host
  ansible.builtin.debug:
    msg: >-
      {{
        [{'name': 'external', 'cidr': ['192.0.2.10/24', '2001:db8::10/64'], 'interface': 'eth0',
          'virtual_router_id': 10}]
        | lbforge.haproxy.vrrp_instances(host=inventory_hostname, hosts=groups['haproxy'], hostvars=hostvars)
      }}
"""

RETURN = r"""
_value:
  description:
    - The instances by name, with the key names of C(keepalived_instances).
    - IPv6 addresses form an instance of their own, whose name ends in C(_ipv6).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.instances import (
    node_from_vars,
    vip_from_dict,
    vrrp_instances,
)


def vrrp_instances_filter(
    vips: list[dict[str, t.Any]],
    host: str,
    hosts: list[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    scripts: dict[str, dict[str, t.Any]] | None = None,
    track_files: dict[str, dict[str, t.Any]] | None = None,
) -> dict[str, dict[str, t.Any]]:
    try:
        wanted = [vip for vip in map(vip_from_dict, vips) if vip]
        nodes = [node_from_vars(name, hostvars[name]) for name in hosts]
        return vrrp_instances(wanted, nodes, host, scripts or {}, track_files or {}) if wanted else {}
    except VrrpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vrrp_instances": vrrp_instances_filter}
