# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_lines
short_description: Rehearsals as lines of text
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Lays out the results of M(lbforge.haproxy.haproxy_rehearsal) for several load balancers. Lines that are the same for
    several of them are shown once.
options:
  _input:
    description: The results of the module, by the names of the load balancers.
    type: dict
    required: true
  show:
    description:
      - V(verdicts) shows whether each expectation is met; V(ways) shows the response to each request and the way that
        the request took; V(differences) shows which requests get another response than before;
        V(untold) shows what learned expectations do not tell.
    type: str
    choices: [verdicts, ways, differences, untold]
    default: verdicts
"""

EXAMPLES = r"""
- name: Show what came of each expectation
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: rehearsal} | lbforge.haproxy.rehearsal_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.comparison import Difference, lines
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import of_hosts, ways

SAME = "Every request gets the same response as before."


def rehearsal_lines(rehearsals: t.Mapping[str, t.Mapping[str, t.Any]], show: str = "verdicts") -> list[str]:
    if show == "verdicts":
        return of_hosts({name: rehearsal["lines"] for name, rehearsal in rehearsals.items()})
    if show == "ways":
        return of_hosts({name: ways(rehearsal["results"]) for name, rehearsal in rehearsals.items()})
    if show == "differences":
        told = {name: rehearsal["differences"] for name, rehearsal in rehearsals.items()}
        return of_hosts({name: lines(Difference(**one) for one in found) or [SAME] for name, found in told.items()})
    if show == "untold":
        return of_hosts({name: rehearsal["untold"] for name, rehearsal in rehearsals.items()})
    raise AnsibleFilterError(
        f"rehearsal_lines: {show!r} is not a valid value for show; use verdicts, ways, differences or untold."
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rehearsal_lines": rehearsal_lines}
