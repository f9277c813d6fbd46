# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a frontend's client is, what it may say of itself, and whether it may come in.

The lines here stand before the user's own of the same class, so those see the client's address and true headers.
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import network_lists, networks
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind

# Names of ACLs that no service may give to its own.
ALLOWED = "allow_list"
DENIED = "deny_list"
TRUSTED = "trusted_proxy"

# HAProxy takes 64 words a line; an ACL may be written on as many lines as it needs.
NETWORKS_PER_LINE = 40
LOOPBACK = ("127.0.0.0/8", "::1")
# HAProxy cannot loop. Whoever has more proxies in a row sees the last of these as the client.
LONGEST_CHAIN = 5
# Of the three counters of a connection the one that users' own lines take last.
COUNTER = "sc2"
SOURCES_TABLE = "stick-table type ipv6 size 100k expire 1m store conn_cur"
# RFC 8555 section 8.3: where the CA looks for the answer to a challenge.
CHALLENGES = "/.well-known/acme-challenge"


def acls(service: Service) -> t.Iterator[str]:
    """The ACLs that the other lines name."""
    # An empty list is a list: nobody but the node itself.
    if service.allowlist_networks is not None:
        yield from network_acl(ALLOWED, [*LOOPBACK, *service.allowlist_networks])
    yield from network_acl(DENIED, service.denylist_networks or ())
    if trusts(service):
        yield from network_acl(TRUSTED, service.trusted_proxies)


def network_acl(name: str, entries: t.Sequence[str]) -> t.Iterator[str]:
    """An ACL of networks and of the files of lists of them."""
    plain = [cidr for entry in entries if not networks.is_list_name(entry) for cidr in networks.cidrs(entry)]
    for start in range(0, len(plain), NETWORKS_PER_LINE):
        yield f"acl {name} src {' '.join(plain[start : start + NETWORKS_PER_LINE])}"
    for entry in entries:
        if networks.is_list_name(entry):
            yield f"acl {name} src -f {network_lists.path(entry)}"


def trusts(service: Service) -> bool:
    """Whether there are proxies whose headers count."""
    return service.balance_type == "http" and bool(service.trusted_proxies)


def reserved_acls(service: Service) -> t.Iterator[str]:
    """The names of ACLs that the service's own would widen."""
    if service.allowlist_networks is not None:
        yield ALLOWED
    if service.denylist_networks:
        yield DENIED
    if trusts(service):
        yield TRUSTED


def limits_sources(service: Service) -> bool:
    """Whether a source may have only so many connections."""
    return service.connections_per_source > 0 and not service.backend_only


def sources(service: Service) -> str:
    """The backend whose table counts connections. It is nobody else's, and not shared: each node counts its own."""
    return f"{service.service_name}-sources"


def counted_connections(service: Service, own_binds: t.Iterable[Bind]) -> t.Iterator[str]:
    """Refuses a source's connections beyond its limit, before anything is spent on them."""
    if not limits_sources(service):
        return
    stage = first_stage(own_binds)
    others = f" if !{TRUSTED}" if trusts(service) else ""
    yield f"tcp-request {stage} track-{COUNTER} src table {sources(service)}{others}"
    limit = service.connections_per_source
    yield f"tcp-request {stage} reject if {{ {COUNTER}_conn_cur gt {limit} }}"


def first_stage(own_binds: t.Iterable[Bind]) -> str:
    """When the client's address is known: at once, but where a PROXY header names it, that has to be read first."""
    words = [word for bind in own_binds for option in bind.options for word in option.split()]
    return "session" if "accept-proxy" in words else "connection"


def admitted_connections(service: Service, own_binds: t.Iterable[Bind]) -> t.Iterator[str]:
    """Refuses who is denied, and everybody who is not allowed, as early as the client's address is known."""
    others = f" !{TRUSTED}" if trusts(service) else ""
    if service.denylist_networks:
        yield f"tcp-request {first_stage(own_binds)} reject if {DENIED}{others}"
    if service.allowlist_networks is not None:
        yield f"tcp-request session reject if !{ALLOWED}{others}"


def admitted_requests(service: Service, spared: t.Iterable[str] = ()) -> t.Iterator[str]:
    """The same where a request has to be read first: for its client's address, or for its path."""
    others = "".join(f" !{name}" for name in spared)
    if service.denylist_networks:
        yield f"http-request deny if {DENIED}{others}"
    if service.allowlist_networks is not None:
        yield f"http-request deny if !{ALLOWED}{others}"


def challenge_acls(service: Service, certbots: t.Collection[str]) -> list[str]:
    """The ACLs of the redirect frontend that lead an ACME server to certbot; it comes from anywhere."""
    return [
        name
        for name, acl in (service.frontend_acls or {}).items()
        if acl.backend_name in certbots or CHALLENGES in acl.rule
    ]


def forwarding_headers(service: Service, own_binds: t.Collection[Bind]) -> t.Iterator[str]:
    """What a request says of its client, made true: only trusted proxies may tell."""
    stranger = f" if !{TRUSTED}" if trusts(service) else ""
    yield f"http-request del-header x-forwarded- -m beg{stranger}"
    yield f"http-request del-header Forwarded{stranger}"
    yield f"http-request del-header X-Real-IP{stranger}"
    unless_told = f" unless {TRUSTED} {{ req.hdr(X-Forwarded-Proto) -m found }}" if trusts(service) else ""
    yield f"http-request set-header X-Forwarded-Proto {scheme(own_binds)}{unless_told}"
    if trusts(service):
        yield from client_behind_proxies()
    yield from {
        "add": [f"option forwardfor except 127.0.0.0/8{only_if_missing(service)}"],
        "set": ["http-request set-header X-Forwarded-For %[src]"],
        "pass": [],
        "off": ["http-request del-header X-Forwarded-For"],
    }[service.forwarded_for]


def only_if_missing(service: Service) -> str:
    """A header that trusted proxies made ends with the client's address already."""
    return " if-none" if trusts(service) else ""


def scheme(own_binds: t.Collection[Bind]) -> str:
    """What the client speaks; on a frontend with both kinds of bind HAProxy looks at the connection."""
    kinds = {bind.tls for bind in own_binds}
    return "%[ssl_fc,iif(https,http)]" if len(kinds) > 1 else "https" if True in kinds else "http"


def client_behind_proxies() -> t.Iterator[str]:
    """Makes the last address in X-Forwarded-For that is no trusted proxy the source, hop by hop from the right.

    The ACL looks at the source that the line before has set. What stands left of something that is no address was
    told by nobody who is known.
    """
    for hop in range(1, LONGEST_CHAIN + 1):
        field = f"(X-Forwarded-For,-{hop})"
        yield (
            f"http-request del-header X-Forwarded-For if {TRUSTED} {{ req.hdr{field} -m found }}"
            f" !{{ req.hdr_ip{field} -m found }}"
        )
        yield f"http-request set-src req.hdr_ip{field} if {TRUSTED}"
