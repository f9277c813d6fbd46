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
  - Reads service dicts and the settings they depend on, and reports every mistake of all of them at once.
    For each it says where it stands, what stands there, why it cannot, and what to do.
  - What is legal but doubtful becomes a warning and never fails.
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
      - Flat dictionaries and the older form with a C(service) key are taken.
    type: raw
    default: []
  extra_services:
    description: More service dicts, as in the variable C(haproxy_extra_services).
    type: raw
    default: []
  settings:
    description:
      - Variables of the role that services depend on, by their names, such as C(haproxy_maxconn).
      - What is left out has the role's default. C(haproxy_stats_password) has an option of its own.
      - C(haproxy_network_lists), ranges and wildcards of networks need the Python package netaddr on the controller.
    type: dict
    default: {}
  stats_password:
    description: The variable C(haproxy_stats_password).
    type: str
  secrets:
    description:
      - Values within the services and settings that must not be shown in a result or a log.
      - Values after C(stats auth), C(password) and the name of the header C(Authorization) are masked in any case.
    type: list
    elements: str
    default: []
  hosts:
    description: Addresses of the inventory's hosts by their names, for backend nodes that are only a name.
    type: dict
    default: {}
  variable_names:
    description: Names of variables that are set, to find those that nothing reads any more and slips of the pen.
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
      - Variables of the role keepalived that say which addresses it moves, by their names, such as
        C(haproxy_keepalived_external_vip_cidr), C(keepalived_vips) or C(keepalived_instances).
      - They are compared with what HAProxy binds. An address that HAProxy binds and no instance carries, or the other
        way round, is a mistake where it is certain.
      - Left out, nothing is compared, as where something else moves the VIPs.
    type: dict
  own_addresses:
    description: Addresses that stay on this load balancer, where O(keepalived) moves others.
    type: list
    elements: str
    default: []
  has_facts:
    description:
      - Whether O(own_addresses) are all there are, as the facts of the load balancer tell.
      - Otherwise an address that HAProxy binds is refused only if it is a VIP of several load balancers.
    type: bool
    default: false
  addresses_elsewhere:
    description: What the inventory says of VIPs for other load balancers.
    type: list
    elements: raw
    default: []
  template:
    description:
      - Template that lays a configuration out, found where the templates of the role or playbook are. It gets the value
        of P(lbforge.haproxy.haproxy_model#filter) as C(haproxy), and C(ansible_managed).
      - The result then holds the password of the statistics page, so Ansible shows nothing of it but mistakes and
        warnings.
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
  description: The certificates of the user's own that VIPs show, as M(lbforge.haproxy.pki_certificates) takes them.
  returned: success
  type: list
  elements: dict
configuration:
  description: The configuration, as O(template) lays it out.
  returned: success and O(template)
  type: str
model:
  description:
    - What goes with RV(configuration), as the value of P(lbforge.haproxy.haproxy_model#filter) without its sections and
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
      description: Where it stands; empty if no single value is to blame.
      type: str
      sample: haproxy_service_configs[3].haproxy_port
    name:
      description: Name of the item there, such as a service, a server or a certificate; empty if it has none.
      type: str
    value:
      description: What stands there; empty where nothing does, hidden for secrets.
      type: str
    why:
      description: Why it cannot be.
      type: str
    hint:
      description: What to do; empty if that is clear.
      type: str
    also:
      description: Names of more services of which the same is to be said; empty for mistakes.
      type: list
      elements: str
    text:
      description: All of it in one line, as in the message.
      type: str
warning_details:
  description: What is legal but doubtful. Ansible also shows each C(text) as a warning.
  returned: always
  type: list
  elements: dict
  contains: *problem
"""
