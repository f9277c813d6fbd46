# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: playbook_mistakes
short_description: The mistakes in the variables of a playbook
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Compares the variables whose names begin with that of a playbook of this collection with its specification in the
    file C(playbooks/meta/argument_specs.yml), which lists the known variables, their types, and the required ones.
options:
  _input:
    description: The name of the playbook, such as V(haproxy_drain).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check the variables of the playbook
  ansible.builtin.assert:
    that: mistakes | length == 0
    fail_msg: "{{ mistakes | join(' ') }}"
  vars:
    mistakes: "{{ 'haproxy_drain' | lbforge.haproxy.playbook_mistakes }}"
"""

RETURN = r"""
_value:
  description: A sentence for each mistake; empty if there are none.
  type: list
  elements: str
"""

import typing as t
from functools import partial

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja2 import pass_context
from jinja2.runtime import Context

from ansible_collections.lbforge.haproxy.plugins.filter.mark_undefined import resolved_or_mark
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.specifications import facts, specifications
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean


@pass_context
def playbook_mistakes(context: Context, playbook: str) -> list[str]:
    options = specifications("playbooks")[playbook]
    names = {name for name in context.get_all() if name.startswith(f"{playbook}_")}
    names -= set(facts(playbook))
    # Commands of a drill use variables that are defined only during it, so unresolved ones are marked.
    given = {name: resolved_or_mark(partial(context.resolve, name)) for name in sorted(names & options.keys())}
    return [
        *(
            f"{name} is not a variable of {playbook}. {did_you_mean(name, options)}".strip()
            for name in sorted(names - options.keys())
        ),
        *(f"{message.rstrip('.')}." for message in ArgumentSpecValidator(options).validate(given).error_messages),
    ]


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"playbook_mistakes": playbook_mistakes}
