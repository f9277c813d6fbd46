# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vrrp_instances
short_description: Turn virtual addresses and hosts into keepalived instances
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
  - Members of a sync group track nothing themselves, because their group does it for them, see
    P(lbforge.haproxy.vrrp_sync_groups#filter).
positional: _input
options:
  _input:
    description:
      - The virtual addresses. Each has the keys C(name), C(address) or C(cidr) (one address with prefix length, or a
        list with any number of IPv4 and IPv6 addresses), C(interface), and, all optional, C(virtual_router_id),
        C(advert_int) (seconds, 0.25 if missing), C(hosts) (those that are to have it before all others, the preferred
        one first) and C(sync_group) (the name of a group whose members move together).
      - Without a C(virtual_router_id) it gets one that follows from its name and that no other of them has.
      - An entry with an empty C(cidr) makes no instance.
      - Instead of a list, a dictionary of the variables that say them, C(haproxy_vips) or the older ones, by name.
    type: raw
    required: true
  host:
    description:
      - The inventory name of the host whose instances are wanted.
      - Without it the instances of all hosts are returned, as far as one host can know them, with the variables
        C(keepalived_instances) and C(keepalived_instances_overrides) that the inventory gives each of them.
    type: str
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
      - The value of C(keepalived_scripts). Scripts with the key C(instance) are tracked by the VIPs of that name or
        type, others by all.
      - With the key C(soft) a script weighs as little as puts its host behind all others, and nothing where the
        priorities have no room for it.
    type: dict
    default: {}
  track_files:
    description: The value of C(keepalived_track_files), with the same meaning of C(instance).
    type: dict
    default: {}
  track_processs:
    description: The value of C(keepalived_track_processs), with the same meaning of C(instance).
    type: dict
    default: {}
  spread:
    description:
      - Whether the virtual addresses prefer different hosts, instead of all the first one.
      - Every host is preferred by as many as any other, give or take one; those of a host that is gone are shared
        evenly by the others, and all return with it. Another address at the end of the list moves none of those before
        it, and another host at the end takes its share and moves few others.
      - A sync group counts as one address, and addresses with C(hosts) do not count.
    type: bool
    default: false
  servers:
    description:
      - The addresses of the servers behind the virtual addresses, as from P(lbforge.haproxy.host_addresses#filter). A
        host that loses the link to them ranks behind all others, for every virtual address.
      - An interface leads to a server when the server lies in its network. Where facts do not tell which one does, as
        with servers behind a router, all interfaces of virtual addresses are taken.
    type: list
    elements: str
    default: []
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

- name: Show which priorities the hosts have for two addresses that share the load
  ansible.builtin.debug:
    msg: >-
      {{
        [{'name': 'one', 'cidr': '192.0.2.10/24', 'interface': 'eth0'},
         {'name': 'two', 'cidr': '192.0.2.11/24', 'interface': 'eth0'}]
        | lbforge.haproxy.vrrp_instances(hosts=groups['haproxy'], hostvars=hostvars, spread=true)
      }}
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The instances by name, with the key names of C(keepalived_instances). IPv6 addresses form an instance of their
      own, whose name ends in C(_ipv6).
    - Without O(host), such a dictionary for every host.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.utils.vars import merge_hash
from jinja2 import TemplateError

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Instances, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import node_from_vars
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved

Entries = dict[str, dict[str, t.Any]]
Vips = t.Union[list[dict[str, t.Any]], dict[str, t.Any]]
HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def vrrp_instances_filter(
    vips: Vips,
    hosts: list[str],
    hostvars: HostVars,
    host: str | None = None,
    scripts: Entries | None = None,
    track_files: Entries | None = None,
    track_processs: Entries | None = None,
    spread: bool = False,
    servers: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    try:
        wanted = moved(vips)
        nodes = [node_from_vars(name, hostvars[name]) for name in hosts] if wanted else []
        trackers = Trackers(scripts or {}, track_files or {}, track_processs or {})
        cluster = Cluster(wanted, nodes, trackers, spread, servers)
        if host is not None:
            return cluster.instances(host) if wanted else {}
        derived = cluster.all_instances() if wanted else {name: {} for name in hosts}
        return {name: _as_overridden(instances, hostvars[name]) for name, instances in derived.items()}
    except VrrpError as error:
        raise AnsibleFilterError(str(error)) from error


def _as_overridden(derived: Instances, variables: t.Mapping[str, t.Any]) -> Instances:
    """The instances of a host, with the overrides of its inventory."""
    try:
        instances = variables.get("keepalived_instances", derived)
        merged: Instances = merge_hash(instances, variables.get("keepalived_instances_overrides") or {})
    except (AnsibleError, TemplateError):
        # A template of another host may need variables that exist only in that host's own run.
        return derived
    return merged


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vrrp_instances": vrrp_instances_filter}
