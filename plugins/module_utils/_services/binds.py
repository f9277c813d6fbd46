# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses and ports a service listens on, and where TLS is spoken."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Address, UserCertificate, Vip

Settings = t.Mapping[str, t.Any]
Service = t.Mapping[str, t.Any]


def endpoint(address: str, port: int) -> str:
    """Address and port as HAProxy writes them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclasses.dataclass(frozen=True)
class Bind:
    """One listening socket of one frontend."""

    vip: Vip
    address: str
    port: int
    tls: bool = False
    #: words at the end of the line
    options: tuple[str, ...] = ()

    @classmethod
    def of_address(
        cls, address: str, port: int, interface: str = "", *, tls: bool = False, options: t.Iterable[str] = ()
    ) -> Bind:
        """A bind that belongs to no VIP of the inventory."""
        return cls(local(address, interface, type="internal"), address, port, tls, tuple(options))

    def __str__(self) -> str:
        interface = f" interface {self.vip.bind_interface}" if self.vip.bind_interface else ""
        return f"{endpoint(self.address, self.port)}{interface}"

    def is_beside(self, other: Bind) -> bool:
        """Whether a connection could come to either, as far as port and interface tell."""
        own, theirs = self.vip.bind_interface, other.vip.bind_interface
        return self.port == other.port and (own == theirs or not own or not theirs)

    def is_same(self, other: Bind) -> bool:
        """Whether the kernel would give connections to either at random, or to the one that was bound last."""
        return self.is_beside(other) and self._plain == other._plain

    def takes_from(self, other: Bind) -> bool:
        """Whether connections that both could have come to this one.

        Linux prefers an address to a wildcard, and the wildcard of IPv4 to that of IPv6, which takes IPv4 too unless
        it is bound with v6only.
        """
        return self.is_beside(other) and self._rank > other._rank and bool(self._families & other._families)

    @property
    def _plain(self) -> str:
        return "*" if self.address == "0.0.0.0" else self.address

    @property
    def _rank(self) -> int:
        return {"::": 0, "*": 1}.get(self._plain, 2)

    @property
    def _families(self) -> set[int]:
        if self._plain == "::" and not self.says("v6only"):
            return {4, 6}
        return {6} if ":" in self._plain else {4}

    def says(self, word: str) -> bool:
        return any(word in option.split() for option in self.options)


def vips(settings: Settings) -> list[Vip]:
    """Every VIP that services listen on, in the order of their frontends."""
    return list(settings["haproxy_vips"])


def tls_vips(settings: Settings) -> list[Vip]:
    """The VIPs that may speak TLS."""
    return [vip for vip in vips(settings) if vip.tls is not False]


def local(address: str, interface: str = "", **more: t.Any) -> Vip:
    """What stands for an address that is no VIP of the inventory."""
    return Vip((Address(address),), bind_interface=interface, is_moved=False, **more)


def service_binds(service: Service, settings: Settings) -> list[Bind]:
    """The binds of a service's frontends; empty for one that is only a backend."""
    if service["haproxy_backend_only"]:
        return []
    every = vips(settings)
    if service["haproxy_bind"] is not None:
        wanted = [
            (bound_vip(entry, every), entry["address"], entry.get("options") or ()) for entry in service["haproxy_bind"]
        ]
        first = wanted[0][0] if wanted else None
    else:
        wanted = [(vip, address, ()) for vip in every for address in vip.bound]
        first = next((vip for vip in every if vip.tls is not False), None)
    return [
        Bind(
            vip,
            address,
            service["haproxy_port"],
            speaks_tls(service, vip, vip is first),
            (*(service["haproxy_bind_options"] or ()), *options),
        )
        for vip, address, options in wanted
    ]


def by_frontend(service: Service, settings: Settings) -> list[list[Bind]]:
    """The binds of each of a service's frontends."""
    every = service_binds(service, settings)
    if service["haproxy_single_frontend"]:
        return [every] if every else []
    return [[bind] for bind in every]


def bound_vip(entry: t.Mapping[str, t.Any], known: t.Sequence[Vip]) -> Vip:
    """The VIP of an entry of C(haproxy_bind), or what stands for an address that only one service listens on."""
    address, interface = entry["address"], entry.get("interface") or ""
    same = [vip for vip in known if address in vip.bound]
    for vip in same:
        if vip.bind_interface == interface:
            return vip
    return local(
        address,
        interface,
        type=entry.get("type", "external"),
        names=tuple(entry.get("pki_san_records", ())),
        certificate=UserCertificate.of(entry),
        tls=same[0].tls if same else None,
    )


def speaks_tls(service: Service, vip: Vip, is_first: bool) -> bool:
    """The first VIP counts as external and takes TLS; the others when they, or the service, ask for it."""
    if not service["haproxy_ssl"]:
        return False
    return is_first or bool(vip.tls) or (bool(service["haproxy_ssl_all_vips"]) and vip.tls is not False)


