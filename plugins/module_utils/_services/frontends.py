# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frontends of a service: their binds, and their lines in the order HAProxy evaluates them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    binds,
    certificates,
    clients,
    lines,
    peers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Acl, Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sections import Frontend, SideBackend
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Vip

DEFAULT_REDIRECT = "https if !{ ssl_fc }"


def frontends_of(service: Service, settings: Settings, certbots: t.Collection[str]) -> t.Iterator[Frontend]:
    """All frontends of a service; ``certbots`` are the services that lead an ACME server to certbot."""
    for number, served in enumerate(binds.by_frontend(service), start=1):
        if redirecting := binds.redirecting(service, served):
            yield redirect_frontend(number, redirecting, service, settings, certbots)
        if tells_apart(service, served):
            yield from both_protocols(number, served[0], service, settings)
        else:
            yield plain_frontend(number, served, service, settings)


def side_backends_of(service: Service) -> t.Iterator[SideBackend]:
    """The backends that these frontends need beside those of services."""
    if clients.limits_sources(service):
        yield SideBackend(clients.sources(service), [clients.SOURCES_TABLE])
    for number, served in enumerate(binds.by_frontend(service), start=1):
        if tells_apart(service, served):
            yield from (relay(f"{service.service_name}-{kind}-front-{number}") for kind in ("tls", "plain"))


def tells_apart(service: Service, served: t.Sequence[Bind]) -> bool:
    """Whether a frontend has to look whether a client speaks TLS."""
    return service.accept_both_protocols and served[0].tls


def plain_frontend(number: int, served: t.Sequence[Bind], service: Service, settings: Settings) -> Frontend:
    name = f"{service.service_name}-front-{number}"
    return frontend(name, {bind: str(bind) for bind in served}, service, settings)


def frontend(name: str, served: t.Mapping[Bind, str], service: Service, settings: Settings) -> Frontend:
    """The frontend of these binds, each with the endpoint that it is given."""
    mode = service.balance_type
    own = [
        *(service.maps or ()),
        *(service.frontend_raw or ()),
        *lines.for_mode(settings.frontend_extra_raw, mode),
    ]
    ordered = lines.in_evaluation_order(
        [
            *clients.acls(service),
            *clients.admitted_connections(service, served),
            *clients.counted_connections(service, served),
            *(clients.forwarding_headers(service, served) if mode == "http" else ()),
            *(clients.admitted_requests(service) if clients.trusts(service) else ()),
            *acl_lines(service.acls, own_backend(service)),
            *own,
        ]
    )
    bind_lines = [bind_line(endpoint, bind, service, settings) for bind, endpoint in served.items()]
    shared = peers.with_peers(ordered, settings)
    return Frontend(name, mode, service, shared, bind_lines, default_backend(service, own))


def default_backend(service: Service, own: t.Iterable[str]) -> str:
    """The section that takes what nothing else took; HAProxy takes the last line, and a raw one is meant to win."""
    if any(line.split()[:1] == ["default_backend"] for line in own):
        return ""
    name = service.default_backend or own_backend(service)
    return f"{name}-back" if name else ""


def bind_line(endpoint: str, bind: Bind, service: Service, settings: Settings) -> str:
    words = [endpoint]
    if bind.tls:
        words += shown_certificates(service.ssl_path, bind.vip, settings)
        if service.ssl_certificates:
            words += ["crt-list", f"/etc/haproxy/{certificates.crt_list_name(service)}"]
        words += client_certificates(service, settings)
        if service.balance_type == "http":
            # Said even where it is not wanted: newer HAProxy offers h2 unless told otherwise.
            words += ["alpn", "h2,http/1.1" if service.frontend_h2 else "http/1.1"]
    return " ".join([*words, *bind.options])


def shown_certificates(path: str | None, vip: Vip, settings: Settings) -> list[str]:
    """What a bind shows: the certificate at a path, else those of its VIP."""
    paths = [path] if path else certificates.certificate_paths(vip, settings)
    return ["ssl", *(word for each in paths for word in ("crt", quote(each)))]


