# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses keepalived moves by the variables of an inventory, and which variable says so."""

from __future__ import annotations

import typing as t
from ipaddress import ip_interface

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import subject_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import Interface, flaw
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

Variables = t.Mapping[str, t.Any]
Entries = t.Mapping[str, t.Any]

VIP_VARIABLES = {
    "external": "haproxy_keepalived_external_vip_cidr",
    "internal": "haproxy_keepalived_internal_vip_cidr",
}
_KEYS = ("vips", "vips_excluded")
_HINT = "Write an address that a node can have, with the prefix length of its network."


class Spot(t.NamedTuple):
    """A text of the inventory that stands for a virtual address."""

    path: str
    text: str
    needs_prefix: bool = False

    @property
    def address(self) -> str:
        """Without what ``ip address add`` takes behind it, such as ``dev eth0``."""
        return (self.text.split() or [""])[0]


class Carried(t.NamedTuple):
    """A virtual address, and where it is written."""

    address: Interface
    spot: Spot


Spots = dict[tuple[str, str], list[Spot]]
"""By instance and key, as overrides replace them."""


def carried(variables: Variables) -> tuple[list[Carried], list[Problem]]:
    """Every address that an instance of keepalived carries, and every text that should be one and cannot.

    ``keepalived_instances`` replaces the VIPs, ``keepalived_instances_overrides`` replaces lists of either, and raw
    lines come on top.
    """
    instances = variables.get("keepalived_instances") or {}
    spots = _of_instances("keepalived_instances", instances) if instances else _of_vips(variables)
    overrides = variables.get("keepalived_instances_overrides") or {}
    spots.update(_of_instances("keepalived_instances_overrides", overrides))
    found: list[Carried] = []
    mistakes: list[Problem] = []
    for spot in [*(spot for group in spots.values() for spot in group), *_raw(variables)]:
        if why := flaw(spot.address, spot.needs_prefix):
            hint = "" if "such as" in why else _HINT
            mistakes.append(Problem(spot.path, shown(spot.text), f"{spot.text!r} {why}", hint))
        else:
            found.append(Carried(ip_interface(spot.address), spot))
    return found, mistakes


def _of_vips(variables: Variables) -> Spots:
    """By the names of the instances that each VIP becomes."""
    given = variables.get("keepalived_vips") or []
    named = [(entry.get("name", ""), f"keepalived_vips[{index}].cidr", entry) for index, entry in enumerate(given)]
    cidrs = [(name, path, entry.get("cidr")) for name, path, entry in named if isinstance(entry, t.Mapping)]
    if not given:
        cidrs = [(name, variable, variables.get(variable)) for name, variable in VIP_VARIABLES.items()]
    found: Spots = {}
    for name, path, cidr in cidrs:
        for spot in _spots(path, cidr, needs_prefix=True):
            instance = f"{name}_ipv6" if ":" in spot.text else name
            # Adverts name the first address only.
            key = _KEYS[(instance, _KEYS[0]) in found]
            found.setdefault((instance, key), []).append(spot)
    return found


def _of_instances(variable: str, instances: Entries) -> Spots:
    return {
        (name, key): list(_spots(f"{variable}.{name}.{key}", entry[key]))
        for name, entry in instances.items()
        if isinstance(entry, t.Mapping)
        for key in _KEYS
        if key in entry
    }


def _spots(path: str, value: t.Any, needs_prefix: bool = False) -> t.Iterator[Spot]:
    if isinstance(value, str):
        if value:
            yield Spot(path, value, needs_prefix)
        return
    for index, text in enumerate(value or ()):
        if text:
            yield Spot(f"{path}[{index}]", str(text), needs_prefix)


def _raw(variables: Variables) -> t.Iterator[Spot]:
    """The addresses in lines that are written as they are."""
    instances = {**(variables.get("keepalived_instances") or {})}
    instances.update(variables.get("keepalived_instances_overrides") or {})
    texts = {"keepalived_raw": variables.get("keepalived_raw")}
    for name, entry in instances.items():
        if isinstance(entry, t.Mapping):
            texts[f"keepalived_instances.{name}.raw"] = entry.get("raw")
    for path, lines in texts.items():
        text = lines if isinstance(lines, str) else "\n".join(map(str, lines or ()))
        for statement in subject_of(text).root.walk():
            for entry in statement.entries("virtual_ipaddress", "virtual_ipaddress_excluded"):
                yield Spot(path, " ".join(entry.words))
