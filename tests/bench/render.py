# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate, model and render so many services in a process of its own; print seconds of its thread and megabytes.

render.py SERVICES SERVERS
"""

from __future__ import annotations

import json
import pathlib
import resource
import sys
import time
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from services import services

from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_model import haproxy_model

TEMPLATE = pathlib.Path(__file__).parents[2] / "roles" / "haproxy_server" / "templates" / "haproxy.cfg.j2"
SETTINGS = {"external_lb_vip_address": "203.0.113.10", "internal_lb_vip_address": "203.0.113.11"}


def rendered(wanted: list[dict[str, t.Any]]) -> str:
    """The configuration of services, as the role writes it."""
    variables = {"haproxy": haproxy_model(wanted, settings=SETTINGS), "ansible_managed": "Ansible managed"}
    return str(Templar(loader=DataLoader(), variables=variables).template(trust_as_template(TEMPLATE.read_text())))


def main() -> None:
    number, servers = (int(argument) for argument in sys.argv[1:])
    wanted = services(number, servers)
    started = time.process_time()
    text = rendered(wanted)
    seconds = time.process_time() - started
    # Nothing less than everything counts.
    assert text.count(" server ") >= number * servers
    print(json.dumps({"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
