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
  - It reads and writes nothing and contacts no host, so it can run on the controller.
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
seealso:
  - plugin: lbforge.haproxy.node_addresses
    plugin_type: filter
  - plugin: lbforge.haproxy.haproxy_model
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check services in a pipeline
  lbforge.haproxy.haproxy_validate:
    services: "{{ haproxy_service_configs }}"
    hosts: "{{ haproxy_service_configs | lbforge.haproxy.node_addresses(hostvars) }}"
    settings:
      external_lb_vip_address: 203.0.113.10
      internal_lb_vip_address: 10.0.0.10
  delegate_to: localhost
"""

RETURN = r"""
services:
  description: The services that this load balancer gets, in their normal form with all defaults, without passwords.
  returned: success
  type: list
  elements: dict
user_certificates:
  description: The certificates of the user's own that VIPs show, as M(lbforge.haproxy.pki_certificates) takes them.
  returned: success
  type: list
  elements: dict
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Where it stands.
      type: str
      sample: haproxy_service_configs[3].haproxy_port
    service:
      description: Name of the service; empty for a setting.
      type: str
      sample: web
    value:
      description: What stands there; empty where nothing does, hidden for secrets.
      type: str
      sample: "99999"
    why:
      description: Why it cannot be.
      type: str
      sample: is out of range for a port
    hint:
      description: What to do.
      type: str
      sample: Use 1 to 65535.
    text:
      description: All of it in one line.
      type: str
doubts:
  description: What is legal but doubtful; Ansible also shows these as warnings.
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data
from ansible_collections.lbforge.haproxy.plugins.module_utils.quiet import Quiet
from ansible_collections.lbforge.haproxy.plugins.module_utils.services.model import user_certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils.services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils.services.vips import Moved, Movement
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.carried import VIP_VARIABLES, carried


class QuietModule(Quiet, AnsibleModule):
    """A module whose arguments do not go to the log of the system: lines of services may hold passwords."""


def movement(params: dict[str, t.Any]) -> Movement | None:
    """What keepalived moves, in the words of services."""
    variables = params["keepalived"]
    if variables is None:
        return None
    addresses, mistakes = carried(variables)
    named = tuple(VIP_VARIABLES.values())
    elsewhere = [entry["address"] if isinstance(entry, dict) else entry for entry in params["addresses_elsewhere"]]
    return Movement(
        [Moved(str(one.address.ip), *one.spot[:2], one.spot.path.startswith(named)) for one in addresses],
        [(*spot[:2], why) for spot, why in mistakes],
        frozenset(params["own_addresses"]),
        params["has_facts"],
        frozenset(map(str, elsewhere)),
        not variables.get("keepalived_track_haproxy", True) or bool(variables.get("keepalived_virtual_servers")),
    )


def run(params: dict[str, t.Any]) -> dict[str, t.Any]:
    checked = check(
        {"haproxy_service_configs": params["services"], "haproxy_extra_services": params["extra_services"]},
        {**params["settings"], "haproxy_stats_password": params["stats_password"]},
        params["hosts"],
        params["variable_names"],
        params["known_variables"],
        params["secrets"],
        movement(params),
    ).or_raise()
    doubts = [problem.as_dict() for problem in checked.problems.warnings]
    return {
        "changed": False,
        "services": checked.services,
        "user_certificates": user_certificates(checked.services, checked.settings),
        "doubts": doubts,
    }


def main() -> t.NoReturn:
    module = QuietModule(
        argument_spec={
            "services": {"type": "raw", "default": []},
            "extra_services": {"type": "raw", "default": []},
            "settings": {"type": "dict", "default": {}},
            "stats_password": {"type": "str", "no_log": True},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "hosts": {"type": "dict", "default": {}},
            "variable_names": {"type": "list", "elements": "str", "default": []},
            "known_variables": {"type": "list", "elements": "str", "default": []},
            "keepalived": {"type": "dict"},
            "own_addresses": {"type": "list", "elements": "str", "default": []},
            "has_facts": {"type": "bool", "default": False},
            "addresses_elsewhere": {"type": "list", "elements": "raw", "default": []},
        },
        supports_check_mode=True,
    )
    secrets = module.params["secrets"]
    # Ansible returns the arguments with every result.
    invocation = {"module_args": {"hosts": module.params["hosts"]}}
    try:
        result = masked_data(run(module.params), secrets)
    except LbforgeError as error:
        details = masked_data(error.details, secrets)
        module.fail_json(msg=masked(str(error), secrets), invocation=invocation, **details)
    for doubt in result["doubts"]:
        module.warn(doubt["text"])
    module.exit_json(invocation=invocation, **result)


if __name__ == "__main__":
    main()
