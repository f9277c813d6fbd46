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
    check_requests,
    checks,
    clients,
    extra_sections,
    lines,
    network_lists,
    peers,
    servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.binds import has_backend
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import Checked, version_tuple
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import UserCertificate, Vip

Data = dict[str, t.Any]

DEFAULT_REDIRECT = "https if !{ ssl_fc }"


@dataclasses.dataclass(frozen=True)
class Frontend:
    """A frontend section: its binds and raw lines in the order HAProxy evaluates them."""

    name: str
    mode: str
    service: Data
    binds: list[str]
    lines: list[str]
    default_backend: str = ""


@dataclasses.dataclass(frozen=True)
class Backend:
    """A backend section: its raw lines in order, and its servers."""

    name: str
    mode: str
    service: Data
    lines: list[str]
    servers: list[str]


@dataclasses.dataclass(frozen=True)
class Model:
    """All that a load balancer's configuration is made of."""

    settings: Data
    log: str
    tuning: dict[str, str]
    handshake_timeout: str
    stats: Data
    peers: Data
    frontends: list[Frontend]
    side_backends: list[Data]
    backends: list[Backend]
    extra_sections: list[Data]
    maps: dict[str, str]
    network_lists: dict[str, str]
    crt_lists: dict[str, str]
    certificates: list[Data]
    user_certificates: list[Data]
    acme_certificates: list[Data]
    client_authorities: list[str]

    def as_dict(self) -> Data:
        # Not dataclasses.asdict: it would copy every service once more for each of its sections.
        shallow = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **shallow,
            "frontends": [vars(frontend) for frontend in self.frontends],
            "backends": [vars(backend) for backend in self.backends],
        }

    def without_sections(self) -> Data:
        """What is needed beside the configuration: files, certificates and secrets of it."""
        sections = ("settings", "tuning", "peers", "frontends", "side_backends", "backends", "extra_sections")
        return {name: value for name, value in self.as_dict().items() if name not in sections}


def build(checked: Checked) -> Model:
    """The model of checked services; equal input gives an equal model."""
    settings, services = checked.settings, checked.services
    frontends: list[Frontend] = []
    side_backends: list[Data] = []
    certbots = {service["haproxy_service_name"] for service in services if binds.is_certbot(service, settings)}
    for service in services:
        if clients.limits_sources(service):
            side_backends.append(clients.sources(service))
        for number, served in enumerate(binds.by_frontend(service, settings), start=1):
            if redirecting := binds.redirecting(service, served):
                frontends.append(redirect_frontend(number, redirecting, service, settings, certbots))
            if service["haproxy_accept_both_protocols"] and served[0].tls:
                frontends += both_protocols(number, served[0], service, settings)
                side_backends += [
                    relay(f"{service['haproxy_service_name']}-{kind}-front-{number}") for kind in ("tls", "plain")
                ]
            else:
                frontends.append(plain_frontend(number, served, service, settings))
    backends = [backend(service, settings) for service in services if has_backend(service)]
    sections = extra_sections.sections(settings)
    return Model(
        # The template lays out binds, not VIPs.
        settings={name: value for name, value in settings.items() if name != "haproxy_vips"},
        log=log_target(settings["haproxy_log_socket"]),
        tuning=tuning(settings["haproxy_tuning_params"]),
        handshake_timeout=handshake_timeout(settings),
        stats=stats(settings),
        peers=peers.section(services, settings),
        frontends=frontends,
        side_backends=side_backends,
        backends=backends,
        extra_sections=sections,
        maps=maps(services),
        network_lists=listed_networks([*map(vars, [*frontends, *backends]), *sections], settings),
        crt_lists=crt_lists(services, settings),
        certificates=certificates(services, settings),
        user_certificates=user_certificates(services, settings),
        acme_certificates=acme_certificates(settings),
        client_authorities=client_authorities(services),
    )


# Frontends


def plain_frontend(number: int, served: list[binds.Bind], service: Data, settings: Data) -> Frontend:
    name = f"{service['haproxy_service_name']}-front-{number}"
    return frontend(name, {bind: str(bind) for bind in served}, service, settings)


def frontend(name: str, served: t.Mapping[binds.Bind, str], service: Data, settings: Data) -> Frontend:
    """The frontend of these binds, each with the endpoint that it is given."""
    mode = service["haproxy_balance_type"]
    own = [
        *(service["haproxy_maps"] or ()),
        *(service["haproxy_frontend_raw"] or ()),
        *lines.for_mode(settings["haproxy_frontend_extra_raw"], mode),
    ]
    ordered = lines.in_evaluation_order(
        [
            *clients.acls(service),
            *clients.admitted_connections(service, served),
            *clients.counted_connections(service, served),
            *(clients.forwarding_headers(service, served) if mode == "http" else ()),
            *(clients.admitted_requests(service) if clients.trusts(service) else ()),
            *acl_lines(service["haproxy_acls"], own_backend(service)),
            *own,
        ]
    )
    bind_lines = [bind_line(endpoint, bind, service, settings) for bind, endpoint in served.items()]
    shared = peers.with_peers(ordered, settings)
    return Frontend(name, mode, service, bind_lines, shared, default_backend(service, own))


