# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vip_of_type
short_description: The first VIP of a type
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Finds the external or the internal VIP in C(haproxy_vips), with which the older variables for that VIP
    have to agree. Where no VIP is of the type, the first of all stands in for it.
  - Entries with mistakes are left out, without an error; the validation reports them.
positional: type
options:
  _input:
    description: The variable C(haproxy_vips).
    type: list
    elements: dict
    required: true
  type:
    description: The type of the VIP.
    type: str
    choices: [external, internal]
    required: true
"""

EXAMPLES = r"""
- name: Show what clients know the external VIP by
  ansible.builtin.debug:
    msg: "{{ (haproxy_vips | lbforge.haproxy.vip_of_type('external')).known_as }}"
  # => "www.example.org"
"""

RETURN = r"""
_value:
  description: The VIP; empty where there is none.
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    known_as:
      description: The first of its C(names), or else its first address.
      type: str
    names:
      description: All of its C(names).
      type: list
      elements: str
    address:
      description: Its first address.
      type: str
    bind_address:
      description: The address that frontends bind, the first of several.
      type: str
    bind_interface:
      description: The interface that frontends bind; empty for any.
      type: str
    interface:
      description: The interface that carries it; empty for that of the default route.
      type: str
    virtual_router_id:
      description: Its VRRP router id; V(null) where it is not set.
      type: int
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.filter.mark_undefined import mark_undefined
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import without_marks
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import read_entries
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import of_type


def vip_of_type(vips: t.Any, kind: str) -> dict[str, t.Any]:
    # The validation reports unresolved values; an interface may be known only from facts.
    resolved = without_marks(mark_undefined(vips))
    vip = of_type(kind, read_entries("haproxy_vips", resolved, needs_prefix=False)[0])
    if vip is None:
        return {}
    return {
        "name": vip.name,
        "known_as": vip.known_as,
        "names": list(vip.names),
        "address": vip.plain[0],
        "bind_address": vip.bound[0],
        "bind_interface": vip.bind_interface,
        "interface": vip.interface,
        "virtual_router_id": vip.virtual_router_id,
    }


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"vip_of_type": vip_of_type}
