# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line of a server: where it is, what HAProxy speaks to it, and how its health is checked.

Checks speak to a server what traffic speaks, unless they are told otherwise. HAProxy inherits some of that by itself,
but not for a server that is added at run time, and other parts never, so it is said. What HAProxy takes for a place of
the checks' own (C(port), C(addr)) is said only where they have one: there they speak neither TLS nor PROXY by
themselves (configuration manual, section 5.2, "check-send-proxy", "check-ssl", "port"; see C(check-alpn) for HTTP/2).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.server_options import ServerOptions
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote, split
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import checks
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Node, Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import endpoint
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

H2_OR_OLDER = "h2,http/1.1"
CONSTANT = re.compile(r"str\(([A-Za-z0-9_.-]+)\)")


@dataclasses.dataclass(frozen=True)
class Server:
    """A server of a service.

    ``own`` are the options that the user wrote for it, which count before ours; ``given`` are these and those of lines
    C(default-server), which count after ours.
    """

    node: Node
    service: Service
    settings: Settings
    is_backup: bool
    check_kind: str
    own: ServerOptions
    given: ServerOptions

    @property
    def port(self) -> int:
        # A node without one is refused.
        return self.node.backend_port or self.service.backend_port or 0

    @property
    def check_port(self) -> int:
        """The port of checks, which may be the server's own."""
        followed = self.node.backend_port or self.service.check_port
        return self.node.check_port or followed or self.port

    @property
    def is_checked(self) -> bool:
        """Whether it has checks of its own: HAProxy refuses those of a server that tracks another."""
        return not self.given.has("track") and self.own.switched("check") is not False

    @property
    def checks_elsewhere(self) -> bool:
        return self.given.checks_elsewhere or self.check_port != self.port

    @property
    def speaks_tls(self) -> bool:
        own = self.own.switched("ssl")
        return bool(self.service.backend_ssl or self.given.switched("ssl") if own is None else own)

    @property
    def check_ssl(self) -> bool | None:
        """Whether somebody says that checks speak TLS or do not; None where nobody does."""
        said = (self.own.switched("check-ssl"), self.service.backend_ssl_check)
        return next((one for one in said if one is not None), self.given.switched("check-ssl"))

    @property
    def checks_tls(self) -> bool:
        """Whether checks speak TLS: as somebody says, else as traffic does; elsewhere only where a key says so."""
        if self.check_ssl is not None:
            return self.check_ssl
        return self.speaks_tls and (not self.checks_elsewhere or self.service.backend_ssl)

    @property
    def wants_h2(self) -> bool:
        return self.service.backend_h2 and self.service.balance_type == "http" and not self.own.has("alpn", "proto")

    @property
    def alpn(self) -> str:
        """The protocols that traffic offers in the TLS handshake."""
        return H2_OR_OLDER if self.wants_h2 else self.given.argument("alpn")

    @property
    def check_alpn(self) -> str:
        """The protocols that checks offer: rules that send bytes as they are know nothing of HTTP/2."""
        if self.check_kind != "tcp-check":
            return self.alpn
        return ",".join(name for name in self.alpn.split(",") if name != "h2") or self.alpn

    @property
    def server_name(self) -> str:
        """The name that is sent in the TLS handshake, where it does not depend on the request."""
        sni = self.service.backend_sni
        if sni and not self.own.has("sni"):
            return "" if is_expression(sni) else sni
        constant = CONSTANT.fullmatch(self.given.argument("sni"))
        return constant[1] if constant else ""


def section_lines(service: Service, settings: Settings) -> list[str]:
    """The lines of all servers of a service."""
    check_kind, inherited = checks.kind(service, settings), default_words(service, settings)

    def read(node: Node, *, is_backup: bool) -> Server:
        own = own_words(node, service)
        given = ServerOptions([*inherited, *own])
        return Server(node, service, settings, is_backup, check_kind, ServerOptions(own), given)

    return [
        line(read(node, is_backup=is_backup))
        for nodes, is_backup in ((service.backend_nodes, False), (service.backup_nodes, True))
        for node in nodes or ()
    ]


