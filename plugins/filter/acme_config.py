# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: acme_config
short_description: The configuration of haproxy-acme
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Makes the file C(/etc/haproxy-acme/config.json) of a load balancer from the variables C(haproxy_ssl_letsencrypt_*)
    of the role P(lbforge.haproxy.haproxy_server#role), as the task has them.
options:
  _input:
    description: The C(acme_certificates) that P(lbforge.haproxy.haproxy_model#filter) returns.
    type: list
    elements: dict
    required: true
  services:
    description: All services. Where C(haproxy_ssl_letsencrypt_service) is among them, certbot needs no hook before it.
    type: list
    elements: dict
    required: true
  external:
    description:
      - The external VIP, as P(lbforge.haproxy.vip_of_type#filter) returns it. With C(haproxy_use_keepalived) the holder
        of its address orders.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what certbot is called with
  ansible.builtin.debug:
    msg: >-
      {{ (model.acme_certificates
          | lbforge.haproxy.acme_config(services=haproxy_service_configs,
                                        external=haproxy_vips | lbforge.haproxy.vip_of_type('external'))).certbot }}
  vars:
    model: "{{ haproxy_service_configs | lbforge.haproxy.haproxy_model }}"
"""

RETURN = r"""
_value:
  description: The configuration.
  type: dict
  contains:
    node:
      description: The inventory name of this load balancer.
      type: str
    peers:
      description: Addresses by name of the load balancers that share certificates.
      type: dict
    peers_port:
      description: Port of SSH there.
      type: int
    vip:
      description: Whose holder orders; empty where it is the first load balancer that answers.
      type: str
    server:
      description: URL of the ACME directory.
      type: str
    key_type:
      description: V(ecdsa) or V(rsa).
      type: str
    renew_before:
      description: Seconds before a certificate expires that it is renewed; V(0) is a third of its lifetime.
      type: int
    certificates:
      description: What is to be ordered, each with C(name), C(domains) and C(files).
      type: list
      elements: dict
    certbot:
      description: The command line of certbot without what is said of one certificate.
      type: list
      elements: str
    certbot_extra:
      description: More words of it, as a shell reads them.
      type: str
    certbot_directory:
      description: The directory of certbot's configuration.
      type: str
    store:
      description: The directory where HAProxy has its certificates.
      type: str
    stats_socket:
      description: The socket of HAProxy.
      type: str
"""

import typing as t

from jinja2 import pass_context
from jinja2.runtime import Context

from ansible_collections.lbforge.haproxy.plugins.module_utils._inventory.acme import Data, config


@pass_context
def acme_config(
    context: Context, certificates: t.Sequence[Data], services: t.Sequence[t.Any], external: Data
) -> dict[str, t.Any]:
    return dict(vars(config(context.get, certificates, services, external)))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"acme_config": acme_config}
