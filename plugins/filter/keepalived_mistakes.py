# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_mistakes
short_description: The mistakes in keepalived variables, for any host
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Checks C(keepalived_*) dictionaries as P(lbforge.haproxy.keepalived_model#filter) does, and lints the result by the
    rules of the file C(docs/keepalived-rules.md) of the collection, on the controller and without facts.
  - Rules about the host, such as missing interfaces, do not apply here; M(lbforge.haproxy.keepalived_config) applies
    them on the host.
options:
  _input:
    description: The instances, in the form of C(keepalived_instances).
    type: dict
    required: true
  variables:
    description: The other options of P(lbforge.haproxy.keepalived_model#filter), by their names.
    type: dict
    default: {}
  nodes:
    description: The instances of all nodes by host name.
    type: dict
    default: {}
  node:
    description: The name in O(nodes) of the host that the instances are for.
    type: str
    default: ""
  ignore_rules:
    description: The names of rules that do not apply.
    type: list
    elements: str
    default: []
  secrets:
    description: Values that must not appear in a mistake.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Fail before any host is touched
  ansible.builtin.assert:
    that: mistakes | length == 0
    fail_msg: "{{ mistakes | join(' ') }}"
  vars:
    mistakes: "{{ keepalived_instances | lbforge.haproxy.keepalived_mistakes }}"
"""

RETURN = r"""
_value:
  description: The errors; empty if there are none. Warnings are left out.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import errors, lint
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import Block, keepalived_model
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Host, subject_of


def keepalived_mistakes_filter(
    instances: dict[str, t.Any],
    variables: t.Mapping[str, t.Any] | None = None,
    nodes: t.Mapping[str, t.Any] | None = None,
    node: str = "",
    ignore_rules: t.Sequence[str] = (),
    secrets: t.Sequence[str] = (),
) -> list[str]:
    try:
        model = keepalived_model({**(variables or {}), "instances": instances})
    except VrrpError as error:
        return list(map(str, error.problems))
    text = "\n".join(line for block in model for line in lines_of(block))
    findings = lint(subject_of(text, nodes, node), Host(), text, ignore_rules, secrets)
    # There is no file yet for line numbers.
    return list(dict.fromkeys(f"{error.why} Instead: {error.hint} [{error.rule}]" for error in errors(findings)))


def lines_of(block: Block) -> t.Iterator[str]:
    inner = [*block.settings, *(line for part in block.blocks for line in lines_of(part))]
    yield from [f"{block.title} {{", *inner, "}"] if block.title else inner


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_mistakes": keepalived_mistakes_filter}
