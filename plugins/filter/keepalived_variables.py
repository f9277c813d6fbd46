# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_variables
short_description: The variables of keepalived by their names, in the form that other filters and modules take
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads variables of the role P(lbforge.haproxy.keepalived#role) as the task has them. One that is not defined is left
    out, as all are where the role is not loaded and the inventory does not set them. One that cannot be resolved is an
    error of what reads it, and of nothing else.
  - Named arguments are added to them, such as C(default_interface) for VIPs that name none.
options:
  _input:
    description:
      - V(file) are those that make up C(keepalived.conf) beside C(keepalived_instances), by their names without
        C(keepalived_), for P(lbforge.haproxy.keepalived_model#filter) and others.
      - V(vips) are those that say VIPs, for P(lbforge.haproxy.vrrp_instances#filter).
      - V(addresses) are all that say which addresses move, for the option C(keepalived) of
        M(lbforge.haproxy.haproxy_validate).
    type: str
    choices: [file, vips, addresses]
    required: true
"""

EXAMPLES = r"""
- name: Show the titles of all blocks
  ansible.builtin.debug:
    msg: >-
      {{ keepalived_instances | lbforge.haproxy.keepalived_model(**('file' | lbforge.haproxy.keepalived_variables))
         | map(attribute='title') }}
"""

RETURN = r"""
_value:
  description: The values by name.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.template import accept_lazy_markers
from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.utils import missing

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.variables import OF_ADDRESSES, OF_FILE, OF_VIPS

WHAT = {"file": OF_FILE, "vips": OF_VIPS, "addresses": OF_ADDRESSES}


@accept_lazy_markers
@pass_context
def keepalived_variables(context: Context, what: str, **others: t.Any) -> dict[str, t.Any]:
    if what not in WHAT:
        raise AnsibleFilterError(f"keepalived_variables: {what!r} is not a valid value; use {', '.join(WHAT)}.")
    found = {name: context.resolve_or_missing(variable) for name, variable in WHAT[what].items()}
    return {name: value for name, value in found.items() if value is not missing} | others


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_variables": keepalived_variables}
