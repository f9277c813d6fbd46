# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: haproxy_settings
short_description: The settings of a load balancer, as its variables have them
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads every variable of the role P(lbforge.haproxy.haproxy_server#role) on which the configuration depends, for the
    option C(settings) of M(lbforge.haproxy.haproxy_validate). The password of the statistics page is not among them.
  - Each is resolved on its own, with marks as by P(lbforge.haproxy.mark_undefined#filter).
options:
  _input:
    description: Inventory names of all load balancers.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Validate the services
  lbforge.haproxy.haproxy_validate:
    services: "{{ haproxy_service_configs | lbforge.haproxy.mark_undefined }}"
    settings: "{{ groups['haproxy'] | lbforge.haproxy.haproxy_settings }}"
"""

RETURN = r"""
_value:
  description: The settings by their names.
  type: dict
"""

import typing as t

from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.utils import missing

from ansible_collections.lbforge.haproxy.plugins.filter.mark_undefined import resolved_or_mark
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import MISSING, collect


@pass_context
def haproxy_settings(context: Context, nodes: t.Sequence[str]) -> dict[str, t.Any]:
    def variable(name: str) -> t.Any:
        value = resolved_or_mark(lambda: context.resolve_or_missing(name))
        return MISSING if value is missing else value

    return collect(variable, list(nodes))


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"haproxy_settings": haproxy_settings}
