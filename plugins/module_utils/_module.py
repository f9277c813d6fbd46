# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of all modules: a quiet start, and one way to end."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked


class Module(AnsibleModule):
    """A module of this collection.

    Ansible lets every module write its arguments to the system's log. The masks of C(no_log) miss a suboption, a PEM
    inside a list and a password inside a text, and a module's own C(no_log) is overridden by that of the task. So these
    modules write nothing there.
    """

    def __init__(self, **options: t.Any) -> None:
        self._shown_instead: dict[str, t.Any] = {}
        self._warned: list[Problem] = []
        super().__init__(supports_check_mode=True, **options)

    def _log_invocation(self) -> None:
        """Write nothing to the log."""

    @property
    def wants_diff(self) -> bool:
        """Whether Ansible runs with C(--diff); a large difference is not worth its time otherwise."""
        return bool(self._diff)

    def show_instead(self, **arguments: t.Any) -> None:
        """Results show these arguments in place of the given ones, which are long or secret."""
        self._shown_instead.update(arguments)

    def warn_of(self, problem: Problem, secrets: t.Collection[str] = ()) -> None:
        """Let Ansible show a warning, and return it in C(warning_details). Ansible masks results, but not warnings."""
        self._warned.append(problem)
        self.warn(masked(str(problem), secrets))

    def run_in_english(self, command: list[str]) -> tuple[int, str, str]:
        """Run a program whose output is parsed; return its code, output and errors."""
        rc, out, err = self.run_command(command, environ_update={"LC_ALL": "C"})
        return rc, out, err

    def run(self, work: t.Callable[[Module], t.Mapping[str, t.Any]]) -> t.NoReturn:
        """End with what ``work`` returns, or with what it raises."""
        try:
            result = work(self)
        except LbforgeError as error:
            self._fail(str(error), **error.details)
        except OSError as error:
            self._fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        self.exit_json(**self._common(), **result)

    def _fail(self, message: str, **details: t.Any) -> t.NoReturn:
        """Fail with C(errors), one for the whole where no place is known."""
        details["errors"] = details.get("errors") or [Problem("", "", message).as_dict()]
        self.fail_json(msg=message, **{**self._common(), **details})

    def _common(self) -> dict[str, t.Any]:
        common: dict[str, t.Any] = {"warning_details": [problem.as_dict() for problem in self._warned]}
        if self._shown_instead:
            # Ansible adds all arguments to a result without invocation.
            common["invocation"] = {"module_args": {**self.params, **self._shown_instead}}
        return common