def redirecting(service: Service, served: t.Iterable[Bind]) -> list[Bind]:
    """The binds from which clients are sent to these: one beside each with TLS."""
    port = service["haproxy_redirect_http_port"]
    return [dataclasses.replace(bind, port=port, tls=False) for bind in served if bind.tls] if port else []


def stats_bind(settings: Settings) -> Bind:
    address, port = settings["haproxy_stats_bind_address"], settings["haproxy_stats_port"]
    return Bind.of_address(address, port, tls=settings["haproxy_stats_ssl"])


def certbot_bind(settings: Settings) -> Bind:
    address = settings["haproxy_ssl_letsencrypt_certbot_bind_address"]
    return Bind.of_address(address, settings["haproxy_ssl_letsencrypt_certbot_backend_port"])


def is_certbot(service: Service, settings: Settings) -> bool:
    """Whether certbot is behind a service."""
    port = settings["haproxy_ssl_letsencrypt_certbot_backend_port"]
    return any(
        (node.get("backend_port") or service["haproxy_backend_port"]) == port
        for node in service["haproxy_backend_nodes"] or ()
    )


def stats_certificate_vip(settings: Settings) -> Vip:
    """The VIP whose certificate the statistics page shows: the internal one, if there is one."""
    own = tls_vips(settings) or vips(settings)
    return ([vip for vip in own if vip.type == "internal"] or own)[0]


def certificate_name(vip: Vip, settings: Settings) -> str:
    """Name of a VIP's certificate, as the original's: haproxy_HOST-ADDRESS[-INTERFACE]."""
    interface = f"-{vip.bind_interface}" if vip.bind_interface else ""
    return f"haproxy_{settings['haproxy_host']}-{vip.bound[0]}{interface}"


def user_certificate(vip: Vip, settings: Settings) -> UserCertificate | None:
    """The user's certificate for a VIP: its own, or the one for all that have not chosen another."""
    if vip.letsencrypt:
        return None
    return vip.certificate or UserCertificate.of(settings, "haproxy_user_ssl_")


def asked_for(vip: Vip, settings: Settings) -> list[str]:
    """The names and addresses by which clients know a VIP: what stands in for it when nothing is said is none."""
    own = {settings[name] for name in ("haproxy_host", "inventory_hostname", "ansible_host")}
    return [name for name in (*vip.names, *vip.plain) if name not in own and name != "*"]


def is_by_acme(vip: Vip, settings: Settings) -> bool:
    """Whether an ACME server renews the certificate: it does so for all external VIPs, and for others that ask."""
    return bool(settings["haproxy_ssl_letsencrypt_enable"] and (vip.letsencrypt or vip.type == "external"))


def first_acme_domains(settings: Settings) -> list[str]:
    """The names on the certificate of all external VIPs that choose no other."""
    return list(settings["haproxy_ssl_letsencrypt_domains"] or [settings["external_lb_vip_address"]])


def acme_name(domains: t.Sequence[str]) -> str:
    """What certbot calls a certificate of these names: a wildcard goes without its star."""
    return domains[0].removeprefix("*.")


def key_types(vip: Vip, settings: Settings) -> dict[str, str]:
    """Names of a VIP's certificates with the kinds of their keys.

    Of two that the authority makes, HAProxy chooses by what a client can verify.
    """
    name, kind = certificate_name(vip, settings), settings["haproxy_pki_key_type"]
    if kind != "both":
        return {name: kind}
    if user_certificate(vip, settings) or is_by_acme(vip, settings):
        return {name: "ECDSA"}
    return {name: "ECDSA", f"{name}-rsa": "RSA"}


def certificate_paths(vip: Vip, settings: Settings) -> list[str]:
    return [stored(name, settings) for name in key_types(vip, settings)]


def stored(name: str, settings: Settings) -> str:
    """Where the load balancer keeps a certificate."""
    return f"{settings['haproxy_ssl_cert_path']}/{name}.pem"


def client_ca_files(service: Service, settings: Settings) -> tuple[str, str]:
    """Where the load balancer keeps what it knows clients by, authority and revocation list; empty for none."""
    authority = service["haproxy_ssl_client_ca"] or ""
    if not names_authority(authority):
        return authority, service["haproxy_ssl_client_crl"] or ""
    has_list = authority in settings["haproxy_pki_revoking"]
    return stored(f"{authority}.ca", settings), stored(f"{authority}.crl", settings) if has_list else ""


def names_authority(text: str | None) -> bool:
    """Whether a CA of clients is one of our own authorities, and no path."""
    return bool(text) and not str(text).startswith("/")


def has_nodes(service: Service) -> bool:
    return bool(service["haproxy_backend_nodes"] or service["haproxy_backup_nodes"])


def has_backend(service: Service) -> bool:
    """Whether there is a backend section: a list of servers, be it empty, or raw lines that answer in their place."""
    if service["haproxy_frontend_only"]:
        return False
    lists = (service["haproxy_backend_nodes"], service["haproxy_backup_nodes"])
    return any(nodes is not None for nodes in lists) or bool(service["haproxy_backend_arguments"])
