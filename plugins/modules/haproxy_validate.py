#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_validate
short_description: Check service dicts before any load balancer is touched
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads service dicts and the settings they depend on, and reports every mistake of all of them at once, each with its
    place, its value, the reason and the remedy.
  - Valid but questionable input gives a warning, and never fails.
  - It runs on the controller, whichever host the task is for. It writes nothing, contacts no host, and reads only the
    files that C(haproxy_network_lists) names, where M(ansible.builtin.copy) would look for them.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
options:
  services:
    description:
      - The service dicts, as in the variable C(haproxy_service_configs) of the role haproxy_server.
      - Flat dictionaries and the older form with a C(service) key are accepted.
    type: raw
    default: []
  extra_services:
    description: More service dicts, as in the variable C(haproxy_extra_services).
    type: raw
    default: []
  settings:
    description:
      - Variables of the role that services depend on, by their names, such as C(haproxy_maxconn).
      - Missing ones have the role's default. C(haproxy_stats_password) has its own option.
      - C(haproxy_network_lists), ranges and wildcards of networks need the Python package netaddr on the controller.
    type: dict
    default: {}
  stats_password:
    description: The variable C(haproxy_stats_password).
    type: str
  secrets:
    description:
      - Values within the services and settings that must not be shown in a result or a log.
      - Values after C(stats auth), C(password) and the name of the header C(Authorization) are always masked.
    type: list
    elements: str
    default: []
  hosts:
    description: Addresses of the inventory's hosts by their names, for backend nodes that are only a name.
    type: dict
    default: {}
  variable_names:
    description: Names of set variables, to find obsolete ones and typing errors.
    type: list
    elements: str
    default: []
  known_variables:
    description: Names of variables that something reads.
    type: list
    elements: str
    default: []
  keepalived:
    description:
      - Variables of the role keepalived that define the addresses it moves, by their names, such as
        C(haproxy_keepalived_external_vip_cidr), C(keepalived_vips) or C(keepalived_instances).
        P(lbforge.haproxy.keepalived_variables#filter) reads them.
      - They are compared with what HAProxy binds. An address that HAProxy binds and no instance carries, or the
        reverse, is a mistake if it is certain.
      - Without it nothing is compared, for example if another program moves the VIPs.
    type: dict
  own_addresses:
    description: Addresses that stay on this load balancer, where O(keepalived) moves others.
    type: list
    elements: str
    default: []
  has_facts:
    description:
      - Whether O(own_addresses) is complete, from the facts of the load balancer.
      - Otherwise an address that HAProxy binds is rejected only if it is a VIP of several load balancers.
    type: bool
    default: false
  addresses_elsewhere:
    description: The VIPs of other load balancers in the inventory.
    type: list
    elements: raw
    default: []
  template:
    description:
      - Template of the configuration, searched where the templates of the role or playbook are. It gets the value
        of P(lbforge.haproxy.haproxy_model#filter) as C(haproxy), and C(ansible_managed).
      - The result then holds the password of the statistics page, so Ansible shows only its mistakes and warnings.
    type: str
seealso:
  - plugin: lbforge.haproxy.host_addresses
    plugin_type: filter
  - plugin: lbforge.haproxy.haproxy_model
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check services in a pipeline
  lbforge.haproxy.haproxy_validate:
    services: "{{ haproxy_service_configs }}"
    hosts: "{{ haproxy_service_configs | lbforge.haproxy.host_addresses(hostvars) }}"
    settings:
      external_lb_vip_address: 203.0.113.10
      internal_lb_vip_address: 10.0.0.10
"""

RETURN = r"""
services:
  description:
    - The services that this load balancer gets, in their normal form with all defaults. Passwords are masked.
  returned: success without O(template)
  type: list
  elements: dict
user_certificates:
  description: The user's own certificates of VIPs, as M(lbforge.haproxy.pki_certificates) takes them.
  returned: success
  type: list
  elements: dict
configuration:
  description: The configuration, rendered with O(template).
  returned: success and O(template)
  type: str
model:
  description:
    - The rest of the model for RV(configuration), as the value of P(lbforge.haproxy.haproxy_model#filter) without its
      sections and
      settings.
  returned: success and O(template)
  type: dict
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: haproxy_service_configs[3].haproxy_port
    name:
      description: Name of the item there, such as a service, a server or a certificate; empty if it has none.
      type: str
    value:
      description: The value there; empty without one, hidden for secrets.
      type: str
    why:
      description: The reason.
      type: str
    hint:
      description: What to do; empty if that is clear.
      type: str
    also:
      description: Names of more services with the same warning; empty for mistakes.
      type: list
      elements: str
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description: Warnings about valid but questionable input. Ansible also shows each C(text).
  returned: always
  type: list
  elements: dict
  contains: *problem
"""
