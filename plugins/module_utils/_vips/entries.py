# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VIPs as users write them, read with their table. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.schema import table
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import (
    DEFAULT_ADVERT_INT,
    TYPES,
    UserCertificate,
    Vip,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem


@dataclasses.dataclass(frozen=True)
class VariablePlace(Place):
    """A VIP that several variables define: each of its keys is one."""

    variables: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def key(self, name: str) -> VariablePlace:
        return self._at(self.variables.get(name, f"{self.path}.{name}"))

    def named(self, name: str) -> VariablePlace:  # noqa: ARG002 - the interface of all places
        """The same place: its variable already names the VIP."""
        return self


def read_entries(
    variable: str, entries: t.Any, *, is_older: bool = False, needs_prefix: bool = True
) -> tuple[list[Vip], list[Problem]]:
    """The VIPs of a list, and the mistakes in the others.

    An older list has no types, and an empty address leaves a VIP out.
    """
    problems = Problems()
    place = Place(problems, variable)
    if not isinstance(entries, (list, tuple)):
        place.wrong(entries, "is not a list of VIPs", "Write a list of dictionaries, each with name and address.")
        return [], problems.errors
    found: list[Vip] = []
    for index, entry in enumerate(entries):
        here = place.item(index)
        if not isinstance(entry, t.Mapping):
            here.wrong(entry, "is not a VIP", "Write a dictionary with name and address.")
        elif not is_older or items(entry.get("address", entry.get("cidr"))):
            found += read_vip(entry, here, "" if is_older else TYPES[0], needs_prefix)
    return found, problems.errors


def items(value: t.Any) -> list[t.Any]:
    """One item or many as a list, without empty ones."""
    many = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in many if one not in (None, "")]


def read_vip(
    entry: t.Mapping[str, t.Any], place: Place, default_type: str = "", needs_prefix: bool = True
) -> list[Vip]:
    """The VIP of a dictionary, or None with its mistakes recorded."""
    read, is_whole = table(needs_prefix).read_keys(entry, place.named(str(entry.get("name") or "")))
    if "certificate" in read and "letsencrypt" in read:
        why = "certificate is not used beside a certificate from Let's Encrypt"
        place.named(read.get("name", "")).key("certificate").wrong(None, why, "Remove certificate or letsencrypt.")
        return []
    if not is_whole:
        return []
    router_id = read.get("virtual_router_id")
    return [
        Vip(
            addresses=read["address"],
            name=read["name"],
            path=place.path,
            type=read.get("type", default_type),
            names=read.get("names", ()),
            tls=read.get("tls"),
            certificate=UserCertificate.of(read["certificate"], "") if "certificate" in read else None,
            letsencrypt=read.get("letsencrypt", ""),
            bind_address=read.get("bind_address", ""),
            bind_interface=read.get("bind_interface", ""),
            interface=read.get("interface", ""),
            virtual_router_id=None if router_id is None else int(router_id),
            advert_int=read.get("advert_int", DEFAULT_ADVERT_INT),
            hosts=read.get("hosts", ()),
            sync_group=read.get("sync_group", ""),
        )
    ]
