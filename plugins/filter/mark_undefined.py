# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mark_undefined
short_description: Mark unresolved values in services or settings
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Resolves the templates within lists and dictionaries one by one, and puts a mark in the place of each that uses an
    undefined variable. M(lbforge.haproxy.haproxy_validate) reports the marks with their service and key.
  - Without it, Ansible stops at the first undefined variable and names the task instead of the service.
options:
  _input:
    description: Service dicts, or settings by their names.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Check services in a pipeline
  lbforge.haproxy.haproxy_validate:
    services: "{{ haproxy_service_configs | lbforge.haproxy.mark_undefined }}"
"""

RETURN = r"""
_value:
  description: The same data, with marks.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleError
from jinja2.exceptions import UndefinedError

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import mark


def mark_undefined(value: t.Any) -> t.Any:
    # Ansible resolves an item on access, so each is accessed on its own.
    if isinstance(value, t.Mapping):
        return {name: item_or_mark(value, name) for name in value}
    if isinstance(value, (list, tuple)):
        return [item_or_mark(value, index) for index in range(len(value))]
    return value


def item_or_mark(container: t.Any, key: t.Any) -> t.Any:
    return resolved_or_mark(lambda: container[key])


def resolved_or_mark(value: t.Callable[[], t.Any]) -> t.Any:
    """What ``value`` returns, with marks, or a mark in its place."""
    try:
        return mark_undefined(value())
    except (AnsibleError, UndefinedError) as error:
        why = str(error).removeprefix("A captured exception marker was tripped: ").rstrip(".")
        return mark("a variable in its template is undefined" if "UndefinedMarker" in why else why)


class FilterModule:
    """The filter mark_undefined."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mark_undefined": mark_undefined}
