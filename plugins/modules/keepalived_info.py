#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: keepalived_info
short_description: Gather the state of keepalived and the virtual addresses of a node
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Queries the running keepalived for the state of its VRRP instances, the kernel for the addresses of the node, and
    with O(probe) the network for the owner of each virtual address. Nothing is changed.
  - If keepalived does not run, the instances are those of its configuration file, without a state. This also finds an
    address that a dead keepalived left behind.
  - The filter P(lbforge.haproxy.vip_holders#filter) combines the results of all nodes, and finds addresses with two
    holders, without one, or with a wrong one.
  - For a keepalived built without JSON, the module reads its text dump instead.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  probe:
    description:
      - Whether to probe each network for the owners of the virtual addresses by ARP or Neighbour Discovery. That finds
        holders outside the inventory. It needs the capability C(CAP_NET_RAW).
      - A node does not hear itself, so an answer for its own address comes from another holder.
    type: bool
    default: false
  probe_time:
    description: Seconds for which O(probe) listens.
    type: float
    default: 1
  path:
    description: The file that the daemon reads.
    type: path
    default: /etc/keepalived/keepalived.conf
  pid_file:
    description: The file into which the daemon writes its process id.
    type: path
    default: /run/keepalived.pid
  binary:
    description: The program of keepalived.
    type: str
    default: keepalived
  timeout:
    description: Seconds that the daemon may take to report its state.
    type: float
    default: 5
seealso:
  - module: lbforge.haproxy.keepalived_config
  - plugin: lbforge.haproxy.vip_holders
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Ask each node
  lbforge.haproxy.keepalived_info:
    probe: true
  register: keepalived

- name: Stop unless each virtual address is where it should be
  ansible.builtin.assert:
    that: holders | rejectattr('state', 'eq', 'ok') | length == 0
    fail_msg: "{{ holders | rejectattr('state', 'eq', 'ok') | map(attribute='sentence') | join(' ') }}"
  vars:
    views: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'keepalived'))) }}"
    holders: "{{ views | lbforge.haproxy.vip_holders }}"
  run_once: true
"""

RETURN = r"""
daemon:
  description: The daemon of this node.
  type: dict
  returned: success
  contains:
    installed:
      description: Whether the program is installed.
      type: bool
    running:
      description: Whether the daemon runs.
      type: bool
    pid:
      description: Its process; V(null) if it does not run.
      type: int
    version:
      description: The version of the program; V(null) if there is none.
      type: str
      sample: 2.2.7
instances:
  description: The VRRP instances by name.
  type: dict
  returned: success
  contains:
    state:
      description: V(MASTER), V(BACKUP), V(FAULT), or V(INIT) while it starts; V(null) if keepalived does not run.
      type: str
    interface:
      description: The interface of its adverts.
      type: str
    virtual_router_id:
      description: Its router id.
      type: int
    priority:
      description: The priority by configuration.
      type: int
    effective_priority:
      description: The priority after the trackers; V(null) if keepalived does not run.
      type: int
    version:
      description: The version of VRRP.
      type: int
    addresses:
      description: Its virtual addresses with prefix lengths, the excluded ones too.
      type: list
      elements: str
addresses:
  description: The virtual addresses of all instances.
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: The address without a prefix length.
      type: str
    interface:
      description: Its interface; for a VMAC the one below it.
      type: str
    instance:
      description: Its instance.
      type: str
    held:
      description: Whether the kernel of this node has it.
      type: bool
    answered_by:
      description: The hardware addresses of other hosts that answer for it.
      type: list
      elements: str
      returned: when O(probe) is true
links:
  description: The interfaces of this node except C(lo), and their addresses.
  type: list
  elements: dict
  returned: success
  contains:
    interface:
      description: Its name.
      type: str
    mac:
      description: Its hardware address.
      type: str
    addresses:
      description: Its addresses with prefix lengths.
      type: list
      elements: str
problems:
  description: The problems of this node, in sentences.
  type: list
  elements: str
  returned: success
  sample:
    - 192.0.2.10 is on this node, although keepalived does not run.
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: probe_time
    name:
      description: Name of the item there, such as a service, a server or a certificate; empty if it has none.
      type: str
    value:
      description: The value there; empty without one, hidden for secrets.
      type: str
    why:
      description: The reason.
      type: str
    hint:
      description: What to do; empty if that is clear.
      type: str
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description: Warnings about valid but questionable input. Ansible also shows each C(text).
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.facts import NodeFacts


def run(module: Module) -> dict[str, t.Any]:
    """Gather."""
    params = module.params
    daemon = Keepalived(
        params["binary"], "keepalived", Path(params["pid_file"]), module.run_in_english, params["timeout"]
    )
    wait = params["probe_time"] if params["probe"] else 0
    return {"changed": False, **NodeFacts(daemon, Path(params["path"]), wait).gather()}


def main() -> t.NoReturn:
    Module(
        argument_spec={
            "probe": {"type": "bool", "default": False},
            "probe_time": {"type": "float", "default": 1},
            "path": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "pid_file": {"type": "path", "default": "/run/keepalived.pid"},
            "binary": {"type": "str", "default": "keepalived"},
            "timeout": {"type": "float", "default": 5},
        },
    ).run(run)


if __name__ == "__main__":
    main()
