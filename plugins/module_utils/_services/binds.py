# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses and ports a service listens on, and where TLS is spoken."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

Settings = t.Mapping[str, t.Any]
Service = t.Mapping[str, t.Any]


def is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def endpoint(address: str, port: int) -> str:
    """Address and port as HAProxy writes them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class UserCertificate(t.NamedTuple):
    """A certificate that the user brings: paths on the setup host."""

    cert: str
    key: str
    ca_cert: str = ""

    @classmethod
    def of(cls, entry: t.Mapping[str, t.Any], prefix: str = "") -> UserCertificate | None:
        """Read it from keys of a bind, or from settings, which begin with C(haproxy_)."""
        cert, key, ca_cert = (entry.get(f"{prefix}user_ssl_{name}") or "" for name in ("cert", "key", "ca_cert"))
        return cls(cert, key, ca_cert) if cert and key else None


@dataclasses.dataclass(frozen=True)
class Vip:
    """An address that services listen on, and the names it is known by."""

    address: str
    interface: str = ""
    type: str = "external"
    names: tuple[str, ...] = ()
    user_certificate: UserCertificate | None = None
    letsencrypt: str = ""

    def subject_alternative_names(self) -> dict[str, list[str]]:
        """The names a certificate of this VIP holds: its own, and no other VIP's."""
        own = () if self.address == "*" else (self.address,)
        names = list(dict.fromkeys((*own, *self.names)))
        return {"dns": [name for name in names if not is_ip(name)], "ip": [name for name in names if is_ip(name)]}


@dataclasses.dataclass(frozen=True)
class Bind:
    """One listening socket of one frontend."""

    vip: Vip
    port: int
    tls: bool = False
    #: words at the end of the line
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        interface = f" interface {self.vip.interface}" if self.vip.interface else ""
        return f"{endpoint(self.vip.address, self.port)}{interface}"

    def is_beside(self, other: Bind) -> bool:
        """Whether a connection could come to either, as far as port and interface tell."""
        own, theirs = self.vip.interface, other.vip.interface
        return self.port == other.port and (own == theirs or not own or not theirs)

    def is_same(self, other: Bind) -> bool:
        """Whether the kernel would give connections to either at random, or to the one that was bound last."""
        return self.is_beside(other) and self._address == other._address

    def takes_from(self, other: Bind) -> bool:
        """Whether connections that both could have come to this one.

        Linux prefers an address to a wildcard, and the wildcard of IPv4 to that of IPv6, which takes IPv4 too unless
        it is bound with v6only.
        """
        return self.is_beside(other) and self._rank > other._rank and bool(self._families & other._families)

    @property
    def _address(self) -> str:
        return "*" if self.vip.address == "0.0.0.0" else self.vip.address

    @property
    def _rank(self) -> int:
        return {"::": 0, "*": 1}.get(self._address, 2)

    @property
    def _families(self) -> set[int]:
        if self._address == "::" and not self.says("v6only"):
            return {4, 6}
        return {6} if ":" in self._address else {4}

    def says(self, word: str) -> bool:
        return any(word in option.split() for option in self.options)


def vips(settings: Settings) -> list[Vip]:
    """Every VIP that services listen on, in the order of their frontends."""
    return [*tls_vips(settings), *(Vip(address) for address in settings["extra_lb_vip_addresses"])]


def tls_vips(settings: Settings) -> list[Vip]:
    """The VIPs that may speak TLS: external, internal if it is another one, extra TLS VIPs."""
    if settings["haproxy_vip_binds"]:
        return [named_vip(entry, settings) for entry in settings["haproxy_vip_binds"]]
    result: list[Vip] = []
    for kind in ("external", "internal"):
        address = settings[f"haproxy_bind_{kind}_lb_vip_address"] or settings[f"{kind}_lb_vip_address"]
        interface = settings[f"haproxy_bind_{kind}_lb_vip_interface"] or ""
        known = [(vip.address, vip.interface) for vip in result]
        if (address, interface) not in known:
            result.append(named_vip({"address": address, "interface": interface, "type": kind}, settings))
    result += [Vip(address) for address in settings["extra_lb_tls_vip_addresses"]]
    return result


def named_vip(entry: t.Mapping[str, t.Any], settings: Settings) -> Vip:
    """A VIP from its entry, with the names that belong to it: its own records and its public name."""
    kind = entry.get("type", "external")
    names = list(entry.get("pki_san_records", ()))
    public = settings[f"{kind}_lb_vip_address"]
    if public != "*" and not is_ip(public):
        names.insert(0, public)
    if entry["address"] == "*" and not names:
        # Something must be on the certificate of a wildcard; the node's own name is true at least.
        names.append(settings["haproxy_host"])
    chosen = entry.get("letsencrypt", "")
    return Vip(entry["address"], entry.get("interface") or "", kind, tuple(names), UserCertificate.of(entry), chosen)


