# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests and answers for an address by ARP (RFC 826) or Neighbour Discovery (RFC 4861)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

ETH_P_ALL = 3

_ARP = 0x0806
_IPV6 = 0x86DD
_ICMPV6 = 58
_SOLICITATION = 135
_ADVERTISEMENT = 136
_TARGET_LINK_LAYER_ADDRESS = 2
_HOP_LIMIT = 255

_ARP_FORMAT = struct.Struct("!HHBBH6s4s6s4s")
_IPV6_FORMAT = struct.Struct("!IHBB16s16s")
_ETHERNET = 14


def question(mac: bytes, address: str, source: str | None) -> bytes:
    """The whole Ethernet frame; ``source`` is an IPv6 address of the asking interface."""
    target = ip_address(address)
    if isinstance(target, IPv4Address):
        return _arp_probe(mac, target)
    return _solicitation(mac, target, IPv6Address(source or "::"))


def answer(frame: bytes) -> tuple[str, str] | None:
    """The address that a frame claims, and the MAC that claims it; None for other frames."""
    if len(frame) < _ETHERNET:
        return None
    kind = int.from_bytes(frame[12:14], "big")
    content = frame[_ETHERNET:]
    if kind == _ARP and len(content) >= _ARP_FORMAT.size:
        *_formats, operation, mac, sender, _target_mac, _target = _ARP_FORMAT.unpack_from(content)
        return (str(IPv4Address(sender)), _text(mac)) if operation == 2 else None
    if kind == _IPV6 and len(content) >= _IPV6_FORMAT.size + 24:
        _flow, _length, following, hops, _source, _destination = _IPV6_FORMAT.unpack_from(content)
        message = content[_IPV6_FORMAT.size :]
        if following == _ICMPV6 and hops == _HOP_LIMIT and message[0] == _ADVERTISEMENT:
            mac = message[26:32] if message[24:26] == bytes([_TARGET_LINK_LAYER_ADDRESS, 1]) else frame[6:12]
            return str(IPv6Address(message[8:24])), _text(mac)
    return None


def _arp_probe(mac: bytes, target: IPv4Address) -> bytes:
    """An ARP probe without a sender (RFC 5227), which changes no cache."""
    request = _ARP_FORMAT.pack(1, 0x0800, 6, 4, 1, mac, bytes(4), bytes(6), target.packed)
    return b"\xff" * 6 + mac + _ARP.to_bytes(2, "big") + request


def _solicitation(mac: bytes, target: IPv6Address, source: IPv6Address) -> bytes:
    group = IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + target.packed[-3:])
    # A solicitation without a source must not tell a link layer address.
    option = bytes([1, 1]) + mac if int(source) else b""
    body = struct.pack("!I", 0) + target.packed + option
    length = 4 + len(body)
    pseudo = source.packed + group.packed + struct.pack("!II", length, _ICMPV6)
    checksum = _checksum(pseudo + bytes([_SOLICITATION, 0, 0, 0]) + body)
    header = _IPV6_FORMAT.pack(6 << 28, length, _ICMPV6, _HOP_LIMIT, source.packed, group.packed)
    ethernet = b"\x33\x33" + group.packed[-4:] + mac + _IPV6.to_bytes(2, "big")
    return ethernet + header + struct.pack("!BBH", _SOLICITATION, 0, checksum) + body


def _checksum(data: bytes) -> int:
    """RFC 1071; all parts are of even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _text(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
