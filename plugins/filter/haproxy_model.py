# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: haproxy_model
short_description: Turn service dicts into the model of a configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Checks service dicts as M(lbforge.haproxy.haproxy_validate) does, and turns them into the model that the template
    of the role P(lbforge.haproxy.haproxy_server#role) lays out as C(haproxy.cfg).
  - Equal input gives an equal model.
options:
  _input:
    description: Service dicts, as in C(haproxy_service_configs).
    type: list
    elements: dict
    required: true
  extra_services:
    description: More service dicts, as in C(haproxy_extra_services).
    type: list
    elements: dict
    default: []
  settings:
    description: Variables of the role, by their names.
    type: dict
    default: {}
  hosts:
    description: Addresses of inventory hosts, as from P(lbforge.haproxy.host_addresses#filter).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: See which certificates the services need
  ansible.builtin.debug:
    msg: "{{ (haproxy_service_configs | lbforge.haproxy.haproxy_model).certificates }}"
"""

RETURN = r"""
_value:
  description: The model.
  type: dict
  contains:
    settings:
      description: The settings with their defaults.
      type: dict
    log:
      description: Target of the global C(log) line.
      type: str
    tuning:
      description: Further keywords of the global section.
      type: dict
    handshake_timeout:
      description: How long TLS and the PROXY header may take; empty if HAProxy is too old for the setting.
      type: str
    stats:
      description: Bind and credentials of the statistics page. It holds a secret.
      type: dict
    peers:
      description: Load balancers that share stick tables, with name, local and members; empty without stick tables.
      type: dict
    frontends:
      description: Frontends with their name, mode, service, binds, lines and default backend.
      type: list
      elements: dict
    side_backends:
      description:
        - Backends beside those of the services, each with name and lines, between the frontends of a port that takes
          TLS and plain, and with the tables in which connections of one source are counted.
      type: list
      elements: dict
    backends:
      description: Backends with their name, mode, service, lines and servers.
      type: list
      elements: dict
    extra_sections:
      description: Sections of C(haproxy_extra_sections), each with heading and lines, in the order of the file.
      type: list
      elements: dict
    maps:
      description: Text of each map by its file name.
      type: dict
    network_lists:
      description:
        - Text of each list of C(haproxy_network_lists) that a section reads, by its file name. Only
          M(lbforge.haproxy.haproxy_validate) reads the files of lists.
      type: dict
    certificates:
      description: Certificates that binds need, each with name, cn and san (dns and ip).
      type: list
      elements: dict
    acme_certificates:
      description: Certificates that an ACME server renews, each with name, domains and files (names in the store).
      type: list
      elements: dict
    expectations:
      description: Expectations of C(haproxy_expectations) and of services, in lists by the places where they stand.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import build
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError


def haproxy_model(
    services: t.Any,
    extra_services: t.Any = (),
    settings: t.Mapping[str, t.Any] | None = None,
    hosts: t.Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    sources = {"haproxy_service_configs": services, "haproxy_extra_services": extra_services}
    try:
        return build(check(sources, settings or {}, hosts or {}).or_raise()).as_dict()
    except LbforgeError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter haproxy_model."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"haproxy_model": haproxy_model}
