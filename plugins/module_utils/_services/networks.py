# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks as people write them (CIDR, ranges, wildcards), and sets of them. Pure; netaddr does the arithmetic."""

from __future__ import annotations

import ipaddress
import re
import typing as t

try:
    import netaddr
except ImportError:
    # Whatever needs it asks HAS_NETADDR first.
    HAS_NETADDR = False
else:
    # Older ones take 10 for 10.0.0.0.
    HAS_NETADDR = int(netaddr.__version__.split(".")[0]) >= 1

EXAMPLES = "Write an address, CIDR such as 10.0.0.0/8 or fd00::/8, a range 10.0.0.1-10.0.0.9 or a wildcard 10.0.*.*."
# A network has a digit in front or a colon within, so nothing is both.
LIST_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

# IPv4 within IPv6 (RFC 4291 section 2.5.5.2). By it HAProxy compares IPv4 clients with IPv6 networks, and ::/0 would be
# everybody; here it is IPv6 alone.
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_FIRST_MAPPED, _LAST_MAPPED = int(_MAPPED[0]), int(_MAPPED[-1])


class NetworkError(ValueError):
    """The text is not a network, or cannot be read as one here; ``why`` and ``hint`` are for a problem."""

    def __init__(self, why: str = "is not a network", hint: str = EXAMPLES) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


def require_netaddr() -> None:
    """Raise NetworkError where netaddr is missing."""
    if not HAS_NETADDR:
        raise NetworkError(
            "needs the Python package netaddr, 1.0 or newer, on the controller",
            "Install it beside Ansible, such as by pip install 'netaddr>=1'.",
        )


def is_list_name(entry: str) -> bool:
    """Whether an entry among networks is the name of a list of them."""
    return LIST_NAME.fullmatch(entry) is not None


def cidrs(text: str) -> list[str]:
    """The networks of one entry as HAProxy reads them, which masks host bits itself; raises NetworkError."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        if not re.search(r"[*-]", text):
            raise NetworkError from None
        require_netaddr()
        return [str(cidr) for cidr in union([parsed(text)]).iter_cidrs()]
    if "%" in text:
        raise NetworkError
    if isinstance(network, ipaddress.IPv6Network) and network.supernet_of(_MAPPED) and network != _MAPPED:
        return [str(cidr) for cidr in sorted(network.address_exclude(_MAPPED))]
    return [text]


def parsed(text: str) -> t.Any:
    """An entry as netaddr's IPNetwork, IPRange or IPSet; raises NetworkError.

    IPv4 within IPv6 (::ffff:10.0.0.0/104) is IPv4, and what contains all of that, such as ::/0, leaves it out.
    """
    try:
        part = _read(text)
    except (netaddr.AddrFormatError, ValueError, TypeError) as error:
        raise NetworkError from error
    if part.version == 4 or part.first > _LAST_MAPPED or part.last < _FIRST_MAPPED:
        return part
    if part.first >= _FIRST_MAPPED and part.last <= _LAST_MAPPED:
        return netaddr.IPRange(*(netaddr.IPAddress(end - _FIRST_MAPPED, 4) for end in (part.first, part.last)))
    return netaddr.IPSet([part]) - netaddr.IPSet([str(_MAPPED)])


def _read(text: str) -> t.Any:
    first, dash, last = (part.strip() for part in text.partition("-"))
    if dash and re.search(r"[.:]", last):
        return netaddr.IPRange(first, last)
    return netaddr.IPGlob(text) if dash or "*" in text else netaddr.IPNetwork(text).cidr


def union(parts: t.Iterable[t.Any]) -> t.Any:
    """The least IPSet that holds all parts, each as from C(parsed)."""
    flat: list[t.Any] = []
    for part in parts:
        flat += part.iter_cidrs() if isinstance(part, netaddr.IPSet) else [part]
    return netaddr.IPSet(flat)
