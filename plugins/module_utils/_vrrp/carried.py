# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses that keepalived moves with the variables of an inventory, and the variable of each."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import read
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Address
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import subject_of
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

Variables = t.Mapping[str, t.Any]
Entries = t.Mapping[str, t.Any]

_KEYS = ("vips", "vips_excluded")

Addresses = dict[tuple[str, str], list[Address]]
"""By instance and key, as overrides replace them."""


def carried(variables: Variables) -> tuple[list[Address], list[Problem]]:
    """Every address of a keepalived instance, and every text that should be an address but is not.

    ``keepalived_instances`` replaces the VIPs, ``keepalived_instances_overrides`` replaces lists of either, and raw
    lines come on top.
    """
    mistakes: list[Problem] = []
    instances = variables.get("keepalived_instances") or {}
    if instances:
        found = _of_instances("keepalived_instances", instances)
    else:
        found, mistakes = _of_vips(variables)
    overrides = variables.get("keepalived_instances_overrides") or {}
    found.update(_of_instances("keepalived_instances_overrides", overrides))
    # A prefix length is needed in VIPs only, where the reader has asked for it.
    flaws = {
        address: address.mistake(needs_prefix=False)
        for address in [*(address for group in found.values() for address in group), *_raw(variables)]
    }
    mistakes += [mistake for mistake in flaws.values() if mistake]
    return [address for address, mistake in flaws.items() if not mistake], mistakes


def _of_vips(variables: Variables) -> tuple[Addresses, list[Problem]]:
    """By the names of the instances that each VIP becomes."""
    vips, mistakes = read(variables)
    found: Addresses = {}
    for vip in vips:
        for address in vip.addresses:
            instance = f"{vip.name}_ipv6" if address.interface.version == 6 else vip.name
            # Adverts name the first address only.
            key = _KEYS[(instance, _KEYS[0]) in found]
            found.setdefault((instance, key), []).append(address)
    return found, mistakes


def _of_instances(variable: str, instances: Entries) -> Addresses:
    return {
        (name, key): list(_addresses(f"{variable}.{name}.{key}", entry[key]))
        for name, entry in instances.items()
        if isinstance(entry, t.Mapping)
        for key in _KEYS
        if key in entry
    }


def _addresses(path: str, value: t.Any) -> t.Iterator[Address]:
    if isinstance(value, str):
        if value:
            yield Address(value, path)
        return
    for index, text in enumerate(value or ()):
        if text:
            yield Address(str(text), f"{path}[{index}]")


def _raw(variables: Variables) -> t.Iterator[Address]:
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
                yield Address(" ".join(entry.words), path)
