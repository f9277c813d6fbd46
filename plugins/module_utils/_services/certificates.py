# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificate a bind shows, what has to be issued or brought for that, and by whom clients are known."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import (
    NamedCertificate,
    Service,
    Settings,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import UserCertificate, Vip

Data = dict[str, t.Any]


def stats_certificate_vip(settings: Settings) -> Vip:
    """The VIP whose certificate the statistics page shows: the internal one, if there is one."""
    own = settings.tls_vips or settings.vips
    return ([vip for vip in own if vip.type == "internal"] or own)[0]


def certificate_name(vip: Vip, settings: Settings) -> str:
    """Name of a VIP's certificate, as the original's: haproxy_HOST-ADDRESS[-INTERFACE]."""
    interface = f"-{vip.bind_interface}" if vip.bind_interface else ""
    return f"haproxy_{settings.host}-{vip.bound[0]}{interface}"


def user_certificate(vip: Vip, settings: Settings) -> UserCertificate | None:
    """The user's certificate for a VIP: its own, or the one for all that have not chosen another."""
    if vip.letsencrypt:
        return None
    return vip.certificate or settings.user_certificate


def asked_for(vip: Vip, settings: Settings) -> list[str]:
    """The names and addresses by which clients know a VIP: what stands in for it when nothing is said is none."""
    own = {settings.host, settings.inventory_hostname, settings.ansible_host}
    return [name for name in (*vip.names, *vip.plain) if name not in own and name != "*"]


def is_by_acme(vip: Vip, settings: Settings) -> bool:
    """Whether an ACME server renews the certificate: it does so for all external VIPs, and for others that ask."""
    return bool(settings.ssl_letsencrypt_enable and (vip.letsencrypt or vip.type == "external"))


def first_acme_domains(settings: Settings) -> list[str]:
    """The names on the certificate of all external VIPs that choose no other."""
    return list(settings.ssl_letsencrypt_domains or [settings.external_lb_vip_address])


def acme_name(domains: t.Sequence[str]) -> str:
    """What certbot calls a certificate of these names: a wildcard goes without its star."""
    return domains[0].removeprefix("*.")


def key_types(vip: Vip, settings: Settings) -> dict[str, str]:
    """Names of a VIP's certificates with the kinds of their keys.

    Of two that the authority makes, HAProxy chooses by what a client can verify.
    """
    name, kind = certificate_name(vip, settings), settings.pki_key_type
    if kind != "both":
        return {name: kind}
    if user_certificate(vip, settings) or is_by_acme(vip, settings):
        return {name: "ECDSA"}
    return {name: "ECDSA", f"{name}-rsa": "RSA"}


def certificate_paths(vip: Vip, settings: Settings) -> list[str]:
    return [stored(name, settings) for name in key_types(vip, settings)]


def stored(name: str, settings: Settings) -> str:
    """Where the load balancer keeps a certificate."""
    return f"{settings.ssl_cert_path}/{name}.pem"


def client_ca_files(service: Service, settings: Settings) -> tuple[str, str]:
    """Where the load balancer keeps what it knows clients by, authority and revocation list; empty for none."""
    authority = service.ssl_client_ca or ""
    if not names_authority(authority):
        return authority, service.ssl_client_crl or ""
    has_list = authority in settings.pki_revoking
    return stored(f"{authority}.ca", settings), stored(f"{authority}.crl", settings) if has_list else ""


def names_authority(text: str) -> bool:
    """Whether a CA of clients is one of our own authorities, and no path."""
    return bool(text) and not text.startswith("/")


def crt_list_name(service: Service) -> str:
    return f"{service.service_name}.crt-list"


def crt_lists(services: t.Iterable[Service], settings: Settings) -> dict[str, str]:
    """The text of each service's list of certificates by name (HAProxy's manual, 5.1, crt-list)."""
    return {
        crt_list_name(service): "".join(crt_list_line(entry, settings) for entry in service.ssl_certificates)
        for service in services
        if service.ssl_certificates
    }


def crt_list_line(entry: NamedCertificate, settings: Settings) -> str:
    path = entry.name if entry.is_path else stored(entry.name, settings)
    options = [f"[{entry.options}]"] if entry.options else []
    return " ".join([path, *options, *(entry.hosts or ())]) + "\n"


def certified_vips(services: t.Iterable[Service], settings: Settings) -> list[Vip]:
    """The VIPs whose binds need a certificate that no path names."""
    needed: dict[str, Vip] = {}
    for service in services:
        for bind in service.binds:
            if bind.tls and not service.ssl_path:
                needed[certificate_name(bind.vip, settings)] = bind.vip
    if settings.stats_enabled and settings.stats_ssl and not settings.stats_ssl_cert_path:
        vip = stats_certificate_vip(settings)
        needed[certificate_name(vip, settings)] = vip
    return list(needed.values())


def certificates(services: t.Iterable[Service], settings: Settings) -> list[Data]:
    """The certificates to make: one for each VIP, or one for each kind of key, with the VIP's names only.

    Those that an ACME server is to issue are made too, for HAProxy to start with.
    """
    return [
        {"name": name, "key_type": kind, **subject(vip, settings)}
        for vip in certified_vips(services, settings)
        for name, kind in key_types(vip, settings).items()
    ] + [
        {
            "name": entry.name,
            "key_type": "RSA" if settings.pki_key_type == "RSA" else "ECDSA",
            "cn": next((name for name in entry.domains if len(name) <= 64), settings.host),
            "san": {"dns": list(entry.domains), "ip": []},
        }
        for entry in settings.ssl_letsencrypt_certificates
    ]


def user_certificates(services: t.Iterable[Service], settings: Settings) -> list[Data]:
    """The user's certificates under the names of the VIPs that show them, and what clients ask for there."""
    shown = [(vip, user) for vip in certified_vips(services, settings) if (user := user_certificate(vip, settings))]
    names: dict[UserCertificate, dict[str, None]] = {}
    for vip, user in shown:
        names.setdefault(user, {}).update(dict.fromkeys(asked_for(vip, settings)))
    return [
        {"name": certificate_name(vip, settings), **user._asdict(), "names": list(names[user])} for vip, user in shown
    ]


def acme_certificates(settings: Settings) -> list[Data]:
    """What an ACME server renews, and the certificates of load balancers in whose places it goes."""
    if not settings.ssl_letsencrypt_enable:
        return []
    domains = first_acme_domains(settings)
    first = acme_name(domains)
    shown: dict[str, list[str]] = {}
    for vip in settings.tls_vips:
        if is_by_acme(vip, settings):
            shown.setdefault(vip.letsencrypt or first, []).append(certificate_name(vip, settings))
    more = [
        {"name": entry.name, "domains": entry.domains, "files": [entry.name, *shown.get(entry.name, ())]}
        for entry in settings.ssl_letsencrypt_certificates
    ]
    return [{"name": first, "domains": domains, "files": shown[first]}, *more] if first in shown else more


def client_authorities(services: t.Iterable[Service]) -> list[str]:
    """Our own authorities that clients show certificates of."""
    named = {service.ssl_client_ca or "" for service in services if service.ssl}
    return sorted(filter(names_authority, named))


def subject(vip: Vip, settings: Settings) -> Data:
    """Whom a VIP's certificate names; the common name is there for people, clients read the alternative names."""
    san = vip.subject_alternative_names()
    names = [*san["dns"], *san["ip"], settings.host]
    # RFC 5280 appendix A.1, ub-common-name.
    return {"cn": next(name for name in names if len(name) <= 64), "san": san}