def service_binds(service: Service, settings: Settings) -> list[Bind]:
    """The binds of a service's frontends; empty for one that is only a backend."""
    if service["haproxy_backend_only"]:
        return []
    if service["haproxy_bind"] is not None:
        known = {(vip.address, vip.interface): vip for vip in vips(settings)}
        wanted = [
            (
                known.get((entry["address"], entry.get("interface") or "")) or bound_vip(entry),
                entry.get("options") or (),
            )
            for entry in service["haproxy_bind"]
        ]
    else:
        wanted = [(vip, ()) for vip in vips(settings)]
    return [
        Bind(
            vip,
            service["haproxy_port"],
            speaks_tls(service, vip, index == 0, settings),
            (*(service["haproxy_bind_options"] or ()), *options),
        )
        for index, (vip, options) in enumerate(wanted)
    ]


def by_frontend(service: Service, settings: Settings) -> list[list[Bind]]:
    """The binds of each of a service's frontends."""
    every = service_binds(service, settings)
    if service["haproxy_single_frontend"]:
        return [every] if every else []
    return [[bind] for bind in every]


def bound_vip(entry: t.Mapping[str, t.Any]) -> Vip:
    """An address that only one service listens on."""
    return Vip(
        entry["address"],
        entry.get("interface") or "",
        entry.get("type", "external"),
        tuple(entry.get("pki_san_records", ())),
        UserCertificate.of(entry),
    )


def speaks_tls(service: Service, vip: Vip, is_first: bool, settings: Settings) -> bool:
    """The first bind counts as external and takes TLS; the others only when asked."""
    if not service["haproxy_ssl"]:
        return False
    if is_first or vip.address in settings["extra_lb_tls_vip_addresses"]:
        return True
    return bool(service["haproxy_ssl_all_vips"]) and vip.address not in settings["extra_lb_vip_addresses"]


def redirecting(service: Service, served: t.Iterable[Bind]) -> list[Bind]:
    """The binds from which clients are sent to these: one beside each with TLS."""
    port = service["haproxy_redirect_http_port"]
    return [dataclasses.replace(bind, port=port, tls=False) for bind in served if bind.tls] if port else []


def stats_bind(settings: Settings) -> Bind:
    vip = Vip(settings["haproxy_stats_bind_address"], type="internal")
    return Bind(vip, settings["haproxy_stats_port"], settings["haproxy_stats_ssl"])


def certbot_bind(settings: Settings) -> Bind:
    vip = Vip(settings["haproxy_ssl_letsencrypt_certbot_bind_address"], type="internal")
    return Bind(vip, settings["haproxy_ssl_letsencrypt_certbot_backend_port"])


def is_certbot(service: Service, settings: Settings) -> bool:
    """Whether certbot is behind a service."""
    port = settings["haproxy_ssl_letsencrypt_certbot_backend_port"]
    return any(
        (node.get("backend_port") or service["haproxy_backend_port"]) == port
        for node in service["haproxy_backend_nodes"] or ()
    )


def stats_certificate_vip(settings: Settings) -> Vip:
    """The VIP whose certificate the statistics page shows: the internal one, if there is one."""
    own = tls_vips(settings)
    return ([vip for vip in own if vip.type == "internal"] or own)[0]


def certificate_name(vip: Vip, settings: Settings) -> str:
    """Name of a VIP's certificate, as the original's: haproxy_HOST-ADDRESS[-INTERFACE]."""
    interface = f"-{vip.interface}" if vip.interface else ""
    return f"haproxy_{settings['haproxy_host']}-{vip.address}{interface}"


def user_certificate(vip: Vip, settings: Settings) -> UserCertificate | None:
    """The user's certificate for a VIP: its own, or the one for all that have not chosen another."""
    if vip.letsencrypt:
        return None
    return vip.user_certificate or UserCertificate.of(settings, "haproxy_")


def asked_for(vip: Vip, settings: Settings) -> list[str]:
    """The names and addresses by which clients know a VIP: what stands in for it when nothing is said is none."""
    own = {settings[name] for name in ("haproxy_host", "inventory_hostname", "ansible_host")}
    return [name for name in (*vip.names, vip.address) if name not in own and name != "*"]


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
