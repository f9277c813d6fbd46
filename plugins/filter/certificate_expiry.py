# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_expiry
short_description: The validity of the certificates of all load balancers
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Merges the results of M(lbforge.haproxy.haproxy_info) of several hosts. A certificate on several hosts is listed
    once.
positional: _input
options:
  _input:
    description:
      - The results of M(lbforge.haproxy.haproxy_info) by host, with C(certificates) and, for their revocation lists,
        C(ca_files).
    type: dict
    required: true
  authorities:
    description: The C(authorities) of M(lbforge.haproxy.pki_certificates).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Fail if a certificate expires within two weeks
  ansible.builtin.assert:
    that: soon | length == 0
    fail_msg: "{{ soon | map(attribute='sentence') | join(', ') }}"
  vars:
    soon: >-
      {{ {inventory_hostname: found} | lbforge.haproxy.certificate_expiry | selectattr('days', 'lt', 14) }}
"""

RETURN = r"""
_value:
  description:
    - The certificates, the first to expire first. Each has C(days) (whole days, negative after its expiry), C(name)
      (its
      path, or the name of the authority), C(hosts), C(names) and C(sentence).
  type: list
  elements: dict
"""

import dataclasses
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.expiry import expiries


def certificate_expiry(
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    authorities: t.Sequence[t.Mapping[str, t.Any]] = (),
) -> list[dict[str, t.Any]]:
    return [
        {**dataclasses.asdict(each), "sentence": each.sentence} for each in expiries(hosts, authorities, time.time())
    ]


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_expiry": certificate_expiry}
