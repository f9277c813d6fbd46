# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From checked services to what the template lays out: frontends, backends, maps, certificates.

Keys with a line of their own need nothing here: each section carries its service, and the template
prints them. What is decided here is what depends on more than one key.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    binds,
    certificates,
    check_requests,
    checks,
    clients,
    extra_sections,
    lines,
    network_lists,
    peers,
    servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.frontends import (
    frontends_of,
    shown_certificates,
    side_backends_of,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE, SERVICE_DEFAULTS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sections import (
    Backend,
    Frontend,
    Section,
    SectionText,
    SideBackend,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTING_DEFAULTS, SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import Checked, version_tuple
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import addresses_of_names

Data = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Model:
    """All that a load balancer's configuration is made of."""

    settings: Settings
    log: str
    tuning: dict[str, str]
    handshake_timeout: str
    stats: Data
    peers: Data
    frontends: list[Frontend]
    side_backends: list[SideBackend]
    backends: list[Backend]
    extra_sections: list[SectionText]
    maps: dict[str, str]
    network_lists: dict[str, str]
    crt_lists: dict[str, str]
    certificates: list[Data]
    user_certificates: list[Data]
    acme_certificates: list[Data]
    client_authorities: list[str]
    expectations: dict[str, list[Data]]
    addresses: dict[str, str]

    def as_dict(self) -> Data:
        """All of it as plain data with the users' names of keys, for the template and for Ansible."""
        # Not dataclasses.asdict: it would copy every service once more for each of its sections.
        sections: list[Section] = [*self.frontends, *self.backends]
        services = {id(section.service): section.service for section in sections}
        plain = {number: plain_service(service) for number, service in services.items()}
        settings = {**SETTING_DEFAULTS, **SETTINGS.plain(self.settings)}
        # The template lays out binds, not VIPs.
        del settings["haproxy_vips"]
        return {
            **vars(self),
            "settings": settings,
            "frontends": [{**vars(one), "service": plain[id(one.service)]} for one in self.frontends],
            "side_backends": [vars(one) for one in self.side_backends],
            "backends": [{**vars(one), "service": plain[id(one.service)]} for one in self.backends],
            "extra_sections": [vars(one) for one in self.extra_sections],
        }

    def without_sections(self) -> Data:
        """What is needed beside the configuration: files, certificates and secrets of it."""
        sections = ("settings", "tuning", "peers", "frontends", "side_backends", "backends", "extra_sections")
        return {name: value for name, value in vars(self).items() if name not in sections}


def plain_service(service: Service) -> Data:
    """A service as a dictionary of all its keys."""
    return {**SERVICE_DEFAULTS, **SERVICE.plain(service)}


def build(checked: Checked) -> Model:
    """The model of checked services; equal input gives an equal model."""
    settings, services = checked.settings, checked.services
    certbots = {service.service_name for service in services if binds.is_certbot(service, settings)}
    frontends = [one for service in services for one in frontends_of(service, settings, certbots)]
    backends = [backend(service, settings) for service in services if service.has_backend]
    sections = extra_sections.sections(settings)
    own: list[Section] = [*frontends, *backends]
    return Model(
        settings=settings,
        log=log_target(settings.log_socket),
        tuning=tuning(settings.tuning_params),
        handshake_timeout=handshake_timeout(settings),
        stats=stats(settings),
        peers=peers.section(services, settings),
        frontends=frontends,
        side_backends=[one for service in services for one in side_backends_of(service)],
        backends=backends,
        extra_sections=sections,
        maps=maps(services),
        network_lists=listed_networks([one.lines for one in own] + [one.lines for one in sections], settings),
        crt_lists=certificates.crt_lists(services, settings),
        certificates=certificates.certificates(services, settings),
        user_certificates=certificates.user_certificates(services, settings),
        acme_certificates=certificates.acme_certificates(settings),
        client_authorities=certificates.client_authorities(services),
        expectations=checked.expectations,
        addresses=addresses_of_names(settings.vips),
    )


# Backends


def backend(service: Service, settings: Settings) -> Backend:
    mode = service.balance_type
    raw = [*stick_lines(service, settings), *(service.backend_arguments or ())]
    ordered = lines.in_evaluation_order(check_requests.spelled_out([*option_lines(service), *raw]))
    shared = peers.with_peers(ordered, settings)
    return Backend(f"{service.service_name}-back", mode, service, shared, servers.section_lines(service, settings))


def stick_lines(service: Service, settings: Settings) -> list[str]:
    if not service.stick_table_enabled:
        return []
    if service.stick_table == settings.stick_table:
        return lines.for_mode(service.stick_table, service.balance_type)
    return list(service.stick_table)


def option_lines(service: Service) -> t.Iterator[str]:
    """Options and http checks; checks written anywhere get the option without which they do nothing."""
    mode = service.balance_type
    options = [option for option in service.backend_options or () if not lines.is_frontend_option(option)]
    is_added = mode == "http" and service.forwarded_for == "add"
    if is_added and not any(checks.first_word(option) == "forwardfor" for option in options):
        yield f"option forwardfor{clients.only_if_missing(service)}"
    if kind := checks.implied(service):
        yield f"option {kind}"
    yield from lines.for_mode((f"option {option}" for option in options), mode)
    yield from (f"http-check {check}" for check in service.backend_httpcheck_options or ())


# What is beside the sections


def log_target(target: str) -> str:
    """Where logs go; the journal reads priorities off standard output only in the short format."""
    return f"{target} format short" if target in ("stdout", "stderr") else quote(target)


def tuning(parameters: t.Mapping[str, str]) -> dict[str, str]:
    """Keywords of the global section; older documentation writes some of their dots as underscores."""
    return {"tune.maxrewrite": "1280", **{name.replace("_", "."): value for name, value in parameters.items()}}


def handshake_timeout(settings: Settings) -> str:
    """How long TLS and the PROXY header may take. Older versions know only the client's timeout for that."""
    known = version_tuple(settings.version) >= (3, 0)
    return str(settings.http_request_timeout) if known else ""


def stats(settings: Settings) -> Data:
    """The statistics page: where it listens and who may look."""
    bind = binds.stats_bind(settings)
    words = [str(bind)]
    if bind.tls:
        words += shown_certificates(
            settings.stats_ssl_cert_path, certificates.stats_certificate_vip(settings), settings
        )
        if settings.stats_ssl_client_cert_ca:
            words += ["verify", "required", "ca-file", quote(settings.stats_ssl_client_cert_ca)]
    user = f"{settings.username}:{settings.stats_password or ''}"
    return {"bind": " ".join(words), "auth": quote(user)}


def maps(services: t.Iterable[Service]) -> dict[str, str]:
    """The text of each map: entries of all services, by their order and the service's name."""
    parts: dict[str, list[tuple[str, str, list[str]]]] = {}
    for service in services:
        for entries in service.map_entries or ():
            present = parts.setdefault(f"{entries.name}.map", [])
            if entries.is_present:
                present.append((entries.order or "00", service.service_name, entries.entries or []))
    return {
        name: "".join(f"{line}\n" for _order, _service, entries in sorted(present) for line in entries)
        for name, present in sorted(parts.items())
    }


def listed_networks(sections: t.Iterable[list[str]], settings: Settings) -> dict[str, str]:
    """The text of each file of networks that a section reads, the user's raw lines included.

    HAProxy takes a change of them while it runs only if it has read them.
    """
    read = network_lists.referenced_lists(line for section in sections for line in section)
    texts = settings.network_lists
    return {network_lists.file_name(name): texts[name] for name in sorted(read & texts.keys())}
