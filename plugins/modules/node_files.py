#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Many small files on a node in one step
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Writes files such as unit drop-ins and scripts, each atomically with its owner and mode, and removes unwanted ones.
  - One call takes as long as one call of M(ansible.builtin.file), however many files there are.
  - It locks the directories against other writers of this collection, so it can also write the certificates that
    HAProxy reads.
  - Returns the written files, so that other tasks can depend on one of them.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  files:
    description: Files to write. Missing directories are created.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Absolute path on the node.
        type: path
        required: true
      content:
        description:
          - Text of the file.
          - C(--diff) shows it if the file is world-readable. For a secret, also set C(no_log) for the task.
        type: str
        required: true
      owner:
        description: Name or number of its user.
        type: str
        default: root
      group:
        description: Name or number of its group.
        type: str
        default: root
      mode:
        description: Its mode, in quotes. A mode that makes a private key world-readable is rejected.
        type: str
        default: "0644"
  absent:
    description: Absolute paths of files and links to remove, in this order, before any file is written.
    type: list
    elements: path
    default: []
seealso:
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Install the drop-ins of the haproxy unit
  lbforge.haproxy.node_files:
    files:
      - dest: /etc/systemd/system/haproxy.service.d/limits.conf
        content: |
          [Service]
          LimitNOFILE=100000
      - dest: /usr/local/sbin/haproxy-report
        content: "{{ lookup('ansible.builtin.file', 'haproxy-report', rstrip=false) }}"
        mode: "0755"
  register: installed

- name: Have systemd read its units if one of them changed
  ansible.builtin.systemd_service:
    daemon_reload: true
  when: installed.written | select('match', '/etc/systemd/') | length > 0
"""

RETURN = r"""
written:
  description: Files that were, or would be, written, with the reason for each.
  returned: success
  type: dict
  sample:
    /usr/local/sbin/haproxy-report: it is missing
removed:
  description: Files and links that were, or would be, removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/haproxy.service.d/limits.conf]
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: files[0].mode
    name:
      description: Name of the item there, such as a service, a server or a certificate; empty if it has none.
      type: str
    value:
      description: The value there; empty without one, hidden for secrets.
      type: str
    why:
      description: The reason.
      type: str
    hint:
      description: What to do; empty if that is clear.
      type: str
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description: Warnings about valid but questionable input. Ansible also shows each C(text).
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import os
import pathlib
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked_directories
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.node_files import parse_files
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module

PATIENCE = 60.0  # seconds to wait for other writers in the same directories


def run(module: Module) -> dict[str, t.Any]:
    """Remove unwanted files, and write those that differ."""
    files = parse_files(module.params["files"], module.params["absent"])
    unwanted = [pathlib.Path(path) for path in module.params["absent"] if os.path.lexists(path)]
    wanting = {file: differences for file in files if (differences := file.differences())}
    diff = [{"before_header": str(path), "before": "present\n", "after": "absent\n"} for path in unwanted]
    diff += [file.diff() for file in wanting]
    if not module.check_mode:
        directories = {path.parent for path in (*unwanted, *(file.path for file in wanting))}
        with locked_directories(directories, PATIENCE):
            for path in unwanted:
                path.unlink(missing_ok=True)
            for file in wanting:
                file.write()
    return {
        "changed": bool(unwanted or wanting),
        "written": {str(file.path): ", ".join(differences) for file, differences in wanting.items()},
        "removed": [str(path) for path in unwanted],
        "diff": diff,
    }


def main() -> t.NoReturn:
    file = {
        "dest": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "default": "0644"},
    }
    Module(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": file},
            "absent": {"type": "list", "elements": "path", "default": []},
        },
    ).run(run)


if __name__ == "__main__":
    main()
