# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_conflicts
short_description: Variables of the role keepalived that contradict each other
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Finds a password that no instance uses, and a network namespace that the sandbox of keepalived's unit forbids.
options:
  _input:
    description: The options of P(lbforge.haproxy.keepalived_model#filter), by their names.
    type: dict
    required: true
  password:
    description: The value of C(haproxy_keepalived_authentication_password).
    type: str
    default: ""
  secrets:
    description: What P(lbforge.haproxy.keepalived_secrets#filter) returns.
    type: list
    elements: str
    default: []
  sandbox:
    description: The value of C(keepalived_systemd_hardening).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show what the sandbox forbids
  ansible.builtin.debug:
    msg: "{{ {'global_defs': ['net_namespace lb']} | lbforge.haproxy.keepalived_conflicts }}"
"""

RETURN = r"""
_value:
  description: A sentence for each of them; empty if there are none.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.conflicts import conflicts


def keepalived_conflicts(
    variables: t.Mapping[str, t.Any], password: str = "", secrets: t.Sequence[str] = (), sandbox: bool = True
) -> list[str]:
    return conflicts(variables, password, secrets, sandbox)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_conflicts": keepalived_conflicts}
