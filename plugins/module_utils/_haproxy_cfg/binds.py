# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses and ports that a configuration listens on. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import word_after

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words

IP = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# HAProxy Configuration Manual, section 11, "Address formats". Of the others (unix@, abns@, fd@, sockpair@, rhttp@ …)
# nothing can be tried.
_FORM = re.compile(
    r"(?:(?:(?P<stack>stream|dgram|quic)\+)?(?P<kind>ipv|tcp|mptcp|udp|quic)(?P<family>[46]?)@)?"
    r"(?P<host>[^@]*):(?P<first>\d+)(?:-(?P<last>\d+))?"
)


@dataclass(frozen=True)
class Bind:
    """An address and port that HAProxy listens on. Its line does not count in comparisons."""

    address: str
    port: int
    udp: bool = False
    interface: str = ""
    transparent: bool = False
    v6only: bool | None = None  # None: as the node has it
    section: str = field(default="", compare=False)
    line: Words = field(default=(), compare=False)

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}{' (UDP)' if self.udp else ''}"

    @property
    def proxy_kind(self) -> str:
        """The kind of section, such as ``frontend``."""
        return self.section.partition(" ")[0]

    @property
    def proxy(self) -> str:
        """The name of the section."""
        return self.section.partition(" ")[2]

    @property
    def is_wildcard(self) -> bool:
        """Whether it is one of every address."""
        return ipaddress.ip_address(self.address).is_unspecified

    def takes(self, address: str) -> bool:
        """Whether it is one of this address, itself or as a wildcard."""
        bound, wanted = ipaddress.ip_address(self.address), ipaddress.ip_address(address)
        both = bound.version == 6 and not self.v6only
        return bound == wanted or (bound.is_unspecified and (bound.version == wanted.version or both))


def binds(sections: Iterable[Section], host: str | None = None) -> list[Bind]:
    """What this configuration listens on; ``host`` is the node's name among its peers.

    What only HAProxy can resolve (host names, environment variables, conditional blocks) is left out.
    """
    sections = _unconditional(sections)
    globals_ = [section for section in sections if section.kind == "global"]
    named = [line[1] for section in globals_ for line in section.lines_with("localpeer") if line[1:]]
    peer = named[-1] if named else host or socket.gethostname()
    found = [
        bind
        for section in sections
        if ("disabled",) not in section.lines
        for line, options in _listening(section, peer)
        for bind in _binds(section, line, options)
    ]
    return list(dict.fromkeys(found))


def new_binds(wanted: Iterable[Section], running: Iterable[Section] | None) -> list[Bind]:
    """What a configuration listens on, and the running one does not."""
    known = set(binds(running)) if running is not None else set()
    return [bind for bind in binds(wanted) if bind not in known]


def _unconditional(sections: Iterable[Section]) -> list[Section]:
    """Leave out the lines between ``.if`` and ``.endif``, which may span several sections."""
    depth, result = 0, []
    for section in sections:
        kept = []
        outside = depth == 0
        for line in section.lines:
            depth += {".if": 1, ".endif": -1}.get(line[0], 0)
            if depth == 0:
                kept.append(line)
        if outside:
            result.append(replace(section, lines=tuple(kept)))
    return result


def _listening(section: Section, peer: str) -> Iterator[tuple[Words, Words]]:
    """The lines that open sockets, each with its words from the address on."""
    if section.kind in ("frontend", "listen", "peers", "log-forward"):
        for keyword in ("bind", "dgram-bind"):
            for line in section.lines_with(keyword):
                yield line, line[1:]
    if section.kind == "peers":
        for keyword in ("peer", "server"):
            for line in section.lines_with(keyword, peer):
                yield line, line[2:3]  # options of a server concern connections to it


def _binds(section: Section, line: Words, words: Words) -> Iterator[Bind]:
    addresses, options = words[:1], words[1:]
    if "namespace" in options or any("$" in word for word in words):
        return
    for address in ",".join(addresses).split(","):
        form = _FORM.fullmatch(address)
        ip = _ip(form["host"], form["family"]) if form else None
        if form is None or ip is None:
            continue
        for port in range(int(form["first"]), int(form["last"] or form["first"]) + 1):
            yield Bind(
                str(ip),
                port,
                line[0] == "dgram-bind" or form["stack"] in ("dgram", "quic") or form["kind"] in ("udp", "quic"),
                word_after(options, "interface"),
                "transparent" in options,
                _v6only(options) if ip.version == 6 else None,
                " ".join(section.heading[:2]),
                line,
            )


def _ip(host: str, family: str | None) -> IP | None:
    if host in ("", "*"):
        host = "::" if family == "6" else "0.0.0.0"
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None  # a host name


def _v6only(options: Words) -> bool | None:
    if "v6only" in options:  # the stronger of the two
        return True
    return False if "v4v6" in options else None
