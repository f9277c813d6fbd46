# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback plugin that puts recorders in the place of nodes.

Ansible resolves variables, conditions, includes and arguments as ever, and runs its action plugins. Where these would
run a module on a node, the call is written to the file ``RECORDER`` instead, one JSON object a line, and answered.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

FACTS = {
    "os_family": "Debian",
    "distribution_release": "bookworm",
    "pkg_mgr": "apt",
    "all_ipv4_addresses": ["192.0.2.1"],
    "all_ipv6_addresses": [],
    "default_ipv4": {"interface": "eth0", "gateway": "192.0.2.254", "address": "192.0.2.1"},
    **{
        f"eth{number}": {
            "device": f"eth{number}",
            "ipv4": {"address": f"192.0.{number + 2}.1", "netmask": "255.255.255.0"},
        }
        for number in range(3)
    },
}
ANSWERS: dict[str, dict[str, t.Any]] = {
    "setup": {"ansible_facts": FACTS},
    "get_url": {"changed": True},
    "command": {"rc": 0, "stdout": "", "stdout_lines": [], "stderr": ""},
    "pki_certificates": {
        name: []
        for name in ("authorities", "certificates", "user_certificates", "anchors", "bundles", "files", "ca_files")
    },
}


def record(
    self: ActionBase,
    module_name: str | None = None,
    module_args: dict[str, t.Any] | None = None,
    task_vars: dict[str, t.Any] | None = None,
    **_options: t.Any,
) -> dict[str, t.Any]:
    """Stand for ``ActionBase._execute_module``."""
    variables = task_vars or {}
    module = (module_name or self._task.action).rpartition(".")[2]
    args = {**self._task.args, **(module_args or {})}
    call = {
        "host": variables["inventory_hostname"],
        "module": module,
        "args": args,
        "delegate_to": self._task.delegate_to,
        "python": self._templar.template(variables.get("ansible_python_interpreter")),
    }
    with pathlib.Path(os.environ["RECORDER"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(call, default=str) + "\n")
    if module == "stat":
        # Nothing is there but what every system has.
        return {"stat": {"exists": args["path"] == "/usr/local", "isdir": True}}
    if module == "node_files":
        return {
            "changed": True,
            "written": {file["dest"]: "it is missing" for file in args["files"]},
            "removed": args.get("absent", []),
        }
    return {"changed": False, **ANSWERS.get(module, {})}


class CallbackModule(CallbackBase):
    """Ansible loads callbacks before it starts the processes that run tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"

    def __init__(self) -> None:
        super().__init__()
        ActionBase._execute_module = record
