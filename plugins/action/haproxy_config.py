# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pack the files of a large release for the way to the node."""

from __future__ import annotations

import typing as t

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.packing import pack

LARGE = 65536  # characters


class ActionModule(Normal):
    """Runs the module, with O(files_packed) in the place of O(files) if they are large."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        files = self._task.args.get("files")
        if isinstance(files, t.Mapping) and sum(len(str(text)) for text in files.values()) > LARGE:
            rest = {name: value for name, value in self._task.args.items() if name != "files"}
            packed = pack({str(name): str(text) for name, text in files.items()})
            self._task.args = {**rest, "files_packed": packed}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        return result
