# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: renewal_troubles
short_description: The certificates that load balancers could not order or share
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Load balancers with Let's Encrypt order certificates themselves, and share them. This merges the reports of all of
    them. Without problems the result is empty.
  - A failure counts until another attempt succeeds, on any load balancer.
positional: _input
options:
  _input:
    description:
      - The registered results of C(haproxy-acme status) by host. Those that did not print its answer are left out.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask the load balancers
  ansible.builtin.command:
    argv: [/usr/local/sbin/haproxy-acme, status]
  register: said
  changed_when: false

- name: Fail if a certificate could not be renewed
  ansible.builtin.assert:
    that: troubles | length == 0
    fail_msg: "{{ troubles | map(attribute='sentence') | join(', ') }}"
  vars:
    troubles: "{{ {inventory_hostname: said} | lbforge.haproxy.renewal_troubles }}"
"""

RETURN = r"""
_value:
  description:
    - Certificates that were never ordered come first, then those with the fewest days left.
    - Each has C(what) (V(ORDER FAILED), V(RENEWAL FAILED), V(NEVER ORDERED) or V(NOT DELIVERED)), C(name), C(names),
      the C(hosts) that failed or lack it, C(days) (whole days that the newest is valid; V(null) if there is none),
      C(tried) (when it was last tried), C(reason) and C(sentence).
  type: list
  elements: dict
"""

import dataclasses
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.host_results import printed_objects
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.renewals import troubles


def renewal_troubles(hosts: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    found = troubles(printed_objects(hosts), time.time())
    return [{**dataclasses.asdict(each), "sentence": each.sentence} for each in found]


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"renewal_troubles": renewal_troubles}
