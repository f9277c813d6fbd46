# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_table
short_description: The rows of a drill as lines of text
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Lays out what P(lbforge.haproxy.drill_rows#filter) returns, a line for each row below a line of headings.
options:
  _input:
    description: The rows.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ keepalived_drill_rows | lbforge.haproxy.drill_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drill import table


def drill_table(rows: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    return table(rows)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"drill_table": drill_table}
