# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: learned_files
short_description: Learned expectations as files
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
positional: path
description:
  - Makes files of what M(lbforge.haproxy.haproxy_rehearsal) has learned of some load balancers. Those that answer alike
    share one file.
options:
  _input:
    description: What the module returned, by the names of the load balancers.
    type: dict
    required: true
  path:
    description: The first file. Others have the name of their first load balancer before the suffix.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write what the load balancers answer
  ansible.builtin.copy:
    content: "{{ item.content }}"
    dest: "{{ item.path }}"
    mode: "0644"
  loop: "{{ {inventory_hostname: rehearsal} | lbforge.haproxy.learned_files('learned.yml') }}"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The files, each with its path and its content, a YAML file with the variable C(haproxy_expectations).
  type: list
  elements: dict
  contains:
    path:
      description: Where to write it.
      type: str
    content:
      description: What to write.
      type: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import LearnedFile
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import learned_files as files_of


def learned_files(learned: t.Mapping[str, t.Mapping[str, t.Any]], path: str) -> list[LearnedFile]:
    return files_of(learned, path)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"learned_files": learned_files}
