#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: keepalived_config
short_description: Bring a keepalived configuration into service
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Writes O(content) next to O(path), lets C(keepalived -t) check it there, switches with one rename, reloads the
    running daemon and proves that it read the file and lives.
  - When the daemon does not take the file, the old one is put back and reloaded.
  - A running daemon is never restarted, because a restart gives its virtual addresses away. A daemon that does not run
    is started.
  - The proof uses what the running configuration declares with C(reload_file) and C(reload_check_config). Without them
    the module only proves that the processes survived.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details:
      - The check by C(keepalived -t) takes place in check mode too.
  diff_mode:
    support: full
    details:
      - Passwords are masked.
options:
  content:
    description: The whole text of the configuration file.
    type: str
    required: true
  secrets:
    description: Values within O(content) that must not appear in a result, a diff or a log.
    type: list
    elements: str
    default: []
  path:
    description: The file that the daemon reads.
    type: path
    default: /etc/keepalived/keepalived.conf
  pid_file:
    description: The file into which the daemon writes its process id.
    type: path
    default: /run/keepalived.pid
  binary:
    description: The program that checks the text.
    type: str
    default: keepalived
  service:
    description: The systemd unit that is started when the daemon does not run.
    type: str
    default: keepalived
  timeout:
    description: How many seconds the daemon may take to read the file.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Bring keepalived.conf into service
  lbforge.haproxy.keepalived_config:
    content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
    secrets: "{{ [vrrp_password] }}"
"""

RETURN = r"""
action:
  description: What was done, or would be done in check mode.
  type: str
  choices: [nothing, start, reload]
  returned: success
path:
  description: The file that the daemon reads.
  type: str
  returned: success
remarks:
  description: What C(keepalived -t) remarked on the accepted text, one line of text each.
  type: list
  elements: str
  returned: success
rc:
  description: The return code of C(keepalived -t).
  type: int
  returned: when keepalived refused the text
lines:
  description: What keepalived said about the failure.
  type: list
  elements: str
  returned: when keepalived refused the text or did not take it
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.change import bring_into_service
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.masking import masked


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            "content": {"type": "str", "required": True},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "path": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "pid_file": {"type": "path", "default": "/run/keepalived.pid"},
            "binary": {"type": "str", "default": "keepalived"},
            "service": {"type": "str", "default": "keepalived"},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    params = module.params
    module.run_command_environ_update = {"LC_ALL": "C"}

    def run(command: list[str]) -> tuple[int, str, str]:
        rc, out, err = module.run_command(command)
        return rc, out, err

    daemon = Keepalived(params["binary"], params["service"], Path(params["pid_file"]), run, params["timeout"])
    try:
        outcome = bring_into_service(daemon, Path(params["path"]), params["content"], module.check_mode)
    except LbforgeError as error:
        module.fail_json(msg=str(error), **error.details)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(
        changed=outcome.action != "nothing",
        action=outcome.action,
        path=params["path"],
        remarks=list(outcome.remarks),
        diff={
            "before_header": params["path"],
            "before": masked(outcome.before, params["secrets"]),
            "after_header": params["path"],
            "after": masked(params["content"], params["secrets"]),
        },
    )


if __name__ == "__main__":
    main()
