# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what haproxy_config answered on each node in the file APPLIED, whichever playbook ran it."""

from __future__ import annotations

DOCUMENTATION = """
name: applied
type: notification
short_description: Keep the answers of haproxy_config
description: Writes them into the file that the environment names as APPLIED, a line of JSON for each node.
"""

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase

if t.TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "applied"

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep(result, has_failed=False)

    def v2_runner_on_failed(self, result: CallbackTaskResult, **_more: bool) -> None:
        self._keep(result, has_failed=True)

    def _keep(self, result: CallbackTaskResult, *, has_failed: bool) -> None:
        if result.task.action == "lbforge.haproxy.haproxy_config":
            answer = {"node": result.host.get_name(), "failed": has_failed, "result": dict(result.result)}
            with pathlib.Path(os.environ["APPLIED"]).open("a") as file:
                file.write(json.dumps(answer, default=str) + "\n")
