# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: news
type: stdout
short_description: Show what changed, failed, warned or is to be read, and nothing else
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - As P(ansible.builtin.default#callback), but a task without news is not shown, and neither is one
    that was skipped.
  - A failure is shown once, in words. C(-v) also shows the raw result, and every task.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - To be set as C(stdout_callback) in C(ansible.cfg).
"""

import typing as t

from ansible.plugins.callback.default import CallbackModule as Default

if t.TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.included_file import IncludedFile
    from ansible.playbook.play import Play

NEWS = ("changed", "warnings", "deprecations", "exception", "_ansible_verbose_always")
# The output of a command, which the message lacks.
OUTPUT = ("stdout", "stderr")


class CallbackModule(Default):
    """The default callback, limited to news."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lbforge.haproxy.news"

    def set_options(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().set_options(*args, **kwargs)
        # The default callback then names a task only with its first shown result.
        self.set_option("display_skipped_hosts", self._display.verbosity > 0)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        super().v2_playbook_on_play_start(play)
        # Each batch of a serial play has the same tasks, and must name them again.
        self._last_task_banner = None

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        if not self._is_news(result):
            return
        message = result.result.get("msg")
        if self._display.verbosity or not result.result.get("_ansible_verbose_always") or not message:
            super().v2_runner_on_ok(result)
            return
        # A message for the operator, unchanged.
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings_and_exception(result)
        self._display.display("\n".join(map(str, message if isinstance(message, list) else [message])))

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        if self._is_news(result):
            super().v2_runner_item_on_ok(result)

    def v2_playbook_on_include(self, included_file: IncludedFile) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """In words, which come with the exception; the raw result would repeat them."""
        if not result.result.get("exception") or self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings_and_exception(result)
        lines = [f"fatal: [{self.host_label(result)}]: FAILED!", *filter(None, map(result.result.get, OUTPUT))]
        lines += ["...ignoring"] if ignore_errors else []
        self._display.display("\n".join(lines), color="red", stderr=self.get_option("display_failed_stderr"))

    def _is_news(self, result: CallbackTaskResult) -> bool:
        return self._display.verbosity > 0 or any(result.result.get(key) for key in NEWS)