def own_options(node: Node, service: Service) -> ServerOptions:
    """What the user wrote for a server: for all of the service, and for this one."""
    return ServerOptions(own_words(node, service))


def place_of(option: str, node: Node, node_place: Place, service_place: Place) -> Place:
    """Where the user wrote an option of a server: at the server, or for all of the service."""
    is_nodes = ServerOptions(word for line in (node.backend_server_options or ()) for word in split(line)).has(option)
    return node_place.key("backend_server_options") if is_nodes else service_place.key("haproxy_backend_server_options")


def own_words(node: Node, service: Service) -> list[str]:
    return [word for line in raw_options(node, service) for word in split(line)]


def raw_options(node: Node, service: Service) -> list[str]:
    return [*(service.backend_server_options or ()), *(node.backend_server_options or ())]


def default_words(service: Service, settings: Settings) -> list[str]:
    """What raw lines C(default-server) give to all servers of a service."""
    raw = (*settings.defaults_raw, *(service.backend_arguments or ()))
    return [word for line in raw if line.startswith("default-server") for word in split(line)[1:]]


def line(server: Server) -> str:
    node, service = server.node, server.service
    words = [
        f"server {node.name} {endpoint(node.ip_addr, server.port)}",
        *check(server),
        *lookup(node),
        *([f"weight {node.weight}"] if node.weight is not None else ()),
        *([f"maxconn {node.maxconn}"] if node.maxconn is not None else ()),
        *([f"cookie {node.name}"] if service.cookie else ()),
        *(["backup"] if server.is_backup else ()),
        *transport(server),
        *check_transport(server),
        *raw_options(node, service),
    ]
    return " ".join(words)


def check(server: Server) -> t.Iterator[str]:
    """When and where checks are made."""
    if not server.is_checked:
        return
    service = server.service
    rise, fall = service.backend_rise, service.backend_fall
    if server.is_backup:
        rise, fall = service.backup_rise, service.backup_fall
    yield "check" if server.check_port == server.port else f"check port {server.check_port}"
    yield f"inter {service.interval} rise {rise} fall {fall}"


def lookup(node: Node) -> t.Iterator[str]:
    if not is_ip(node.ip_addr):
        # Every reload looks the name up. One that is not found keeps its last address, and HAProxy starts anyway.
        yield "init-addr libc,last,none"


def transport(server: Server) -> t.Iterator[str]:
    """What traffic speaks, and by what the server is known: that goes for checks, too."""
    service, settings = server.service, server.settings
    by_key = service.backend_ssl and server.speaks_tls
    if by_key:
        yield "ssl"
    if by_key or (service.backend_ssl_check and server.is_checked):
        ca = service.backend_ca
        if ca:
            yield f"verify required ca-file {quote(settings.system_ca if ca is True else ca)}"
        else:
            yield "verify none"
        if service.backend_verifyhost:
            yield f"verifyhost {service.backend_verifyhost}"
    sni = service.backend_sni
    if by_key and sni:
        yield f"sni {sni}" if is_expression(sni) else f"sni str({sni})"
    if server.wants_h2:
        yield f"alpn {H2_OR_OLDER}" if server.speaks_tls else "proto h2"


def check_transport(server: Server) -> t.Iterator[str]:
    """What checks speak, where the user's own words do not say it."""
    if not server.is_checked:
        return
    given = server.given
    if server.checks_tls != given.switched("check-ssl"):
        if server.checks_tls:
            yield "check-ssl"
        elif given.switched("check-ssl") or (server.speaks_tls and not server.checks_elsewhere):
            yield "no-check-ssl"
    if server.checks_tls and server.server_name and not given.has("check-sni"):
        yield f"check-sni {server.server_name}"
    if server.checks_tls and server.check_alpn and not given.has("check-alpn"):
        # Without it HAProxy offers the server's protocols, and speaks HTTP/1.1 whichever of them the server takes.
        yield f"check-alpn {server.check_alpn}"
    if given.speaks_proxy and not server.checks_elsewhere and given.switched("check-send-proxy") is None:
        yield "check-send-proxy"


def is_expression(sni: str) -> bool:
    """Whether a server name is one of HAProxy's expressions, and no constant."""
    return "(" in sni or sni == "ssl_fc_sni"
