# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of inventory hosts: of backend nodes, and of the load balancers themselves."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import unwrapped
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def node_addresses(services: t.Any, hostvars: HostVars) -> dict[str, str]:
    """Addresses of the inventory hosts that services name; malformed services name none."""
    names = dict.fromkeys(name for service in as_list(services) for name in node_names(unwrapped(service)))
    return {name: address(name, hostvars) for name in names if name in hostvars}


def node_names(service: t.Any) -> t.Iterator[str]:
    for key in ("haproxy_backend_nodes", "haproxy_backup_nodes"):
        nodes = service.get(key) if isinstance(service, dict) else None
        for node in as_list(nodes):
            if isinstance(node, dict) and not node.get("ip_addr"):
                node = node.get("name")
            if isinstance(node, str):
                yield node


def server_addresses(services: t.Any, hostvars: HostVars) -> list[str]:
    """Where the servers of all services are that are switched on; a name where there is no address."""
    # The variables of a host are dear, so each is asked once.
    found = dict.fromkeys(server for service in as_list(services) for server in _servers(unwrapped(service)))
    return list(dict.fromkeys(address(server, hostvars) if server in hostvars else server for server in found))


def _servers(service: t.Any) -> t.Iterator[str]:
    """The addresses, or else the names, of the nodes of a service."""
    if not isinstance(service, dict) or service.get("state") == "absent":
        return
    if str(service.get("haproxy_service_enabled", True)).lower() in ("false", "no", "off", "0"):
        return
    for key in ("haproxy_backend_nodes", "haproxy_backup_nodes"):
        for node in as_list(service.get(key)):
            yield str((node.get("ip_addr") or node.get("name")) if isinstance(node, dict) else node)


# What says to which VIPs a load balancer binds.
_BOUND = (
    "external_lb_vip_address",
    "internal_lb_vip_address",
    "haproxy_bind_external_lb_vip_address",
    "haproxy_bind_internal_lb_vip_address",
    "extra_lb_vip_addresses",
    "extra_lb_tls_vip_addresses",
    "haproxy_vip_binds",
    "haproxy_tls_vip_binds",
    "haproxy_vips",
)


def bound_vips(names: t.Iterable[str], hostvars: HostVars) -> list[str]:
    """The VIPs that the inventory has these load balancers bind."""
    return [vip for name in names for vip in plain_addresses([hostvars[name].get(variable) for variable in _BOUND])]


def plain_addresses(value: t.Any) -> list[str]:
    """The addresses in a value, however they are nested, without prefix lengths and what follows them.

    Of a dictionary it is the ``cidr`` or the ``address``.
    """
    if isinstance(value, dict):
        return plain_addresses(value.get("cidr") or value.get("address"))
    if isinstance(value, (list, tuple)):
        return [address for item in value for address in plain_addresses(item)]
    # As keepalived takes them: `192.0.2.10/24 dev eth0`.
    words = str(value or "").split()
    return [words[0].partition("/")[0]] if words else []


def as_list(value: t.Any) -> t.Sequence[t.Any]:
    """One thing or many, as a list; the validator says what is wrong with anything else."""
    if isinstance(value, (list, tuple)):
        return value
    return [value] if isinstance(value, (str, dict)) else []


def address(name: str, hostvars: HostVars) -> str:
    host = hostvars[name]
    return str(host.get("management_address") or host.get("ansible_host") or name)


def peer_addresses(names: t.Sequence[str], hostvars: HostVars) -> dict[str, str]:
    """Where each load balancer listens for the others. A lone one has nobody to listen for but its next worker."""
    if len(names) == 1:
        return {names[0]: "127.0.0.1"}
    return {name: own_address(name, hostvars) for name in names}


def own_address(name: str, hostvars: HostVars) -> str:
    """The inventory's address if the host has it, as far as facts tell: nobody can bind a floating or forwarded one."""
    facts = hostvars[name].get("ansible_facts") or {}
    wanted = address(name, hostvars)
    held = [*facts.get("all_ipv4_addresses", ()), *facts.get("all_ipv6_addresses", ())]
    if not held or (is_ip(wanted) and str(ipaddress.ip_address(wanted)) in held):
        return wanted
    defaults = (facts.get(kind, {}).get("address") for kind in ("default_ipv4", "default_ipv6"))
    return str(next(filter(None, defaults), held[0]))
