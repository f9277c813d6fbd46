# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stick tables that outlive a worker and a load balancer: HAProxy's peers teach each other what they learn."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind, endpoint
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

Data = dict[str, t.Any]

SECTION = "load-balancers"
LOOPBACK = "127.0.0.1"
TABLE = re.compile(r"stick-table\s")
SHARED_TABLE = re.compile(r"stick-table\s.*\speers\s")


def has_tables(services: t.Iterable[Service], settings: Settings) -> bool:
    """Whether anything could be shared."""
    found = [*settings.frontend_extra_raw, *settings.frontend_redirect_extra_raw]
    for section in settings.extra_sections:
        found += section.lines
    for service in services:
        found += service.stick_table if service.stick_table_enabled else ()
        for lines in (service.backend_arguments, service.frontend_raw, service.maps):
            found += lines or ()
    return any(TABLE.match(line) for line in found)


def are_used(services: t.Iterable[Service], settings: Settings) -> bool:
    return bool(settings.peers) and has_tables(services, settings)


def with_peers(lines: list[str], settings: Settings) -> list[str]:
    """The lines with every stick table shared; what somebody shares in their own way stays so."""
    if not settings.peers:
        return lines
    return [f"{line} peers {SECTION}" if TABLE.match(line) and not SHARED_TABLE.match(line) else line for line in lines]


def unknown(settings: Settings) -> list[str]:
    """The load balancers whose address is not known. A name will not do: HAProxy does not start with an unknown one."""
    return [name for name, address in settings.peers.items() if not is_ip(address)]


def own_bind(settings: Settings) -> Bind:
    """Where this load balancer listens for the others, or at least its old worker for the new one."""
    address = settings.peers.get(settings.inventory_hostname, LOOPBACK)
    return Bind.of_address(address if is_ip(address) else LOOPBACK, settings.peers_port)


def section(services: t.Iterable[Service], settings: Settings) -> Data:
    """The section of peers: its name, this load balancer's own and all of them; empty without a table to share."""
    if not are_used(services, settings):
        return {}
    own, port, missing = settings.inventory_hostname, settings.peers_port, unknown(settings)
    members = {
        name: str(own_bind(settings)) if name == own else endpoint(address, port)
        for name, address in settings.peers.items()
        if name == own or name not in missing
    }
    return {"name": SECTION, "local": own, "members": members}
