# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: loaded_bundles
short_description: The certificates that HAProxy has loaded
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Selects the certificates that the running HAProxy has loaded, so that they can be replaced at run time. Those that
    an
    ACME server renews are left out.
positional: running, directory
options:
  _input:
    description: What P(lbforge.haproxy.certificate_bundles#filter) returns.
    type: list
    elements: dict
    required: true
  running:
    description: The result of M(lbforge.haproxy.haproxy_info) with C(certificates) and C(ca_files).
    type: dict
    required: true
  directory:
    description: Where the certificates are on the node.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Replace the certificates of the running HAProxy
  lbforge.haproxy.haproxy_certificate:
    certificates: "{{ (bundles | lbforge.haproxy.loaded_bundles(running, '/etc/haproxy/ssl')).certificates }}"
"""

RETURN = r"""
_value:
  description: The certificates to replace. They contain private keys.
  type: dict
  contains:
    certificates:
      description: Certificates, as M(lbforge.haproxy.haproxy_certificate) takes them.
      type: list
      elements: dict
    client_files:
      description: Authorities of clients and their revocation lists, as M(lbforge.haproxy.node_files) takes them.
      type: list
      elements: dict
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.bundles import loaded


def loaded_bundles(
    bundles: t.Sequence[t.Mapping[str, t.Any]], running: t.Mapping[str, t.Any], directory: str
) -> dict[str, list[dict[str, t.Any]]]:
    return loaded(bundles, running, directory)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"loaded_bundles": loaded_bundles}
