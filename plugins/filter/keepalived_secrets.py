# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_secrets
short_description: The passwords in keepalived variables
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Collects the secrets that no result, diff or log may show, for the option C(secrets) of
    M(lbforge.haproxy.keepalived_config).
positional: ssl
options:
  _input:
    description: The instances, in the form of C(keepalived_instances).
    type: dict
    required: true
  ssl:
    description: The value of C(keepalived_ssl).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Bring keepalived.conf into service
  lbforge.haproxy.keepalived_config:
    content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
    secrets: "{{ keepalived_instances | lbforge.haproxy.keepalived_secrets }}"
"""

RETURN = r"""
_value:
  description: The passwords.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.masking import secrets_of


def keepalived_secrets(
    instances: t.Mapping[str, t.Mapping[str, t.Any]], ssl: t.Mapping[str, t.Any] | None = None
) -> list[str]:
    return secrets_of(instances, ssl or {})


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_secrets": keepalived_secrets}
