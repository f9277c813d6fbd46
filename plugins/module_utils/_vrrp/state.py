# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""keepalived's report on its VRRP instances, in any of its forms."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from ipaddress import ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement

# keepalived's numbers of states.
_STATES = {0: "INIT", 1: "BACKUP", 2: "MASTER", 3: "FAULT"}

_VERSION = re.compile(r"Keepalived v(\d+(?:\.\d+)*)")
_INSTANCE = re.compile(r"^ VRRP Instance = (.*)$", re.MULTILINE)
_SECTION = re.compile(r"^------<", re.MULTILINE)
_ADDRESSES = re.compile(r"^   Virtual IP\b.*\n((?:     \S.*\n)*)", re.MULTILINE)
_DEFAULT_PRIORITY = 100


@dataclass(frozen=True)
class VirtualAddress:
    """An address with its prefix length, and the interface that it belongs on; for a VMAC the one below that."""

    cidr: str
    interface: str

    @property
    def address(self) -> str:
        return self.cidr.partition("/")[0]


@dataclass(frozen=True)
class Instance:
    """One VRRP instance. Without a running keepalived it has no state and no effective priority."""

    name: str
    state: str | None
    interface: str
    virtual_router_id: int
    priority: int
    effective_priority: int | None
    version: int
    addresses: tuple[VirtualAddress, ...]


def version(text: str) -> str | None:
    """The version in what ``keepalived --version`` says."""
    found = _VERSION.search(text)
    return found[1] if found else None


def from_json(text: str) -> tuple[Instance, ...]:
    """The instances of ``keepalived.json``; ValueError while it is incomplete."""
    return tuple(_from_json(Fields(Fields(entry)["data"])) for entry in json.loads(text))


def _from_json(data: Fields[t.Any]) -> Instance:
    return Instance(
        name=data["iname"],
        state=_STATES.get(data["state"], str(data["state"])),
        interface=data["ifp_ifname"],
        virtual_router_id=data["vrid"],
        priority=data["base_priority"],
        effective_priority=data["effective_priority"],
        version=data["version"],
        addresses=_addresses([*data.get("vips", []), *data.get("evips", [])], data["ifp_ifname"]),
    )


def from_data(text: str) -> tuple[Instance, ...]:
    """The instances of ``keepalived.data``, which builds without JSON write; ValueError if it is incomplete."""
    if "------< Interfaces >------" not in text:
        raise ValueError("The end of the text is missing.")
    topology = text.partition("------< VRRP Topology >------\n")[2]
    end = _SECTION.search(topology)
    parts = _INSTANCE.split(topology[: end.start()] if end else topology)[1:]
    return tuple(_from_data(name, body) for name, body in zip(parts[::2], parts[1::2]))


def _from_data(name: str, body: str) -> Instance:
    fields: Fields[str] = Fields(line.strip().split(" = ", 1) for line in body.splitlines() if " = " in line)
    interface = fields["Interface"].partition(",")[0]
    lines = [line.strip() for block in _ADDRESSES.findall(body) for line in block.splitlines()]
    return Instance(
        name=name,
        state=fields["State"],
        interface=interface,
        virtual_router_id=int(fields["Virtual Router ID"]),
        priority=int(fields["Priority"]),
        effective_priority=int(fields["Effective priority"]),
        version=int(fields["VRRP Version"]),
        addresses=_addresses(lines, interface),
    )


def from_config(statements: t.Iterable[Statement]) -> tuple[Instance, ...]:
    """The instances that a keepalived.conf asks for."""
    statements = tuple(statements)
    general = next((block for block in statements if block.keyword == "global_defs"), Statement((), 0))
    return tuple(
        Instance(
            name=block.rest,
            state=None,
            interface=block.value("interface"),
            virtual_router_id=int(block.number("virtual_router_id", 0)),
            priority=int(block.number("priority", _DEFAULT_PRIORITY)),
            effective_priority=None,
            version=int(block.number("version", general.number("vrrp_version", 2))),
            addresses=_addresses(
                [" ".join(entry.words) for entry in block.entries("virtual_ipaddress", "virtual_ipaddress_excluded")],
                block.value("interface"),
            ),
        )
        for block in statements
        if block.keyword == "vrrp_instance"
    )


def _addresses(lines: t.Iterable[str], interface: str) -> tuple[VirtualAddress, ...]:
    """From lines such as ``192.0.2.10/24 dev vrrp.10@eth0 scope global set``."""
    found = []
    for words in (line.split() for line in lines):
        try:
            cidr = ip_interface(words[0]).with_prefixlen
        except ValueError:
            continue
        named = words[words.index("dev") + 1] if "dev" in words[:-1] else interface
        found.append(VirtualAddress(cidr, named.rpartition("@")[2]))
    return tuple(found)
