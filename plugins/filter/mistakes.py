# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mistakes
short_description: The mistakes on several hosts, each once
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Merges the errors of M(lbforge.haproxy.haproxy_validate) or M(lbforge.haproxy.keepalived_config) of several hosts. A
    mistake of all hosts is listed once; one of some hosts is listed with their names.
options:
  _input:
    description: The registered result of each host, by its name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check the services of each load balancer
  lbforge.haproxy.haproxy_validate:
    services: "{{ haproxy_service_configs }}"
  register: validated
  failed_when: false

- name: Report the mistakes of all load balancers
  ansible.builtin.assert:
    that: found | length == 0
    fail_msg: "{{ found | join('\n') }}"
    quiet: true
  run_once: true
  vars:
    found: "{{ ansible_play_hosts | lbforge.haproxy.host_results(hostvars, 'validated') | lbforge.haproxy.mistakes }}"
"""

RETURN = r"""
_value:
  description: The mistakes; empty if there are none.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import mistakes


class FilterModule:
    """The filter mistakes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mistakes": mistakes}
