# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of all modules that talk to a running HAProxy. Documented in the fragment C(runtime)."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "socket": {"type": "str", "default": "/run/haproxy/admin.sock"},
    "timeout": {"type": "int", "default": 10},
}


def option_problems(params: dict[str, t.Any], **least: float) -> list[Problem]:
    """The mistakes in the shared options, and in further numbers, given with their lower bounds."""
    return [
        Problem(name, shown(params[name]), f"{params[name]} is too small; use at least {bound}")
        for name, bound in {"timeout": 1, **least}.items()
        if params[name] < bound
    ]
