# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try new addresses before HAProxy does.

``haproxy -c`` opens no socket. A reload with an impossible bind fails, and takes every other listener down for two
seconds.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import struct
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import word_after
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import Message, warning

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words

IP = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# HAProxy Configuration Manual, section 11, "Address formats". Of the others (unix@, abns@, fd@, sockpair@, rhttp@ …)
# nothing can be tried.
_FORM = re.compile(
    r"(?:(?:(?P<stack>stream|dgram|quic)\+)?(?P<kind>ipv|tcp|mptcp|udp|quic)(?P<family>[46]?)@)?"
    r"(?P<host>[^@]*):(?P<first>\d+)(?:-(?P<last>\d+))?"
)

# <linux/in.h> and <linux/in6.h>; Python has no names for them.
_TRANSPARENT = {
    4: ((socket.IPPROTO_IP, 19), (socket.IPPROTO_IP, 15)),  # IP_TRANSPARENT, IP_FREEBIND
    6: ((socket.IPPROTO_IPV6, 75), (socket.IPPROTO_IP, 15)),  # IPV6_TRANSPARENT
}
_LISTENS = "0A"  # <net/tcp_states.h>


@dataclass(frozen=True)
class Endpoint:
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


@dataclass(frozen=True)
class RefusedBind:
    """The reason why HAProxy cannot listen, in a sentence for the user.

    ``taken`` and ``absent`` make a reload fail. With ``interface`` HAProxy only warns, and listens on all interfaces.
    """

    endpoint: Endpoint
    kind: t.Literal["taken", "absent", "interface"]
    sentence: str

    @property
    def message(self) -> Message:
        """The problem with its line."""
        return warning(self.sentence, " ".join(self.endpoint.line), self.endpoint.section)


def endpoints(sections: Iterable[Section], host: str | None = None) -> list[Endpoint]:
    """The endpoints of this configuration; ``host`` is the node's name among its peers.

    What only HAProxy can resolve (host names, environment variables, conditional blocks) is left out.
    """
    sections = _unconditional(sections)
    globals_ = [section for section in sections if section.kind == "global"]
    named = [line[1] for section in globals_ for line in section.lines_with("localpeer") if line[1:]]
    peer = named[-1] if named else host or socket.gethostname()
    found = [
        endpoint
        for section in sections
        if ("disabled",) not in section.lines
        for line, options in _listening(section, peer)
        for endpoint in _endpoints(section, line, options)
    ]
    return list(dict.fromkeys(found))


def new_endpoints(wanted: Iterable[Section], running: Iterable[Section] | None) -> list[Endpoint]:
    """The endpoints on which HAProxy does not listen yet."""
    known = set(endpoints(running)) if running is not None else set()
    return [endpoint for endpoint in endpoints(wanted) if endpoint not in known]


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


def _endpoints(section: Section, line: Words, words: Words) -> Iterator[Endpoint]:
    addresses, options = words[:1], words[1:]
    if "namespace" in options or any("$" in word for word in words):
        return
    for address in ",".join(addresses).split(","):
        form = _FORM.fullmatch(address)
        ip = _ip(form["host"], form["family"]) if form else None
        if form is None or ip is None:
            continue
        for port in range(int(form["first"]), int(form["last"] or form["first"]) + 1):
            yield Endpoint(
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


class Preflight:
    """Binds addresses for a moment, and looks up the owners of those in use. Nobody can connect meanwhile."""

    def __init__(self, own_pids: Collection[int]) -> None:
        """Set the processes of the running HAProxy, which share their sockets with their successors."""
        self._own = frozenset(own_pids)

    def problems(self, endpoints: Iterable[Endpoint]) -> list[RefusedBind]:
        """The obstacles to listening. Binds that this process may not try are skipped."""
        table = _Sockets()
        return [problem for endpoint in endpoints for problem in self._problems(endpoint, table)]

    def _problems(self, endpoint: Endpoint, table: _Sockets) -> Iterator[RefusedBind]:
        try:
            _bind(endpoint)
        except OSError as error:
            if error.errno == errno.ENODEV:
                yield RefusedBind(endpoint, "interface", _no_interface(endpoint))
                yield from self._problems(replace(endpoint, interface=""), table)
            elif error.errno == errno.EADDRINUSE and (owner := self._owner(endpoint, table)):
                yield RefusedBind(endpoint, "taken", f"{endpoint} is in use by {owner}. Stop it, or use another port.")
            elif error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                yield RefusedBind(endpoint, "absent", _no_address(endpoint))

    def _owner(self, endpoint: Endpoint, table: _Sockets) -> str:
        """The programs that hold an address; empty if it is HAProxy itself."""
        holders = table.holders(endpoint)
        others = [holder for holder in holders if self._own.isdisjoint(pid for pid, _name in holder)]
        if holders and not others:
            return ""
        if not others and self._own & table.hidden:
            return ""  # probably HAProxy itself, as a user whose processes this one may not inspect
        named = sorted({(name, pid) for holder in others for pid, name in holder})
        return " and ".join(f"{name} (process {pid})" for name, pid in named) or "an unknown process"


def _bind(endpoint: Endpoint) -> None:
    version = ipaddress.ip_address(endpoint.address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if endpoint.udp else socket.SOCK_STREAM) as probe:
        if not endpoint.udp:  # two UDP sockets with this option share an address, and one starves
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if endpoint.v6only is not None:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, endpoint.v6only)
        if endpoint.transparent:
            for level, option in _TRANSPARENT[version]:
                with suppress(PermissionError):
                    probe.setsockopt(level, option, 1)
        if endpoint.interface:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, endpoint.interface.encode())
        probe.bind((endpoint.address, endpoint.port))