def client_certificates(service: Service, settings: Settings) -> list[str]:
    authority, revoked = certificates.client_ca_files(service, settings)
    if not authority:
        return []
    words = ["verify", service.ssl_client_verify, "ca-file", quote(authority)]
    return [*words, "crl-file", quote(revoked)] if revoked else words


def own_backend(service: Service) -> str:
    return service.service_name if service.has_backend else ""


def acl_lines(acls: dict[str, Acl] | None, own: str) -> t.Iterator[str]:
    for name, acl in (acls or {}).items():
        yield f"acl {name} {acl.rule}"
        target = acl.backend_name or own
        if target:
            yield f"use_backend {target}-back if {name}"


def redirect_frontend(
    number: int, served: t.Sequence[Bind], service: Service, settings: Settings, certbots: t.Collection[str]
) -> Frontend:
    # Whatever the service balances, these are requests.
    service = dataclasses.replace(service, balance_type="http")
    acls = service.frontend_acls
    # By default the redirect leaves alone what an ACL sends elsewhere; it is evaluated first.
    exceptions = "".join(f" !{name}" for name in acls or ())
    scheme = service.redirect_scheme or f"{DEFAULT_REDIRECT}{exceptions}"
    challenges = clients.challenge_acls(service, certbots)
    own = settings.frontend_redirect_extra_raw
    ordered = lines.in_evaluation_order(
        [
            *clients.acls(service),
            *(() if challenges else clients.admitted_connections(service, served)),
            *clients.counted_connections(service, served),
            *clients.forwarding_headers(service, served),
            *(clients.admitted_requests(service, challenges) if challenges or clients.trusts(service) else ()),
            *acl_lines(acls, own_backend(service)),
            f"redirect scheme {scheme}",
            *own,
        ]
    )
    name = f"{service.service_name}-redirect-front-{number}"
    bind_lines = [" ".join([str(bind), *bind.options]) for bind in served]
    return Frontend(name, "http", service, peers.with_peers(ordered, settings), bind_lines)


def both_protocols(number: int, bind: Bind, service: Service, settings: Settings) -> list[Frontend]:
    """One port for TLS and plain: the first bytes choose between two inner frontends.

    They listen on abstract sockets, which nobody reaches from outside, and get the client's address
    by PROXY protocol, so headers, logs and allow lists see the client.
    """
    name = service.service_name
    tls, plain = f"{name}-tls-front-{number}", f"{name}-plain-front-{number}"
    sniffing = lines.in_evaluation_order(
        [
            *clients.acls(service),
            *clients.admitted_connections(service, [bind]),
            *clients.counted_connections(service, [bind]),
            # Of a client that stays when its inner connection has ended.
            f"timeout client-fin {settings.http_request_timeout}",
            "tcp-request inspect-delay 2s",
            "tcp-request content accept if HTTP",
            "tcp-request content accept if { req.ssl_hello_type 1 }",
            f"use_backend {tls} if {{ req.ssl_hello_type 1 }}",
        ]
    )
    # Each client has two connections here, so half as many clients take what a frontend may have.
    limit = service.frontend_maxconn or max(1, settings.frontend_maxconn // 2)
    outer = dataclasses.replace(service, frontend_maxconn=limit)
    inner = dataclasses.replace(service, connections_per_source=0)
    relayed = dataclasses.replace(bind, options=("accept-proxy",))
    return [
        Frontend(f"{name}-front-{number}", "tcp", outer, sniffing, [" ".join([str(bind), *bind.options])], plain),
        frontend(tls, {relayed: f"abns@{tls}"}, inner, settings),
        frontend(plain, {dataclasses.replace(relayed, tls=False): f"abns@{plain}"}, inner, settings),
    ]


def relay(name: str) -> SideBackend:
    """The backend that hands a connection to the inner frontend of the same name."""
    return SideBackend(name, ["mode tcp", f"server inner abns@{name} send-proxy-v2"])
