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


class QuietModule(Quiet, AnsibleModule):
    """A module whose arguments do not go to the log of the system: lines of services may hold passwords."""


def run(params: dict[str, t.Any]) -> dict[str, t.Any]:
    checked = check(
        {"haproxy_service_configs": params["services"], "haproxy_extra_services": params["extra_services"]},
        {**params["settings"], "haproxy_stats_password": params["stats_password"]},
        params["hosts"],
        params["variable_names"],
        params["known_variables"],
        params["secrets"],
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
