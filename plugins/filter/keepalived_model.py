# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_model
short_description: Turn keepalived variables into the blocks that the template lays out
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Checks the types, the bounds and the key names of C(keepalived_*) dictionaries and reports all mistakes at once.
  - Returns the blocks of C(keepalived.conf) in the order in which they are written.
  - C(global_settings) replaces lines of C(global_defs) with the same keyword.
positional: _input
options:
  _input:
    description: The instances, in the form of C(keepalived_instances).
    type: dict
    required: true
  global_defs:
    description: The value of C(keepalived_global_defs).
    type: list
    elements: str
    default: []
  global_settings:
    description: The value of C(keepalived_global_settings).
    type: dict
    default: {}
  linkbeat_interfaces:
    description: The value of C(keepalived_linkbeat_interfaces).
    type: list
    elements: str
    default: []
  interface_delays:
    description: The value of C(keepalived_interface_delays).
    type: list
    elements: str
    default: []
  garp_groups:
    description: The value of C(keepalived_garp_groups).
    type: list
    elements: dict
    default: []
  bfd_instances:
    description: The value of C(keepalived_bfd_instances).
    type: dict
    default: {}
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
  sync_groups:
    description: The value of C(keepalived_sync_groups).
    type: dict
    default: {}
  track_groups:
    description: The value of C(keepalived_track_groups).
    type: dict
    default: {}
  static_addresses:
    description: The value of C(keepalived_static_addresses).
    type: list
    elements: str
    default: []
  static_routes:
    description: The value of C(keepalived_static_routes).
    type: list
    elements: str
    default: []
  static_rules:
    description: The value of C(keepalived_static_rules).
    type: list
    elements: str
    default: []
  ssl:
    description: The value of C(keepalived_ssl).
    type: dict
    default: {}
  virtual_server_groups:
    description: The value of C(keepalived_virtual_server_groups).
    type: list
    elements: dict
    default: []
  virtual_servers:
    description: The value of C(keepalived_virtual_servers).
    type: list
    elements: dict
    default: []
  raw:
    description: The value of C(keepalived_raw).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the titles of all blocks
  ansible.builtin.debug:
    msg: >-
      {{ keepalived_instances | lbforge.haproxy.keepalived_model(scripts=keepalived_scripts) | map(attribute='title') }}
"""

RETURN = r"""
_value:
  description:
    - The blocks. Each has C(title), C(settings) (whole lines) and C(blocks) (blocks within it). Lines outside of blocks
      have no title.
  type: list
  elements: dict
"""

import typing as t
from dataclasses import asdict

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import keepalived_model


def keepalived_model_filter(instances: dict[str, t.Any], **variables: t.Any) -> list[dict[str, t.Any]]:
    try:
        model = keepalived_model({**variables, "instances": instances})
    except VrrpError as error:
        raise AnsibleFilterError(str(error)) from error
    return [asdict(block) for block in model]


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_model": keepalived_model_filter}
