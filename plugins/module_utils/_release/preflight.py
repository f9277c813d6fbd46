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
import socket
import struct
import typing as t
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import IP, Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import Message, warning

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# <linux/in.h> and <linux/in6.h>; Python has no names for them.
_TRANSPARENT = {
    4: ((socket.IPPROTO_IP, 19), (socket.IPPROTO_IP, 15)),  # IP_TRANSPARENT, IP_FREEBIND
    6: ((socket.IPPROTO_IPV6, 75), (socket.IPPROTO_IP, 15)),  # IPV6_TRANSPARENT
}
_LISTENS = "0A"  # <net/tcp_states.h>


@dataclass(frozen=True)
class RefusedBind:
    """The reason why HAProxy cannot listen, in a sentence for the user.

    ``taken`` and ``absent`` make a reload fail. With ``interface`` HAProxy only warns, and listens on all interfaces.
    """

    bind: Bind
    kind: t.Literal["taken", "absent", "interface"]
    sentence: str

    @property
    def message(self) -> Message:
        """The problem with its line."""
        return warning(self.sentence, " ".join(self.bind.line), self.bind.section)


class Preflight:
    """Binds addresses for a moment, and looks up the owners of those in use. Nobody can connect meanwhile."""

    def __init__(self, own_pids: Collection[int]) -> None:
        """Set the processes of the running HAProxy, which share their sockets with their successors."""
        self._own = frozenset(own_pids)

    def problems(self, binds: Iterable[Bind]) -> list[RefusedBind]:
        """The obstacles to listening. Binds that this process may not try are skipped."""
        table = _Sockets()
        return [problem for bind in binds for problem in self._problems(bind, table)]

    def _problems(self, bind: Bind, table: _Sockets) -> Iterator[RefusedBind]:
        try:
            _bind(bind)
        except OSError as error:
            if error.errno == errno.ENODEV:
                yield RefusedBind(bind, "interface", _no_interface(bind))
                yield from self._problems(replace(bind, interface=""), table)
            elif error.errno == errno.EADDRINUSE and (owner := self._owner(bind, table)):
                yield RefusedBind(bind, "taken", f"{bind} is in use by {owner}. Stop it, or use another port.")
            elif error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                yield RefusedBind(bind, "absent", _no_address(bind))

    def _owner(self, bind: Bind, table: _Sockets) -> str:
        """The programs that hold an address; empty if it is HAProxy itself."""
        holders = table.holders(bind)
        others = [holder for holder in holders if self._own.isdisjoint(pid for pid, _name in holder)]
        if holders and not others:
            return ""
        if not others and self._own & table.hidden:
            return ""  # probably HAProxy itself, as a user whose processes this one may not inspect
        named = sorted({(name, pid) for holder in others for pid, name in holder})
        return " and ".join(f"{name} (process {pid})" for name, pid in named) or "an unknown process"


def _bind(bind: Bind) -> None:
    version = ipaddress.ip_address(bind.address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if bind.udp else socket.SOCK_STREAM) as probe:
        if not bind.udp:  # two UDP sockets with this option share an address, and one starves
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bind.v6only is not None:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, bind.v6only)
        if bind.transparent:
            for level, option in _TRANSPARENT[version]:
                with suppress(PermissionError):
                    probe.setsockopt(level, option, 1)
        if bind.interface:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bind.interface.encode())
        probe.bind((bind.address, bind.port))


def _no_interface(bind: Bind) -> str:
    return f"this node has no network interface {bind.interface}; HAProxy would listen for {bind} on every interface."


def _no_address(bind: Bind) -> str:
    version = ipaddress.ip_address(bind.address).version
    return (
        f"{bind.address} is not an address of this node, and net.ipv{version}.ip_nonlocal_bind is 0. Give the node"
        " the address, or let HAProxy bind addresses that the node does not hold: set haproxy_bind_on_non_local: true,"
        " or the option transparent for this bind."
    )


class _Sockets:
    """The sockets of this node and the processes that hold them, read on first use."""

    def __init__(self) -> None:
        self.hidden: set[int] = set()  # processes whose sockets need more privileges to see

    def holders(self, bind: Bind) -> list[frozenset[tuple[int, str]]]:
        """The holders of the sockets that conflict with a bind: process ids and names."""
        mine = ipaddress.ip_address(bind.address)
        rows = [
            row
            for row in (self._udp if bind.udp else self._tcp)
            if row.port == bind.port and (mine == row.address or mine.is_unspecified or row.address.is_unspecified)
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
