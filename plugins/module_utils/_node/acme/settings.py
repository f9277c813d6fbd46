# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the role: certificates, peers, certbot and HAProxy."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import pathlib
import shlex
import socket

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.own_links import own_links


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One certificate: its names, and its files in HAProxy."""

    name: str
    domains: tuple[str, ...]
    files: tuple[str, ...]
    key_type: str
    server: str
    renew_before: float


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True)
class Settings:
    node: str
    peers: tuple[Peer, ...]
    vip: str  # its holder orders; without one, the first reachable node
    certbot: tuple[str, ...]
    certbot_directory: pathlib.Path
    store: pathlib.Path
    stats_socket: str
    certificates: tuple[Wanted, ...]

    @classmethod
    def load(cls) -> Settings:
        said = json.loads((places.SETTINGS / "config.json").read_text())
        return cls(
            node=said["node"],
            peers=tuple(
                Peer(name, address, said["peers_port"])
                for name, address in sorted(said["peers"].items())
                if name != said["node"]
            ),
            vip=said["vip"],
            certbot=(*said["certbot"], *shlex.split(said["certbot_extra"])),
            certbot_directory=pathlib.Path(said["certbot_directory"]),
            store=pathlib.Path(said["store"]),
            stats_socket=said["stats_socket"],
            certificates=tuple(
                Wanted(
                    name=each["name"],
                    domains=tuple(each["domains"]),
                    files=tuple(each.get("files", [each["name"]])),
                    key_type=said["key_type"],
                    server=said["server"],
                    renew_before=said["renew_before"],
                )
                for each in said["certificates"]
            ),
        )

    def wanted(self, name: str) -> Wanted:
        for each in self.certificates:
            if each.name == name:
                return each
        raise Refused("is not a certificate of this node")

    @property
    def holds_vip(self) -> bool:
        """Whether this node has the address."""
        held = {address for link in own_links(loopback=True) for address in link.bare}
        return not held.isdisjoint(addresses(self.vip))


def addresses(host: str) -> list[str]:
    """The addresses of a host name or address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]
