# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads services and settings as the user wrote them, and finds every mistake in them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import is_set
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, homes
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    binds,
    crosscheck,
    expected,
    extra_sections,
    network_lists,
    rules,
    rules_of_settings,
    undefined,
    variables,
    vips,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.crosscheck import Item
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import (
    Invalid,
    Place,
    Problems,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Node, Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import (
    SERVICE,
    SERVICE_DEFAULTS,
    SERVICE_FOLLOWS,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import (
    SETTING_DEFAULTS,
    SETTINGS,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import held
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import public_names
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import read as read_vips
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import duplicates
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

HOMES = homes({"a service": SERVICE, "the variables of the role": SETTINGS})

Data = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Checked:
    """Services and settings in their normal form, fit for the model."""

    services: list[Service]
    settings: Settings
    problems: Problems
    #: what this load balancer has to meet, by the places where it stands
    expectations: dict[str, list[Data]] = dataclasses.field(default_factory=dict)

    def or_raise(self) -> Checked:
        if self.problems.errors:
            raise Invalid(self.problems)
        return self


def check(
    sources: t.Mapping[str, t.Any],
    settings: t.Mapping[str, t.Any],
    hosts: t.Mapping[str, str],
    variable_names: t.Iterable[str] = (),
    known_variables: t.Collection[str] = (),
    secrets: t.Collection[str] = (),
    movement: vips.Movement | None = None,
    read_file: network_lists.ReadFile | None = None,
) -> Checked:
    """Every mistake of every service and setting.

    ``sources`` are lists of service dicts by the name of their variable, ``hosts`` the addresses of
    inventory hosts, ``variable_names`` what the user has set, ``known_variables`` what something reads,
    ``secrets`` what no message may show, ``movement`` the addresses that keepalived moves, if it does,
    ``read_file`` reads the files of network lists on the controller.
    """
    problems = Problems(secrets=secrets, homes=HOMES)
    place = Place(problems, "")
    values = read_all_settings(settings, place)
    variables.check(variable_names, known_variables, problems)
    lists = network_lists.resolve(values[network_lists.VARIABLE], read_file, place.key(network_lists.VARIABLE))
    read_settings: Settings = SETTINGS.made({**values, network_lists.VARIABLE: lists})
    rules_of_settings.check(read_settings, place)
    every = list(read_services(sources, read_settings, hosts, problems))
    network_lists.references(problems, lists)
    crosscheck.servers(every)
    for item in every:
        if item.service.is_enabled:
            rules.limit_hosts(item.service, item.place)
    crosscheck.load_balancers((item for item in every if item.service.is_enabled), read_settings)
    wanted = [item for item in every if is_wanted(item.service, read_settings)]
    crosscheck.names(wanted)
    for item in wanted:
        rules.check(item.service, item.place, read_settings)
    crosscheck.sockets(wanted, read_settings, problems)
    crosscheck.shared_tables(wanted, read_settings, problems)
    crosscheck.challenges(wanted, read_settings, problems)
    crosscheck.tracking(wanted)
    lines = list(crosscheck.raw_lines(wanted, read_settings, problems))
    crosscheck.references(wanted, {item.name: item for item in every}, lines)
    extra_sections.check(read_settings, place, {item.name for item in wanted})
    unwanted = (item for item in every if not is_wanted(item.service, read_settings))
    others = crosscheck.raw_lines(unwanted, None, problems)
    extra_sections.references(lines, (line for line, _place in others), read_settings, place)
    shared = expected.check(read_settings.expectations, every, place)
    listening = [item for item in every if item.service.is_enabled and item.service.is_served]
    vips.check(listening, read_settings, movement, problems)
    if not every:
        # Only the nodes know whether they serve: haproxy_config refuses to empty those that do.
        Place(problems, "haproxy_service_configs").warn(
            None, "is empty, so the load balancers will serve no client", "Check that Ansible reads your group_vars."
        )
    problems.sort()
    expectations = expected.by_places(shared, wanted)
    return Checked([item.service for item in wanted], read_settings, problems, expectations)


def read_all_settings(settings: t.Mapping[str, t.Any], place: Place) -> Data:
    """The settings with their defaults, and the VIPs that they say.

    A wrong one falls back to its default so that checking goes on.
    """
    read, _is_whole = SETTINGS.read_keys(undefined.resolved(without_unknown_interfaces(settings), place), place)
    whole = {**SETTING_DEFAULTS, **read}
    check_versions(read, SETTINGS.keys, place, whole["haproxy_version"])
    if read.get("haproxy_vips"):
        found, mistakes = read_vips(read, needs_prefix=False)
        mistakes += duplicates(found)
        whole = {**whole, **public_names(found), **read}
    else:
        found, mistakes = read_vips(whole)
    for mistake in mistakes:
        place.problems.add_error(mistake)
    return {**whole, "haproxy_vips": found}


def without_unknown_interfaces(settings: t.Mapping[str, t.Any]) -> Data:
    """The settings; an interface of VIPs that only facts can tell is keepalived's, whose role asks again with facts."""
    vips = settings.get("haproxy_vips")
    if not isinstance(vips, (list, tuple)):
        return dict(settings)
    known = [
        {key: value for key, value in vip.items() if key != "interface" or not undefined.is_marked(value)}
        if isinstance(vip, dict)
        else vip
        for vip in vips
    ]
    return {**settings, "haproxy_vips": known}


def read_services(
    sources: t.Mapping[str, t.Any],
    settings: Settings,
    hosts: t.Mapping[str, str],
    problems: Problems,
) -> t.Iterator[Item]:
    for variable, services in sources.items():
        place = Place(problems, variable)
        if undefined.is_marked(services):
            undefined.resolved(services, place)
        elif isinstance(services, (list, tuple)):
            for index, given in enumerate(services):
                yield from read_item(unwrapped(given), place.item(index), settings, hosts)
        elif is_set(services):
            place.wrong(services, "is not a list", "Write a list of service dictionaries.")


def read_item(given: t.Any, place: Place, settings: Settings, hosts: t.Mapping[str, str]) -> t.Iterator[Item]:
    name = given.get("haproxy_service_name") if isinstance(given, dict) else ""
    place = place.named(str(name) if isinstance(name, (str, int)) else "")
    service = undefined.resolved(given, place)
    if isinstance(service, dict):
        yield read_service(service, place, settings, hosts)
    else:
        place.wrong(service, "is not a service", "Write a dictionary of the keys of a service.")


def read_service(given: Data, place: Place, settings: Settings, hosts: t.Mapping[str, str]) -> Item:
    """One service in its normal form: aliases resolved, defaults filled in, nodes with addresses."""
    read, is_whole = SERVICE.read_keys(given, place)
    check_versions(read, SERVICE.keys, place, settings.version)
    followed = {key: held(settings, setting) for key, setting in SERVICE_FOLLOWS.items()}
    service: Service = SERVICE.made({**SERVICE_DEFAULTS, "haproxy_service_name": place.name, **followed, **read})
    service = dataclasses.replace(
        service,
        backend_nodes=resolved(service, service.backend_nodes, place.key("haproxy_backend_nodes"), hosts),
        backup_nodes=resolved(service, service.backup_nodes, place.key("haproxy_backup_nodes"), hosts),
        backend_port=service.backend_port or service.port,
        binds=binds.service_binds(service, settings),
    )
    switched_off = frozenset(key for key, value in read.items() if value is False)
    return Item(dataclasses.replace(place, switched_off=switched_off), service, is_whole)


def unwrapped(given: t.Any) -> t.Any:
    """The dictionary inside the older form `- service: {…}`."""
    if isinstance(given, dict) and set(given) == {"service"}:
        return given["service"]
    return given


def resolved(service: Service, nodes: list[Node] | None, place: Place, hosts: t.Mapping[str, str]) -> list[Node] | None:
    """The nodes, each with an address; names come from the inventory.

    Not given at all stays None: a service may have been written to have no servers. Those of a service that is switched
    off may have left the inventory.
    """
    if nodes is None or not service.is_enabled:
        return nodes
    result = []
    for index, node in enumerate(nodes):
        address = node.ip_addr or hosts.get(node.name)
        if not address and is_ip(node.name):
            address = node.name
        if not address:
            hint = did_you_mean(node.name, hosts) or "Add the host, or set name and ip_addr."
            place.item(index).wrong(node.name, "is not a host of the inventory", hint)
            address = "0.0.0.0"
        if not is_ip(address):
            place.item(index).warn(
                address,
                "is a DNS name, which HAProxy resolves only when it starts or reloads",
                "Use an address if you can.",
            )
        result.append(node if node.ip_addr == address else dataclasses.replace(node, ip_addr=address))
    return result


def check_versions(read: Data, keys: t.Iterable[Key], place: Place, version: str) -> None:
    target = version_tuple(version)
    for key in keys:
        is_asked = read.get(key.name, key.default) != key.default
        if key.since and is_asked and target < version_tuple(key.since):
            place.key(key.name).wrong(
                read[key.name],
                f"needs HAProxy {key.since}, and haproxy_version is {version}",
                "Remove it, or upgrade HAProxy and set haproxy_version.",
            )


def version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def is_wanted(service: Service, settings: Settings) -> bool:
    """Whether this load balancer has the service at all."""
    return service.is_enabled and (service.limit_hosts is None or settings.host in service.limit_hosts)
