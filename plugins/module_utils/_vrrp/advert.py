# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adverts of VRRP version 3, as RFC 9568 has them in section 5."""

from __future__ import annotations

import struct

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Address, Instance

# Sections 5.1.1.4 and 5.1.1.3.
PROTOCOL = 112
TTL = 255
VERSION = 3
_ADVERTISEMENT = 1
# The advert interval has twelve bits, in hundredths of a second.
_LONGEST_INTERVAL = 0xFFF


def advert(instance: Instance, priority: int, source: Address, target: Address) -> bytes:
    """The advert of an instance, without the header of IP. ``priority`` is 0 to 255."""
    head = struct.pack(
        "!BBBB", VERSION << 4 | _ADVERTISEMENT, int(instance.router_id), priority, len(instance.addresses)
    )
    interval = struct.pack("!H", min(round(instance.advert * 100), _LONGEST_INTERVAL))
    addresses = b"".join(address.ip.packed for address in instance.addresses)
    length = len(head) + len(interval) + 2 + len(addresses)
    # keepalived covers the pseudo header in IPv4 as well.
    lengths = struct.pack("!BBH", 0, PROTOCOL, length) if source.version == 4 else struct.pack("!II", length, PROTOCOL)
    checksum = _checksum(source.packed + target.packed + lengths + head + interval + addresses)
    return head + interval + checksum + addresses


def _checksum(data: bytes) -> bytes:
    """That of the internet (RFC 1071) over an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
