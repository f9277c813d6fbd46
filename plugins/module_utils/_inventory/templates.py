# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that the user's own templates read. Pure."""

from __future__ import annotations

import re
import typing as t

NAME = re.compile(r"[A-Za-z_]\w*")
# Ansible adds facts, and the variables of all hosts again.
NOT_THE_USERS = re.compile(r"ansible_|(hostvars|vars|groups|group_names|environment)$")


def names_read(unknown: t.Collection[str], variables: t.Mapping[str, t.Any]) -> list[str]:
    """The variables among the unknown ones that a template in the variables of a host reads."""
    values = (value for name, value in variables.items() if not NOT_THE_USERS.match(name))
    return sorted(set(unknown).intersection(names_in_templates(values))) if unknown else []


def names_in_templates(values: t.Iterable[t.Any]) -> t.Iterator[str]:
    """Every word of every template, including variables."""
    for value in values:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                yield from NAME.findall(value)
        elif isinstance(value, t.Mapping):
            yield from names_in_templates(value.values())
        elif isinstance(value, (list, tuple)):
            yield from names_in_templates(value)
