#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vip_probe
short_description: Measure what clients of an address miss
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Opens a new connection to each address again and again, as clients do, and tells how many were answered, and when
    and for how long none was.
  - It runs until O(duration) is over or O(running_file) is removed. To have something happen meanwhile, run it with
    C(async) and C(poll=0), wait until O(running_file) exists, and collect the result with
    M(ansible.builtin.async_status).
  - Run it where clients are, such as on the controller, and not on a node that may hold the address.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details:
      - It probes in check mode too, because it changes nothing.
  diff_mode:
    support: none
options:
  addresses:
    description: The IP addresses or host names to probe, all at the same time.
    type: list
    elements: str
    required: true
  port:
    description: The TCP port.
    type: int
    required: true
  path:
    description:
      - If set, C(GET) with this path is sent over HTTP, and an answer counts if its status is below 500.
      - If not, it is enough that the connection is taken, which a HAProxy that hangs still does.
    type: str
    default: ""
  host:
    description: The C(Host) of the request; the address if empty.
    type: str
    default: ""
  interval:
    description: Seconds from one probe of an address to the next.
    type: float
    default: 0.02
  timeout:
    description:
      - Seconds after which a probe is lost. A connection whose first packet is lost needs a second more, so less than
        that measures outages, and V(2) what a patient client loses for good.
    type: float
    default: 0.25
  duration:
    description: Seconds after which the probing ends.
    type: float
    default: 60
  running_file:
    description:
      - A file that is made when the probing begins. It ends when somebody removes the file. It must not exist before.
    type: path
seealso:
  - module: lbforge.haproxy.keepalived_info
"""

EXAMPLES = r"""
- name: Start to probe
  lbforge.haproxy.vip_probe:
    addresses:
      - 192.0.2.10
    port: 80
    path: /
    running_file: /tmp/probing
    duration: 120
  async: 150
  poll: 0
  register: probing
  delegate_to: localhost

- name: Wait until it has begun
  ansible.builtin.wait_for:
    path: /tmp/probing
  delegate_to: localhost

- name: Do what nobody should notice
  ansible.builtin.systemd_service:
    name: haproxy
    state: reloaded

- name: End it
  ansible.builtin.file:
    path: /tmp/probing
    state: absent
  delegate_to: localhost

- name: See what was lost
  ansible.builtin.async_status:
    jid: "{{ probing.ansible_job_id }}"
  register: probed
  until: probed is finished
  retries: 20
  delay: 1
  failed_when: probed.lost | default(1) > 0
  delegate_to: localhost
"""

RETURN = r"""
targets:
  description: The figures of each address, in the order of O(addresses).
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: The address.
      type: str
    port:
      description: The port.
      type: int
    sent:
      description: How many probes were sent.
      type: int
    answered:
      description: How many were answered in time.
      type: int
    lost:
      description: How many were not.
      type: int
    longest:
      description: The longest outage in seconds, V(0) without any.
      type: float
    outages:
      description: Each from the first probe that was lost to the first one that was answered again.
      type: list
      elements: dict
      contains:
        start:
          description: When it began, in seconds since 1970.
          type: float
        seconds:
          description: How long it lasted.
          type: float
        lost:
          description: How many probes were lost.
          type: int
sent:
  description: How many probes were sent to all addresses.
  type: int
  returned: success
lost:
  description: How many of them were not answered in time.
  type: int
  returned: success
longest:
  description: The longest outage of any address in seconds.
  type: float
  returned: success
lag:
  description:
    - How many seconds the prober itself was ever late. With more than the outages are long, the machine was too busy to
      tell anything.
  type: float
  returned: success
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: interval
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

import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.outages import summary
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.prober import Prober, Target
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown


def mistakes(params: dict[str, t.Any], targets: list[Target]) -> list[Problem]:
    """Every mistake in the options."""
    found = [
        Problem(name, shown(params[name]), f"{name} must be more than 0")
        for name in ("interval", "timeout", "duration")
        if params[name] <= 0
    ]
    return found + (targets[0].mistakes() if targets else [Problem("addresses", "", "addresses is empty")])


def run(module: Module) -> dict[str, t.Any]:
    """Probe, and return the figures."""
    params = module.params
    targets = [Target(address, *(params[name] for name in ("port", "path", "host"))) for address in params["addresses"]]
    if wrong := mistakes(params, targets):
        raise ProblemsError(wrong)
    running_file = Path(params["running_file"]) if params["running_file"] else None
    prober = Prober(targets, params["interval"], params["timeout"], params["duration"], running_file)
    end = prober.run()
    figures = [{"address": target.address, **summary(probes, end)} for target, probes in zip(targets, prober.probes)]
    return {
        "changed": False,
        "targets": figures,
        "sent": sum(one["sent"] for one in figures),
        "lost": sum(one["lost"] for one in figures),
        "longest": max((one["longest"] for one in figures), default=0.0),
        "lag": round(prober.lag, 3),
    }


def main() -> t.NoReturn:
    Module(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "interval": {"type": "float", "default": 0.02},
            "timeout": {"type": "float", "default": 0.25},
            "duration": {"type": "float", "default": 60},
            "running_file": {"type": "path"},
        },
    ).run(run)


if __name__ == "__main__":
    main()
