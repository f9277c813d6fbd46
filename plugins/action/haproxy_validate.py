# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell the module which variables the user's own templates read.

Only the controller sees templates before they are resolved.
"""

from __future__ import annotations

import re
import typing as t

from ansible.plugins.action import ActionBase

NAME = re.compile(r"[A-Za-z_]\w*")
# What Ansible adds: facts, and the variables of all hosts once more.
NOT_THE_USERS = re.compile(r"ansible_|(hostvars|vars|groups|group_names|environment)$")


class ActionModule(ActionBase):
    """Runs the module, with the names in templates added to O(known_variables)."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        known = list(args.get("known_variables") or ())
        unknown = set(args.get("variable_names") or ()).difference(known)
        if unknown:
            values = (value for name, value in (task_vars or {}).items() if not NOT_THE_USERS.match(name))
            read = unknown.intersection(names_in_templates(values))
            args["known_variables"] = [*known, *sorted(read)]
        result.update(self._execute_module(module_args=args, task_vars=task_vars))
        return result


def names_in_templates(values: t.Iterable[t.Any]) -> t.Iterator[str]:
    """Every word of every template, variables among them."""
    for value in values:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                yield from NAME.findall(value)
        elif isinstance(value, t.Mapping):
            yield from names_in_templates(value.values())
        elif isinstance(value, (list, tuple)):
            yield from names_in_templates(value)
