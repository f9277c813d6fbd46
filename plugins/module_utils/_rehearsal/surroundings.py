# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration needs to run: servers, names, users, files. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind, binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import (
    Section,
    SocketFile,
    socket_files,
    word_after,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server, configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

K = t.TypeVar("K")
V = t.TypeVar("V")
Endpoint = tuple[str, int]

# Addresses for servers that are configured by name. RFC 2544 reserves this network for benchmarks.
NAMED = ipaddress.ip_network("198.18.0.0/15")

# Configuration Manual, sections 7.3.1 (the converters), 4.2 (actions on maps and ACLs) and 7.1 (flags of ACLs).
_PATTERNS = re.compile(r"\b(?:map(?:_\w+)?|set-map|del-map|add-acl|del-acl)\(\s*[\"']?([^\s,)\"']+)|(?<=\s)-f\s+(\S+)")
_OFFSET = re.compile(r"(?:ipv[46]@)?(?P<host>\[[^\]]+\]|[^:]*)(?::(?P<offset>[+-]\d+))?")


@dataclass(frozen=True)
class PooledServer:
    """A server, and the endpoints of its stand-in; none if HAProxy itself listens there, or if no stand-in can."""

    pool: str
    line: Server
    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        return f"{self.pool}/{self.line.name}"

    @property
    def names(self) -> set[str]:
        """Whatever names it: its name with or without the pool, its DNS name, its addresses."""
        addresses = {address for address, _port in self.endpoints}
        return {self.name, self.line.name, *filter(None, [self.line.host]), *addresses}


