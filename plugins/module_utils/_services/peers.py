# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stick tables that outlive a worker and a load balancer: HAProxy's peers teach each other what they learn."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import binds
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

Data = dict[str, t.Any]

SECTION = "load-balancers"
LOOPBACK = "127.0.0.1"
TABLE = re.compile(r"stick-table\s")
SHARED_TABLE = re.compile(r"stick-table\s.*\speers\s")
#: the keys of a service with raw lines that may hold a table of their own
RAW_LINES = ("haproxy_backend_arguments", "haproxy_frontend_raw", "haproxy_maps")


def has_tables(services: t.Iterable[Data], settings: Data) -> bool:
    """Whether anything could be shared."""
    found = [*settings["haproxy_frontend_extra_raw"], *settings["haproxy_frontend_redirect_extra_raw"]]
    for section in settings["haproxy_extra_sections"]:
        found += section["lines"]
    for service in services:
        found += service["haproxy_stick_table"] if service["haproxy_stick_table_enabled"] else ()
        for key in RAW_LINES:
            found += service[key] or ()
    return any(TABLE.match(line) for line in found)


def are_used(services: t.Iterable[Data], settings: Data) -> bool:
    return bool(settings["haproxy_peers"]) and has_tables(services, settings)


def with_peers(lines: list[str], settings: Data) -> list[str]:
    """The lines with every stick table shared; what somebody shares in their own way stays so."""
    if not settings["haproxy_peers"]:
        return lines
    return [f"{line} peers {SECTION}" if TABLE.match(line) and not SHARED_TABLE.match(line) else line for line in lines]


def unknown(settings: Data) -> list[str]:
    """The load balancers whose address is not known. A name will not do: HAProxy does not start with an unknown one."""
    return [name for name, address in settings["haproxy_peers"].items() if not is_ip(address)]


def own_bind(settings: Data) -> binds.Bind:
    """Where this load balancer listens for the others, or at least its old worker for the new one."""
    address = settings["haproxy_peers"].get(settings["inventory_hostname"], LOOPBACK)
    return binds.Bind.of_address(address if is_ip(address) else LOOPBACK, settings["haproxy_peers_port"])


def section(services: t.Iterable[Data], settings: Data) -> Data:
    """The section of peers: its name, this load balancer's own and all of them; empty without a table to share."""
    if not are_used(services, settings):
        return {}
    own, port, missing = settings["inventory_hostname"], settings["haproxy_peers_port"], unknown(settings)
    members = {
        name: str(own_bind(settings)) if name == own else binds.endpoint(address, port)
        for name, address in settings["haproxy_peers"].items()
        if name == own or name not in missing
    }
    return {"name": SECTION, "local": own, "members": members}
