# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plain_addresses
short_description: Addresses without prefix lengths
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Collects the addresses of a text, a list or a dictionary, however they are nested, without their prefix lengths and
    what follows these, such as C(dev eth0). Of a dictionary it is the C(cidr) or the C(address).
options:
  _input:
    description: Addresses, such as C(keepalived_vips) or C(haproxy_keepalived_external_vip_cidr).
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses that keepalived moves
  ansible.builtin.debug:
    msg: "{{ keepalived_vips | lbforge.haproxy.plain_addresses }}"
  # => ["192.0.2.10", "2001:db8::10"]
"""

RETURN = r"""
_value:
  description: The addresses.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import hosts


def plain_addresses(value: t.Any) -> list[str]:
    return hosts.plain_addresses(value)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"plain_addresses": plain_addresses}
