# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfer many entries to the host as a file.

Ansible writes the arguments of a module into the program that it pipes to Python there, on one line. Python takes
seconds to read a line of megabytes.
"""

from __future__ import annotations

import json
import typing as t

from ansible.plugins.action import ActionBase

MANY = 65536  # characters


class ActionModule(ActionBase):
    """Runs the module, with O(entries_file) in the place of O(entries) if they are long."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        text = json.dumps(args.get("entries"), default=str)
        if len(text) > MANY and not self._task.async_val:  # a background task would find the file removed
            directory = self._make_tmp_path()
            args["entries_file"] = self._connection._shell.join_path(directory, "entries.json")
            self._transfer_data(args["entries_file"], text)
            self._fixup_perms2((directory, args["entries_file"]))
            del args["entries"]
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(module_args=args, task_vars=task_vars, wrap_async=wrap_async))
        return result