def _no_interface(endpoint: Endpoint) -> str:
    return (
        f"this node has no network interface {endpoint.interface}; HAProxy would listen for {endpoint} on every"
        " interface."
    )


def _no_address(endpoint: Endpoint) -> str:
    version = ipaddress.ip_address(endpoint.address).version
    return (
        f"{endpoint.address} is not an address of this node, and net.ipv{version}.ip_nonlocal_bind is 0. Give the node"
        " the address, or let HAProxy bind addresses that the node does not hold: set haproxy_bind_on_non_local: true,"
        " or the option transparent for this bind."
    )


class _Sockets:
    """The sockets of this node and the processes that hold them, read on first use."""

    def __init__(self) -> None:
        self.hidden: set[int] = set()  # processes whose sockets need more privileges to see

    def holders(self, endpoint: Endpoint) -> list[frozenset[tuple[int, str]]]:
        """The holders of the sockets that conflict with an endpoint: process ids and names."""
        mine = ipaddress.ip_address(endpoint.address)
        rows = [
            row
            for row in (self._udp if endpoint.udp else self._tcp)
            if row.port == endpoint.port and (mine == row.address or mine.is_unspecified or row.address.is_unspecified)
        ]
        rows = [row for row in rows if row.listens] or rows
        held = (self._processes.get(row.inode) for row in rows)
        return [frozenset(holders.items()) for holders in held if holders]

    @cached_property
    def _tcp(self) -> list[_Row]:
        return [*_rows("tcp"), *_rows("tcp6")]

    @cached_property
    def _udp(self) -> list[_Row]:
        return [*_rows("udp"), *_rows("udp6")]

    @cached_property
    def _processes(self) -> dict[str, dict[int, str]]:
        """Inode to process ids to names."""
        result: dict[str, dict[int, str]] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                for handle in (process / "fd").iterdir():
                    with suppress(FileNotFoundError):
                        target = str(handle.readlink())
                        if target.startswith("socket:["):
                            result.setdefault(target[8:-1], {})[int(process.name)] = name
            except PermissionError:
                self.hidden.add(int(process.name))
            except OSError:  # it ended
                continue
        return result


class _Row(t.NamedTuple):
    address: IP
    port: int
    listens: bool
    inode: str


def _rows(protocol: str) -> Iterator[_Row]:
    with suppress(FileNotFoundError):  # no IPv6
        for line in Path("/proc/net", protocol).read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            address, port = words[1].split(":")
            yield _Row(_decoded(address), int(port, 16), words[3] == _LISTENS, words[9])


def _decoded(word: str) -> IP:
    """An address as /proc/net has it: words of 32 bits in the byte order of the machine."""
    packed = b"".join(struct.pack("=I", int(word[place : place + 8], 16)) for place in range(0, len(word), 8))
    address = ipaddress.ip_address(packed)
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
