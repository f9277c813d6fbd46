# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_results
short_description: The results that a task has registered on several hosts
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads a registered variable or a fact of each host, for filters that look at all hosts together. A host without it
    gets an empty dictionary.
positional: hostvars, name
options:
  _input:
    description: Inventory names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The magic variable C(hostvars).
    type: dict
    required: true
  name:
    description: The name of the variable.
    type: str
    required: true
  printed:
    description:
      - Whether the task was a command and what it printed is wanted, a JSON object, in the place of its result. A host
        where it printed no such thing is left out then.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the VIPs of this node
  lbforge.haproxy.keepalived_info:
  register: view

- name: Show where the VIPs are
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | lbforge.haproxy.host_results(hostvars, 'view') | lbforge.haproxy.vip_holders }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The value of each host, by its name.
  type: dict
"""

import json
import typing as t

Results = t.Mapping[str, t.Mapping[str, t.Any]]


def host_results(hosts: t.Sequence[str], hostvars: Results, name: str, printed: bool = False) -> dict[str, t.Any]:
    results = {host: hostvars[host].get(name) or {} for host in hosts}
    return printed_objects(results) if printed else results


def printed_objects(results: Results) -> dict[str, t.Any]:
    """What commands printed, as far as it is a JSON object; in the place of an error there is none."""
    texts = {host: result.get("stdout") or "" for host, result in results.items()}
    return {host: json.loads(text) for host, text in texts.items() if text.startswith("{")}


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_results": host_results}
