# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: with_variables
short_description: A list with what variables of such names add to it
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Adds the entries of all variables whose names begin alike, so that groups of hosts can each have a part of a list. A
    variable that is no list is one entry, and one without a value is none.
positional: beginning
options:
  _input:
    description: The list.
    type: list
    required: true
  beginning:
    description: How the names begin, as a regular expression; an empty one adds nothing.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show all certificates
  ansible.builtin.debug:
    msg: "{{ pki_certificates | lbforge.haproxy.with_variables('pki_certificates_') }}"
  vars:
    pki_certificates: [{name: www, signed_by: Root}]
    pki_certificates_of_mail: [{name: mail, signed_by: Root}]
  # => [{"name": "www", "signed_by": "Root"}, {"name": "mail", "signed_by": "Root"}]
"""

RETURN = r"""
_value:
  description: The list and the entries of the variables.
  type: list
"""

import re
import typing as t

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def with_variables(context: Context, entries: t.Sequence[t.Any], beginning: str) -> list[t.Any]:
    found = list(entries)
    for name in [name for name in context.get_all() if re.search(f"^{beginning}", name)] if beginning else ():
        value = context[name]
        many = value if isinstance(value, (list, tuple)) else [value]
        found += [entry for entry in many if entry is not None]
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"with_variables": with_variables}