def default_backend(service: Data, own: t.Iterable[str]) -> str:
    """The section that takes what nothing else took; HAProxy takes the last line, and a raw one is meant to win."""
    if any(line.split()[:1] == ["default_backend"] for line in own):
        return ""
    name = service["haproxy_default_backend"] or own_backend(service)
    return f"{name}-back" if name else ""


def bind_line(endpoint: str, bind: binds.Bind, service: Data, settings: Data) -> str:
    words = [endpoint]
    if bind.tls:
        words += shown_certificates(service["haproxy_ssl_path"], bind.vip, settings)
        if service["haproxy_ssl_certificates"]:
            words += ["crt-list", f"/etc/haproxy/{crt_list_name(service)}"]
        words += client_certificates(service, settings)
        if service["haproxy_balance_type"] == "http":
            # Said even where it is not wanted: newer HAProxy offers h2 unless told otherwise.
            words += ["alpn", "h2,http/1.1" if service["haproxy_frontend_h2"] else "http/1.1"]
    return " ".join([*words, *bind.options])


def shown_certificates(path: str | None, vip: Vip, settings: Data) -> list[str]:
    """What a bind shows: the certificate at a path, else those of its VIP."""
    paths = [path] if path else binds.certificate_paths(vip, settings)
    return ["ssl", *(word for each in paths for word in ("crt", quote(each)))]


def client_certificates(service: Data, settings: Data) -> list[str]:
    authority, revoked = binds.client_ca_files(service, settings)
    if not authority:
        return []
    words = ["verify", service["haproxy_ssl_client_verify"], "ca-file", quote(authority)]
    return [*words, "crl-file", quote(revoked)] if revoked else words


def own_backend(service: Data) -> str:
    return service["haproxy_service_name"] if has_backend(service) else ""


def acl_lines(acls: Data | None, own: str) -> t.Iterator[str]:
    for name, acl in (acls or {}).items():
        yield f"acl {name} {acl['rule']}"
        target = acl.get("backend_name") or own
        if target:
            yield f"use_backend {target}-back if {name}"


def redirect_frontend(
    number: int, served: list[binds.Bind], service: Data, settings: Data, certbots: t.Collection[str]
) -> Frontend:
    # Whatever the service balances, these are requests.
    service = {**service, "haproxy_balance_type": "http"}
    acls = service["haproxy_frontend_acls"]
    # By default the redirect leaves alone what an ACL sends elsewhere; it is evaluated first.
    exceptions = "".join(f" !{name}" for name in acls or ())
    scheme = service["haproxy_redirect_scheme"] or f"{DEFAULT_REDIRECT}{exceptions}"
    challenges = clients.challenge_acls(service, certbots)
    own = settings["haproxy_frontend_redirect_extra_raw"]
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
    name = f"{service['haproxy_service_name']}-redirect-front-{number}"
    bind_lines = [" ".join([str(bind), *bind.options]) for bind in served]
    return Frontend(name, "http", service, bind_lines, peers.with_peers(ordered, settings))


