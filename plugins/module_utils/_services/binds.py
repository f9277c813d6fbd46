# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses and ports a service listens on, and where TLS is spoken."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, ServiceBind, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind, local
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Vip


def service_binds(service: Service, settings: Settings) -> tuple[Bind, ...]:
    """The binds of a service's frontends; empty for one that is only a backend."""
    if service.backend_only:
        return ()
    if service.bind is not None:
        wanted = [(bound_vip(entry, settings.vips), entry.address, entry.options or ()) for entry in service.bind]
        first = wanted[0][0] if wanted else None
    else:
        wanted = [(vip, address, ()) for vip in settings.vips for address in vip.bound]
        first = next(iter(settings.tls_vips), None)
    return tuple(
        Bind(
            vip,
            address,
            # Without a port it is refused.
            service.port or 0,
            speaks_tls(service, vip, vip is first),
            (*(service.bind_options or ()), *options),
        )
        for vip, address, options in wanted
    )


def by_frontend(service: Service) -> list[tuple[Bind, ...]]:
    """The binds of each of a service's frontends."""
    if service.single_frontend:
        return [service.binds] if service.binds else []
    return [(bind,) for bind in service.binds]


def bound_vip(entry: ServiceBind, known: t.Sequence[Vip]) -> Vip:
    """The VIP of an entry of C(haproxy_bind), or what stands for an address that only one service listens on."""
    interface = entry.interface or ""
    same = [vip for vip in known if entry.address in vip.bound]
    for vip in same:
        if vip.bind_interface == interface:
            return vip
    return local(
        entry.address,
        interface,
        type=entry.type or "external",
        names=tuple(entry.pki_san_records or ()),
        certificate=entry.certificate,
        tls=same[0].tls if same else None,
    )


def speaks_tls(service: Service, vip: Vip, is_first: bool) -> bool:
    """The first VIP counts as external and takes TLS; the others when they, or the service, ask for it."""
    if not service.ssl:
        return False
    return is_first or bool(vip.tls) or (service.ssl_all_vips and vip.tls is not False)


def redirecting(service: Service, served: t.Iterable[Bind]) -> list[Bind]:
    """The binds from which clients are sent to these: one beside each with TLS."""
    port = service.redirect_http_port
    return [dataclasses.replace(bind, port=port, tls=False) for bind in served if bind.tls] if port else []


def stats_bind(settings: Settings) -> Bind:
    return Bind.of_address(settings.stats_bind_address, settings.stats_port, tls=settings.stats_ssl)


def certbot_bind(address: str, settings: Settings) -> Bind:
    """Where certbot listens on an address."""
    return Bind.of_address(address, settings.ssl_letsencrypt_certbot_backend_port)


def is_certbot(service: Service, settings: Settings) -> bool:
    """Whether certbot is behind a service."""
    port = settings.ssl_letsencrypt_certbot_backend_port
    return any((node.backend_port or service.backend_port) == port for node in service.backend_nodes or ())
