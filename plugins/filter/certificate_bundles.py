# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_bundles
short_description: The certificates that go with a configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Builds the option C(certificates) of M(lbforge.haproxy.haproxy_config) from the facts of the role
    P(lbforge.haproxy.pki#role).
positional: acme, ca_files
options:
  _input:
    description: The fact C(pki_bundles).
    type: list
    elements: dict
    required: true
  acme:
    description:
      - C(acme_certificates) of the model. For those that an ACME server renews, the bundle is only the first one
        (C(bootstrap)).
    type: list
    elements: dict
    default: []
  ca_files:
    description: The fact C(pki_ca_files).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Apply a configuration with its certificates
  lbforge.haproxy.haproxy_config:
    files: "{{ files }}"
    certificates: "{{ pki_bundles | lbforge.haproxy.certificate_bundles(ca_files=pki_ca_files) }}"
"""

RETURN = r"""
_value:
  description: Certificates with C(name), C(content) and, where it is true, C(bootstrap). They contain private keys.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.bundles import with_release

Bundles = t.Sequence[t.Mapping[str, t.Any]]


def certificate_bundles(bundles: Bundles, acme: Bundles = (), ca_files: Bundles = ()) -> list[dict[str, t.Any]]:
    return with_release(bundles, ca_files, acme)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_bundles": certificate_bundles}
