# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vip_names
short_description: The addresses of VIPs by the names that clients know
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Of each VIP it takes the first address. A name that several VIPs have is that of the first of them.
options:
  _input:
    description: The value of C(haproxy_vips).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Rehearse with the names that clients know
  lbforge.haproxy.haproxy_rehearsal:
    expectations: "{{ haproxy_expectations }}"
    addresses: "{{ haproxy_vips | lbforge.haproxy.vip_names }}"
"""

RETURN = r"""
_value:
  description: An address for each name.
  type: dict
  sample:
    www.example.org: 203.0.113.10
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.mark_undefined import mark_undefined
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import without_marks
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import read_entries


def vip_names(vips: t.Any) -> dict[str, str]:
    # What cannot be resolved is for the validation; an interface may be known by facts only.
    found = read_entries("haproxy_vips", without_marks(mark_undefined(vips)), needs_prefix=False)[0]
    return {name: vip.plain[0] for vip in reversed(found) for name in vip.names}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vip_names": vip_names}
