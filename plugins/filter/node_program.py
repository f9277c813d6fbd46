# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_program
short_description: The text of a program that this collection installs on nodes
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - The program is one file of a few kilobytes. It contains the modules that it needs, and runs with Python 3.9 or newer
    and its standard library.
  - C(PROGRAM --sources DIRECTORY) writes its modules as files for reading on the node.
positional: _input
options:
  _input:
    description: Name of the program.
    type: str
    required: true
seealso:
  - module: lbforge.haproxy.node_files
"""

EXAMPLES = r"""
- name: Install the program that hands the states of servers over
  lbforge.haproxy.node_files:
    files:
      - dest: /usr/local/sbin/haproxy-server-states
        content: "{{ 'server_states' | lbforge.haproxy.node_program }}"
        mode: "0755"
"""

RETURN = r"""
_value:
  description: The text of the executable file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.program import ProgramError, program


def node_program_filter(name: str) -> str:
    try:
        return program(name)
    except ProgramError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"node_program": node_program_filter}
