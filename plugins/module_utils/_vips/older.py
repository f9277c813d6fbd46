# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that define VIPs besides ``haproxy_vips``: those of OpenStack-Ansible and ``keepalived_vips``. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import (
    VariablePlace,
    items,
    read_entries,
    read_vip,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import (
    TYPES,
    Address,
    UserCertificate,
    Vip,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

Variables = t.Mapping[str, t.Any]

_SHOWN = 4


def bound(variables: Variables) -> list[Vip]:
    """The VIPs that HAProxy binds: external, internal if it differs, extra VIPs; in the order of frontends."""
    if "external_lb_vip_address" not in variables:
        return []
    found: list[Vip] = []
    for index, entry in enumerate(variables["haproxy_vip_binds"]):
        found.append(_bound(entry, f"haproxy_vip_binds[{index}]", variables))
    for kind in () if found else TYPES:
        public, chosen = variables[f"{kind}_lb_vip_address"], variables[f"haproxy_bind_{kind}_lb_vip_address"]
        entry = {
            "address": chosen or public,
            "interface": variables[f"haproxy_bind_{kind}_lb_vip_interface"],
            "type": kind,
        }
        path = f"haproxy_bind_{kind}_lb_vip_address" if chosen and chosen != public else f"{kind}_lb_vip_address"
        vip = _bound(entry, path, variables)
        if (vip.plain, vip.bind_interface) not in [(other.plain, other.bind_interface) for other in found]:
            found.append(vip)
    extra = {name: variables[name] for name in ("extra_lb_tls_vip_addresses", "extra_lb_vip_addresses")}
    for name, addresses in extra.items():
        if name == "extra_lb_vip_addresses" or not variables["haproxy_vip_binds"]:
            found += [_of_address(address, f"{name}[{index}]") for index, address in enumerate(addresses)]
    with_tls, without = extra.values()
    return [
        dataclasses.replace(vip, tls=True if vip.plain[0] in with_tls else False if vip.plain[0] in without else None)
        for vip in found
    ]


def _of_address(address: str, path: str) -> Vip:
    return Vip((Address(address, path),), path=path, is_moved=False)


def _bound(entry: t.Mapping[str, t.Any], path: str, variables: Variables) -> Vip:
    """A VIP with its names: its own records and its public name."""
    kind = entry.get("type") or TYPES[0]
    names = list(entry.get("pki_san_records") or ())
    public = variables[f"{kind}_lb_vip_address"]
    if public != "*" and not is_ip(public):
        names.insert(0, public)
    if entry["address"] == "*" and not names:
        # A certificate for a wildcard needs some name; the node's own is at least true.
        names.append(variables["haproxy_host"])
    return dataclasses.replace(
        _of_address(entry["address"], path),
        type=kind,
        names=tuple(names),
        certificate=UserCertificate.of(entry),
        letsencrypt=entry.get("letsencrypt") or "",
        bind_interface=entry.get("interface") or "",
    )


def moved(variables: Variables) -> tuple[list[Vip], list[Problem]]:
    """The VIPs that keepalived moves, and the mistakes: ``keepalived_vips``, or the external and the internal one."""
    vips: list[Vip] = []
    problems: list[Problem] = []
    if given := variables.get("keepalived_vips"):
        vips, problems = read_entries("keepalived_vips", given, is_older=True)
    for kind in () if given else TYPES:
        names = of_keepalived(kind)
        entry = {key: variables.get(name) for key, name in names.items()}
        entry |= {"name": kind, "type": kind, "advert_int": variables.get("keepalived_advert_int")}
        if items(entry["address"]):
            noted = Problems()
            vips += read_vip(entry, VariablePlace(noted, names["address"], variables=names))
            problems += noted.errors
    return [dataclasses.replace(vip, is_bound=False) for vip in vips], problems


def of_keepalived(kind: str) -> dict[str, str]:
    """The variables of keepalived for the VIP of a type, by the key of a VIP."""
    names = {"address": "vip_cidr", "interface": "interface", "virtual_router_id": "virtual_router_id"}
    return {key: f"haproxy_keepalived_{kind}_{name}" for key, name in names.items()}


def disagreements(vips: t.Sequence[Vip], variables: Variables) -> list[Problem]:
    """The contradictions between these variables and ``haproxy_vips``: both places and both values."""
    found = []
    for one in _claims(vips, variables):
        known = {vip.path: one.values(vip) for vip in one.vips}
        if not any(one.value in values for values in known.values()):
            others = [f"{value!r} ({path}.{one.key})" for path, values in known.items() for value in values]
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            why = f"{one.value!r} differs from haproxy_vips, which has {', '.join(others[:_SHOWN]) or 'none'}{more}"
            hint = "Correct one of them, or remove the variable: haproxy_vips is enough."
            found.append(Problem(one.path, shown(one.value), why, hint))
    return found


class _Claim(t.NamedTuple):
    """A value of a variable besides ``haproxy_vips``, and the values that it must agree with."""

    path: str
    value: t.Any
    vips: t.Sequence[Vip]
    key: str
    values: t.Callable[[Vip], t.Sequence[t.Any]]
    """What a VIP has there."""


def _claims(vips: t.Sequence[Vip], variables: Variables) -> t.Iterator[_Claim]:
    for kind in TYPES:
        own = [vip for vip in vips if vip.type == kind]
        yield from _of_type(kind, own or vips, variables)
        for vip in own[:1]:
            keys = of_keepalived(kind)
            keys = {**keys, "bind_interface": f"haproxy_bind_{kind}_lb_vip_interface"}
            said = {key: variables.get(name) for key, name in keys.items() if key != "address"}
            yield from _of_keys(vip, said, keys, ("interface", "virtual_router_id", "bind_interface"))
    for name, is_refused in (("extra_lb_vip_addresses", True), ("extra_lb_tls_vip_addresses", False)):
        fit = [vip for vip in vips if vip.tls is not is_refused]
        for index, address in enumerate(items(variables.get(name))):
            yield _Claim(f"{name}[{index}]", address, fit, "address", lambda vip: vip.bound)
    for index, entry in enumerate(items(variables.get("haproxy_vip_binds"))):
        path = f"haproxy_vip_binds[{index}]"
        said = {"type": entry.get("type"), "bind_interface": entry.get("interface")}
        said |= {"letsencrypt": entry.get("letsencrypt"), "certificate": UserCertificate.of(entry)}
        names = {"type": "type", "bind_interface": "interface", "certificate": "user_ssl_cert"}
        paths = {key: f"{path}.{names.get(key, key)}" for key in said}
        holder = [vip for vip in vips if entry["address"] in vip.bound]
        if not holder:
            yield _Claim(f"{path}.address", entry["address"], vips, "address", lambda vip: vip.bound)
        for vip in holder[:1]:
            yield from _of_keys(vip, said, paths, tuple(said))
    for older in moved({"keepalived_vips": variables.get("keepalived_vips")})[0]:
        yield from _of_moved(older, vips)


def _of_type(kind: str, vips: t.Sequence[Vip], variables: Variables) -> t.Iterator[_Claim]:
    """The claims of the variables of a type about its addresses."""
    public = variables.get(f"{kind}_lb_vip_address")
    if public and not any(public in vip.names for vip in vips):
        yield _Claim(f"{kind}_lb_vip_address", public, vips, "address", lambda vip: vip.plain)
    if chosen := variables.get(f"haproxy_bind_{kind}_lb_vip_address"):
        yield _Claim(f"haproxy_bind_{kind}_lb_vip_address", chosen, vips, "address", lambda vip: vip.bound)
    cidr = of_keepalived(kind)["address"]
    for older in moved({cidr: variables.get(cidr)})[0]:
        for address in older.addresses:
            yield _Claim(address.path, str(address.interface), vips, "address", _networks)


def _of_moved(older: Vip, vips: t.Sequence[Vip]) -> t.Iterator[_Claim]:
    """The claims of an entry of ``keepalived_vips``."""
    for address in older.addresses:
        yield _Claim(address.path, str(address.interface), vips, "address", _networks)
    keys = ("name", "interface", "virtual_router_id", "hosts", "sync_group")
    for vip in vips:
        if older.plain[0] in vip.plain:
            said = {key: getattr(older, key) for key in keys}
            yield from _of_keys(vip, said, {key: f"{older.path}.{key}" for key in keys}, keys)


def _of_keys(
    vip: Vip, said: t.Mapping[str, t.Any], paths: t.Mapping[str, str], keys: t.Sequence[str]
) -> t.Iterator[_Claim]:
    """The claims about keys of one VIP; if it lacks a key that only keepalived needs, the variable fills it in."""
    for key in keys:
        value, own = said.get(key), getattr(vip, key)
        fills_in = key in ("interface", "virtual_router_id") and own in (None, "")
        if value not in (None, "", ()) and not fills_in:
            yield _Claim(paths[key], _text(value), [vip], key, _texts_of(key))


def _texts_of(key: str) -> t.Callable[[Vip], list[str]]:
    return lambda vip: [_text(getattr(vip, key))]


def _networks(vip: Vip) -> list[str]:
    return [str(address.interface) for address in vip.addresses]


def _text(value: t.Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value or "")
