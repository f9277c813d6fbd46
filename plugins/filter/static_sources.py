# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: static_sources
short_description: Files on the controller that belong to a release
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Lists the source files of C(haproxy_static_files).
options:
  _input:
    description: The value of C(haproxy_static_files).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the sources
  ansible.builtin.debug:
    msg: "{{ haproxy_static_files | lbforge.haproxy.static_sources }}"
"""

RETURN = r"""
_value:
  description: The values of C(src).
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.static_files import sources


def static_sources(files: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    return sources(files)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"static_sources": static_sources}
