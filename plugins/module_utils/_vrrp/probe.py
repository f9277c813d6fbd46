# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probe a network for the owner of an address, independently of the kernel's state."""

from __future__ import annotations

import contextlib
import ctypes
import selectors
import socket
import struct
import time
import typing as t
from ipaddress import ip_address

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.links import Link
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.neighbours import ETH_P_ALL, answer, question

_ROUNDS = 3

# The constant is missing in the socket module.
_SO_ATTACH_FILTER = 26
# A load balancer has too much traffic to look through here: the kernel lets ARP replies and neighbour advertisements
# pass. The program is of the classic BPF: operation, jump if true, jump if false, operand.
_FILTER = (
    (0x28, 0, 0, 12),  # the type of the frame
    (0x15, 5, 0, 0x0806),
    (0x15, 0, 7, 0x86DD),
    (0x30, 0, 0, 20),  # what follows the header of IPv6
    (0x15, 0, 5, 58),
    (0x30, 0, 0, 54),  # the type of the ICMPv6 message
    (0x15, 2, 3, 136),
    (0x28, 0, 0, 20),  # the operation of ARP
    (0x15, 0, 1, 2),
    (0x06, 0, 0, 0xFFFF),  # pass
    (0x06, 0, 0, 0),  # drop
)


def who_answers(links: t.Sequence[Link], wanted: t.Collection[tuple[str, str]], wait: float) -> dict[str, set[str]]:
    """The MACs that answer for each of the ``wanted`` pairs of an address and its interface, within ``wait`` seconds.

    A node does not hear its own answer. Raises OSError where raw sockets are not allowed.
    """
    by_name = {link.interface: link for link in links if len(link.mac) == 17}
    heard: dict[str, set[str]] = {address: set() for address, _interface in wanted}
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as ready:
        sockets: dict[str, socket.socket] = {}
        for name in {interface for _address, interface in wanted if interface in by_name}:
            sockets[name] = stack.enter_context(_listener(name))
            ready.register(sockets[name], selectors.EVENT_READ)
        for _round in range(_ROUNDS if sockets else 0):
            for address, interface in wanted:
                if interface in sockets:
                    _send(sockets[interface], _question(by_name[interface], address))
            _listen(ready, heard, wait / _ROUNDS)
    return heard


def _listener(interface: str) -> socket.socket:
    """A socket that hears the answers on one interface. Until it is bound it hears nothing."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in _FILTER))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(program)))
    sock.bind((interface, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def _question(link: Link, address: str) -> bytes:
    sources = [own for own in link.bare if ":" in own and own != address]
    # Neighbours answer a link-local address whatever routes they have.
    source = next((own for own in sources if ip_address(own).is_link_local), sources[0] if sources else None)
    return question(bytes.fromhex(link.mac.replace(":", "")), address, source)


def _send(sock: socket.socket, frame: bytes) -> None:
    # On a link that is down nobody answers.
    with contextlib.suppress(OSError):
        sock.send(frame)


def _listen(ready: selectors.BaseSelector, heard: dict[str, set[str]], wait: float) -> None:
    deadline = time.monotonic() + wait
    while (left := deadline - time.monotonic()) > 0:
        for key, _events in ready.select(left):
            try:
                frame, origin = t.cast("socket.socket", key.fileobj).recvfrom(2048)
            except OSError:
                continue
            found = answer(frame) if origin[2] != socket.PACKET_OUTGOING else None
            if found and found[0] in heard:
                heard[found[0]].add(found[1])