def both_protocols(number: int, bind: binds.Bind, service: Data, settings: Data) -> list[Frontend]:
    """One port for TLS and plain: the first bytes choose between two inner frontends.

    They listen on abstract sockets, which nobody reaches from outside, and get the client's address
    by PROXY protocol, so headers, logs and allow lists see the client.
    """
    name = service["haproxy_service_name"]
    tls, plain = f"{name}-tls-front-{number}", f"{name}-plain-front-{number}"
    sniffing = lines.in_evaluation_order(
        [
            *clients.acls(service),
            *clients.admitted_connections(service, [bind]),
            *clients.counted_connections(service, [bind]),
            # Of a client that stays when its inner connection has ended.
            f"timeout client-fin {settings['haproxy_http_request_timeout']}",
            "tcp-request inspect-delay 2s",
            "tcp-request content accept if HTTP",
            "tcp-request content accept if { req.ssl_hello_type 1 }",
            f"use_backend {tls} if {{ req.ssl_hello_type 1 }}",
        ]
    )
    # Each client has two connections here, so half as many clients take what a frontend may have.
    limit = service["haproxy_frontend_maxconn"] or max(1, settings["haproxy_frontend_maxconn"] // 2)
    outer = {**service, "haproxy_frontend_maxconn": limit}
    inner = {**service, "haproxy_connections_per_source": 0}
    relayed = dataclasses.replace(bind, options=("accept-proxy",))
    return [
        Frontend(f"{name}-front-{number}", "tcp", outer, [" ".join([str(bind), *bind.options])], sniffing, plain),
        frontend(tls, {relayed: f"abns@{tls}"}, inner, settings),
        frontend(plain, {dataclasses.replace(relayed, tls=False): f"abns@{plain}"}, inner, settings),
    ]


def relay(name: str) -> Data:
    """The backend that hands a connection to the inner frontend of the same name."""
    return {"name": name, "lines": ["mode tcp", f"server inner abns@{name} send-proxy-v2"]}


# Backends


def backend(service: Data, settings: Data) -> Backend:
    mode = service["haproxy_balance_type"]
    raw = [*stick_lines(service, settings), *(service["haproxy_backend_arguments"] or ())]
    ordered = lines.in_evaluation_order(check_requests.spelled_out([*option_lines(service), *raw]))
    shared = peers.with_peers(ordered, settings)
    return Backend(
        f"{service['haproxy_service_name']}-back", mode, service, shared, servers.section_lines(service, settings)
    )


def stick_lines(service: Data, settings: Data) -> list[str]:
    if not service["haproxy_stick_table_enabled"]:
        return []
    if service["haproxy_stick_table"] == settings["haproxy_stick_table"]:
        return lines.for_mode(service["haproxy_stick_table"], service["haproxy_balance_type"])
    return list(service["haproxy_stick_table"])


def option_lines(service: Data) -> t.Iterator[str]:
    """Options and http checks; checks written anywhere get the option without which they do nothing."""
    mode = service["haproxy_balance_type"]
    options = [option for option in service["haproxy_backend_options"] or () if not lines.is_frontend_option(option)]
    is_added = mode == "http" and service["haproxy_forwarded_for"] == "add"
    if is_added and not any(checks.first_word(option) == "forwardfor" for option in options):
        yield f"option forwardfor{clients.if_none(service)}"
    if kind := checks.implied(service):
        yield f"option {kind}"
    yield from lines.for_mode((f"option {option}" for option in options), mode)
    yield from (f"http-check {check}" for check in service["haproxy_backend_httpcheck_options"] or ())


# What is beside the sections


def log_target(target: str) -> str:
    """Where logs go; the journal reads priorities off standard output only in the short format."""
    return f"{target} format short" if target in ("stdout", "stderr") else quote(target)


def tuning(parameters: t.Mapping[str, str]) -> dict[str, str]:
    """Keywords of the global section; older documentation writes some of their dots as underscores."""
    return {"tune.maxrewrite": "1280", **{name.replace("_", "."): value for name, value in parameters.items()}}


def handshake_timeout(settings: Data) -> str:
    """How long TLS and the PROXY header may take. Older versions know only the client's timeout for that."""
    known = version_tuple(settings["haproxy_version"]) >= (3, 0)
    return str(settings["haproxy_http_request_timeout"]) if known else ""


def stats(settings: Data) -> Data:
    """The statistics page: where it listens and who may look."""
    bind = binds.stats_bind(settings)
    words = [str(bind)]
    if bind.tls:
        words += shown_certificates(
            settings["haproxy_stats_ssl_cert_path"], binds.stats_certificate_vip(settings), settings
        )
        if settings["haproxy_stats_ssl_client_cert_ca"]:
            words += ["verify", "required", "ca-file", quote(settings["haproxy_stats_ssl_client_cert_ca"])]
    user = f"{settings['haproxy_username']}:{settings['haproxy_stats_password'] or ''}"
    return {"bind": " ".join(words), "auth": quote(user)}


def maps(services: t.Iterable[Data]) -> dict[str, str]:
    """The text of each map: entries of all services, by their order and the service's name."""
    parts: dict[str, list[tuple[str, str, list[str]]]] = {}
    for service in services:
        for entries in service["haproxy_map_entries"] or ():
            present = parts.setdefault(f"{entries['name']}.map", [])
            if entries.get("state", "present") == "present":
                present.append((entries.get("order", "00"), service["haproxy_service_name"], entries["entries"]))
    return {
        name: "".join(f"{line}\n" for _order, _service, entries in sorted(present) for line in entries)
        for name, present in sorted(parts.items())
    }


def listed_networks(sections: t.Iterable[Data], settings: Data) -> dict[str, str]:
    """The text of each file of networks that a section reads, the user's raw lines included.

    HAProxy takes a change of them while it runs only if it has read them.
    """
    read = network_lists.names_in(line for section in sections for line in section["lines"])
    texts = settings[network_lists.VARIABLE]
    return {network_lists.file_name(name): texts[name] for name in sorted(read & texts.keys())}


def crt_list_name(service: Data) -> str:
    return f"{service['haproxy_service_name']}.crt-list"


def crt_lists(services: t.Iterable[Data], settings: Data) -> dict[str, str]:
    """The text of each service's list of certificates by name (HAProxy's manual, 5.1, crt-list)."""
    return {
        crt_list_name(service): "".join(crt_list_line(entry, settings) for entry in service["haproxy_ssl_certificates"])
        for service in services
        if service["haproxy_ssl_certificates"]
    }


def crt_list_line(entry: Data, settings: Data) -> str:
    name = entry["name"]
    path = name if name.startswith("/") else binds.stored(name, settings)
    options = [f"[{entry['options']}]"] if entry.get("options") else []
    return " ".join([path, *options, *(entry.get("hosts") or ())]) + "\n"


def certified_vips(services: t.Iterable[Data], settings: Data) -> list[Vip]:
    """The VIPs whose binds need a certificate that no path names."""
    needed: dict[str, Vip] = {}
    for service in services:
        for bind in binds.service_binds(service, settings):
            if bind.tls and not service["haproxy_ssl_path"]:
                needed[binds.certificate_name(bind.vip, settings)] = bind.vip
    if (
        settings["haproxy_stats_enabled"]
        and settings["haproxy_stats_ssl"]
        and not settings["haproxy_stats_ssl_cert_path"]
    ):
        vip = binds.stats_certificate_vip(settings)
        needed[binds.certificate_name(vip, settings)] = vip
    return list(needed.values())


def certificates(services: t.Iterable[Data], settings: Data) -> list[Data]:
    """The certificates to make: one for each VIP, or one for each kind of key, with the VIP's names only.

    Those that an ACME server is to issue are made too, for HAProxy to start with.
    """
    return [
        {"name": name, "key_type": kind, **subject(vip, settings)}
        for vip in certified_vips(services, settings)
        for name, kind in binds.key_types(vip, settings).items()
    ] + [
        {
            "name": entry["name"],
            "key_type": "RSA" if settings["haproxy_pki_key_type"] == "RSA" else "ECDSA",
            "cn": next((name for name in entry["domains"] if len(name) <= 64), settings["haproxy_host"]),
            "san": {"dns": list(entry["domains"]), "ip": []},
        }
        for entry in settings["haproxy_ssl_letsencrypt_certificates"]
    ]


def user_certificates(services: t.Iterable[Data], settings: Data) -> list[Data]:
    """The user's certificates under the names of the VIPs that show them, and what clients ask for there."""
    shown = [
        (vip, user) for vip in certified_vips(services, settings) if (user := binds.user_certificate(vip, settings))
    ]
    names: dict[UserCertificate, dict[str, None]] = {}
    for vip, user in shown:
        names.setdefault(user, {}).update(dict.fromkeys(binds.asked_for(vip, settings)))
    return [
        {"name": binds.certificate_name(vip, settings), **user._asdict(), "names": list(names[user])}
        for vip, user in shown
    ]


def acme_certificates(settings: Data) -> list[Data]:
    """What an ACME server renews, and the certificates of load balancers in whose places it goes."""
    if not settings["haproxy_ssl_letsencrypt_enable"]:
        return []
    domains = binds.first_acme_domains(settings)
    first = binds.acme_name(domains)
    shown: dict[str, list[str]] = {}
    for vip in binds.tls_vips(settings):
        if binds.is_by_acme(vip, settings):
            shown.setdefault(vip.letsencrypt or first, []).append(binds.certificate_name(vip, settings))
    more = [
        {**entry, "files": [entry["name"], *shown.get(entry["name"], ())]}
        for entry in settings["haproxy_ssl_letsencrypt_certificates"]
    ]
    return [{"name": first, "domains": domains, "files": shown[first]}, *more] if first in shown else more


def client_authorities(services: t.Iterable[Data]) -> list[str]:
    """Our own authorities that clients show certificates of."""
    named = {service["haproxy_ssl_client_ca"] for service in services if service["haproxy_ssl"]}
    return sorted(name for name in named if binds.names_authority(name))


def subject(vip: Vip, settings: Data) -> Data:
    """Whom a VIP's certificate names; the common name is there for people, clients read the alternative names."""
    san = vip.subject_alternative_names()
    names = [*san["dns"], *san["ip"], settings["haproxy_host"]]
    # RFC 5280 appendix A.1, ub-common-name.
    return {"cn": next(name for name in names if len(name) <= 64), "san": san}
