# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: specified_variables
short_description: Names of the variables that roles and playbooks of this collection read
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads files C(meta/argument_specs.yml) of this collection, for the option C(known_variables) of
    M(lbforge.haproxy.haproxy_validate).
options:
  _input:
    description: Directories with such a file, relative to the collection, such as C(roles/keepalived) and C(playbooks).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the variables of the role keepalived
  ansible.builtin.debug:
    msg: "{{ ['roles/keepalived'] | lbforge.haproxy.specified_variables }}"
"""

RETURN = r"""
_value:
  description: The names, in the order of the files.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.specifications import specifications


def specified_variables(directories: t.Sequence[str]) -> list[str]:
    entries = [options for directory in directories for options in specifications(directory).values()]
    return list(dict.fromkeys(name for options in entries for name in options))


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"specified_variables": specified_variables}