class Surroundings:
    """What a configuration needs from its surroundings."""

    def __init__(self, sections: t.Sequence[Section]) -> None:
        self._sections = sections
        self._binds_at: dict[Endpoint, list[Bind]] = {}

    @cached_property
    def binds(self) -> dict[int, list[Bind]]:
        """Where clients connect, by ports, in the order of the configuration."""
        found = (bind for bind in binds(self._sections) if bind.proxy_kind in ("frontend", "listen") and not bind.udp)
        return _indexed((bind.port, bind) for bind in found)

    @cached_property
    def addresses(self) -> dict[str, str]:
        """An address for each DNS name of a server."""
        names = {server.host: None for _place, server in self._configured if server.host}
        return {name: str(NAMED[1 + number]) for number, name in enumerate(names)}

    @cached_property
    def servers(self) -> list[PooledServer]:
        """The servers, each with the places where a stand-in is needed."""
        return [
            PooledServer(pool, server, tuple(self._endpoints(server))) for (pool, _name), server in self._configured
        ]

    @cached_property
    def interfaces(self) -> list[str]:
        """The interfaces that are bound."""
        return list(dict.fromkeys(filter(None, (word_after(line, "interface") for line in self._bind_lines))))

    @cached_property
    def users(self) -> list[str]:
        return self._owners("user")

    @cached_property
    def groups(self) -> list[str]:
        return self._owners("group")

    @cached_property
    def directories(self) -> list[str]:
        """Directories that must exist, for sockets and for the chroot."""
        sockets = [found.path.rpartition("/")[0] or "/" for found in self._sockets]
        return list(dict.fromkeys([*sockets, *self._globals("chroot")]))

    @cached_property
    def log_sockets(self) -> list[str]:
        """Sockets in the file system to which HAProxy logs."""
        lines = [line for section in self._sections for line in section.lines_with("log") if len(line) > 1]
        return list(dict.fromkeys(line[1] for line in lines if line[1].startswith("/")))

    @cached_property
    def certificates(self) -> list[str]:
        """Certificates that HAProxy shows to clients or servers, as named on binds and server lines."""
        return self._files("crt")

    @cached_property
    def certificate_lists(self) -> list[str]:
        return self._files("crt-list")

    @cached_property
    def authorities_of_servers(self) -> list[str]:
        """Files of the authorities that servers are verified by; ``@system-ca`` is one of them."""
        found = (server.options.argument("ca-file") for _place, server in self._configured if server.uses_tls)
        return list(dict.fromkeys(filter(None, found)))

    @cached_property
    def authorities_of_clients(self) -> list[str]:
        keywords = ("ca-file", "ca-verify-file")
        found = (word_after(line, word) for line in self._bind_lines for word in keywords)
        return list(dict.fromkeys(filter(None, found)))

    @cached_property
    def revocation_lists(self) -> list[str]:
        """Files with the certificates of clients that are not accepted any longer."""
        return self._files("crl-file")

    @cached_property
    def _pattern_files(self) -> list[str]:
        texts = [" ".join(line) for section in self._sections for line in section.lines]
        return list(
            dict.fromkeys(
                path for text in texts for found in _PATTERNS.finditer(text) for path in found.groups() if path
            )
        )

    def map_files(self, name: str = "") -> list[str]:
        """The maps and files of ACLs, all of them or those of a name or path."""
        return [path for path in self._pattern_files if name in ("", path, path.rpartition("/")[2])]

    @cached_property
    def names_on_certificates(self) -> list[str]:
        """Names and addresses that certificates of servers are verified against (``verifyhost``)."""
        verified = [server.options.argument("verifyhost") for _place, server in self._configured if server.uses_tls]
        return list(dict.fromkeys(filter(None, verified)))

    @property
    def has_tls(self) -> bool:
        """Whether anything speaks TLS."""
        is_bound = any("ssl" in line for line in self._bind_lines)
        return is_bound or any(server.uses_tls for _place, server in self._configured)

    @cached_property
    def oddities(self) -> list[str]:
        """The reasons why this configuration cannot be rehearsed, each as a sentence."""
        found = [
            f"server {pool}/{server.name} speaks only HTTP/2 (proto h2), which a stand-in does not."
            for (pool, _name), server in self._configured
            if server.options.argument("proto") == "h2"
        ]
        if len(self.interfaces) > 1:
            names = ", ".join(self.interfaces)
            found.append(f"binds name several interfaces ({names}), and a private network has one.")
        return found

    def named(self, words: t.Iterable[str]) -> list[PooledServer]:
        """The servers with any of these names or addresses."""
        found = (pooled for word in words for pooled in self._by_name_or_address.get(word, ()))
        return list({pooled.name: pooled for pooled in found}.values())

    def at(self, endpoint: Endpoint) -> list[PooledServer]:
        """The servers whose stand-in listens there."""
        return self._by_endpoint.get(endpoint, [])

    def reachable(self, frontends: t.Iterable[str]) -> list[str] | None:
        """The frontends and backends that a request to these frontends may pass; None if only HAProxy knows them."""
        found = list(dict.fromkeys(frontends))
        for name in found:
            if name not in self._successors:
                return None
            found += [successor for successor in self._successors[name] if successor not in found]
        return found

    def binds_at(self, address: str, port: int) -> list[Bind]:
        """The binds that a client reaches; an exact address takes precedence over a wildcard."""
        endpoint = (address, port)
        if endpoint not in self._binds_at:
            found = [bind for bind in self.binds.get(port, ()) if bind.takes(address)]
            self._binds_at[endpoint] = [bind for bind in found if not bind.is_wildcard] or found
        return self._binds_at[endpoint]

    def address_for(self, port: int) -> str | None:
        """The first address that listens on a port; None if none does."""
        # Clients use an address of the load balancer, not its loopback.
        found = sorted(self.binds.get(port, ()), key=lambda bind: bind.is_wildcard or _is_loopback(bind.address))
        if not found:
            return None
        return "127.0.0.1" if found[0].is_wildcard else found[0].address

    @cached_property
    def _bind_lines(self) -> list[Words]:
        return [line for section in self._sections for line in section.lines_with("bind")]

    @cached_property
    def _configured(self) -> list[tuple[tuple[str, str], Server]]:
        return list(configured_servers(self._sections).items())

    @cached_property
    def _by_name_or_address(self) -> dict[str, list[PooledServer]]:
        return _indexed((name, pooled) for pooled in self.servers for name in pooled.names)

    @cached_property
    def _by_endpoint(self) -> dict[Endpoint, list[PooledServer]]:
        return _indexed((endpoint, pooled) for pooled in self.servers for endpoint in pooled.endpoints)

    @cached_property
    def _successors(self) -> dict[str, list[str]]:
        """Where each frontend and backend may send requests to; without those that only HAProxy knows."""
        inherited = [line[1] for line in self._lines("defaults", "default_backend")]
        # A server without an endpoint may be another frontend.
        unknown = {pooled.pool for pooled in self.servers if not pooled.endpoints}
        found: dict[str, list[str]] = {}
        for section in self._sections:
            if section.kind in ("frontend", "listen", "backend"):
                lines = [*section.lines_with("use_backend"), *section.lines_with("default_backend")]
                names = [line[1] for line in lines if len(line) > 1]
                found.setdefault(section.name, []).extend(names if section.kind == "backend" else [*names, *inherited])
                # The name of a backend may be a sample of the request.
                unknown.update(section.name for name in names if "%" in name)
        return {name: names for name, names in found.items() if name not in unknown}

    def _lines(self, kind: str, keyword: str) -> list[Words]:
        lines = [line for section in self._sections if section.kind == kind for line in section.lines_with(keyword)]
        return [line for line in lines if len(line) > 1]

    def _endpoints(self, server: Server) -> t.Iterator[Endpoint]:
        found = [server.address] if server.address else self._by_name(server)
        for address, port in found:
            # A wildcard bind takes connections to this load balancer only, not those to another machine's port.
            if not any(not bind.is_wildcard or _is_loopback(address) for bind in self.binds_at(address, port)):
                yield address, port

    def _by_name(self, server: Server) -> list[Endpoint]:
        """The endpoints of a server that is configured by name, or that has the port of the client."""
        if server.host and server.port:
            return [(self.addresses[server.host], server.port)]
        found = _OFFSET.fullmatch(server.endpoint)
        if not found:
            return []
        host = found["host"].strip("[]")
        address = self.addresses.get(host, host)
        ports = sorted(port + int(found["offset"] or 0) for port in self.binds)
        return [(address, port) for port in ports] if is_ip(address) else []

    def _globals(self, keyword: str) -> list[str]:
        return [line[1] for line in self._lines("global", keyword)]

    @cached_property
    def _sockets(self) -> list[SocketFile]:
        return socket_files(self._sections)

    def _owners(self, keyword: str) -> list[str]:
        of_sockets = [getattr(found, keyword) for found in self._sockets]
        names = [*self._globals(keyword), *of_sockets]
        return [name for name in dict.fromkeys(names) if name and not name.isdecimal()]

    def _files(self, keyword: str) -> list[str]:
        lines = [*self._bind_lines, *(server.others for _place, server in self._configured)]
        found = [line[at + 1] for line in lines for at, word in enumerate(line[:-1]) if word == keyword]
        return list(dict.fromkeys(found))


def _indexed(pairs: t.Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The values of each key, in their order."""
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _is_loopback(address: str) -> bool:
    return is_ip(address) and ipaddress.ip_address(address).is_loopback
