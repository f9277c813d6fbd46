# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets that something listens on: how they are written, and which of two gets a connection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Address, Vip


def endpoint(address: str, port: int) -> str:
    """Address and port as HAProxy writes them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclasses.dataclass(frozen=True)
class Bind:
    """One listening socket of one frontend."""

    vip: Vip
    address: str
    port: int
    tls: bool = False
    #: words at the end of the line
    options: tuple[str, ...] = ()

    @classmethod
    def of_address(
        cls, address: str, port: int, interface: str = "", *, tls: bool = False, options: t.Iterable[str] = ()
    ) -> Bind:
        """A bind that belongs to no VIP of the inventory."""
        return cls(local(address, interface, type="internal"), address, port, tls, tuple(options))

    def __str__(self) -> str:
        interface = f" interface {self.vip.bind_interface}" if self.vip.bind_interface else ""
        return f"{endpoint(self.address, self.port)}{interface}"

    def is_beside(self, other: Bind) -> bool:
        """Whether a connection could come to either, as far as port and interface tell."""
        own, theirs = self.vip.bind_interface, other.vip.bind_interface
        return self.port == other.port and (own == theirs or not own or not theirs)

    def is_same(self, other: Bind) -> bool:
        """Whether the kernel would give connections to either at random, or to the one that was bound last."""
        return self.is_beside(other) and self._plain == other._plain

    def overrides(self, other: Bind) -> bool:
        """Whether connections that both could have come to this one.

        Linux prefers an address to a wildcard, and the wildcard of IPv4 to that of IPv6, which takes IPv4 too unless
        it is bound with v6only.
        """
        return self.is_beside(other) and self._rank > other._rank and bool(self._families & other._families)

    @property
    def _plain(self) -> str:
        return "*" if self.address == "0.0.0.0" else self.address

    @property
    def _rank(self) -> int:
        return {"::": 0, "*": 1}.get(self._plain, 2)

    @property
    def _families(self) -> set[int]:
        if self._plain == "::" and not self.has_word("v6only"):
            return {4, 6}
        return {6} if ":" in self._plain else {4}

    def has_word(self, word: str) -> bool:
        return any(word in option.split() for option in self.options)


def local(address: str, interface: str = "", **more: t.Any) -> Vip:
    """What stands for an address that is no VIP of the inventory."""
    return Vip((Address(address),), bind_interface=interface, is_moved=False, **more)
