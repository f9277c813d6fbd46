# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that services and settings become have an attribute for each key of their tables, and its type."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema import kinds
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import BooleanOrPath
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import TypedRecord
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import Vip

# What is resolved once all is read: names to addresses, variables to VIPs, lists to patterns, VIPs to binds.
RESOLVED: dict[str, t.Any] = {
    "a backend node.ip_addr": str,
    "a setting.vips": list[Vip],
    "a setting.network_lists": dict[str, str],
    "a service.binds": tuple[Bind, ...],
    "a service.expect": t.Optional[list[dict[str, t.Any]]],
}
SIMPLE = {kinds.Boolean: bool, kinds.Integer: int, kinds.Anything: t.Any, BooleanOrPath: t.Union[bool, str]}


def typed_records(kind: kinds.Kind) -> t.Iterator[TypedRecord]:
    """Every table with a class in a kind of value."""
    if isinstance(kind, (kinds.ListOf, kinds.DictOf)):
        yield from typed_records(kind.of)
    elif isinstance(kind, TypedRecord):
        yield kind
        for key in kind.keys:
            yield from typed_records(key.kind)


RECORDS = {record.what: record for top in (SERVICE, SETTINGS) for record in typed_records(top)}


def type_of(kind: kinds.Kind) -> t.Any:
    """The type of what a kind of value is read as."""
    if isinstance(kind, TypedRecord):
        return kind.shape
    if isinstance(kind, Record):
        return dict[str, t.Any]
    if isinstance(kind, kinds.ListOf):
        return list[type_of(kind.of)]  # type: ignore[misc]
    if isinstance(kind, kinds.DictOf):
        return dict[str, type_of(kind.of)]  # type: ignore[misc]
    # All others are read as text.
    return SIMPLE.get(type(kind), str)


def fields_of(record: TypedRecord) -> dict[str, t.Any]:
    """The attributes that follow from a table, with their types. Only services and settings have their defaults in."""
    fields = {}
    for key in record.keys:
        is_whole = record in (SERVICE, SETTINGS)
        is_sure = key.required or (is_whole and (key.default is not None or bool(key.follows)))
        name = {"from": "from_"}.get(key.name, key.name.removeprefix("haproxy_"))
        fields[name] = type_of(key.kind) if is_sure else t.Optional[type_of(key.kind)]
    own = {path.rpartition(".")[2]: kind for path, kind in RESOLVED.items() if path.startswith(f"{record.what}.")}
    return fields | own


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.what)
def test_a_class_holds_to_its_table(record: TypedRecord) -> None:
    assert t.get_type_hints(record.shape) == fields_of(record)


@pytest.mark.parametrize("record", RECORDS.values(), ids=lambda record: record.what)
def test_nobody_changes_what_has_been_checked(record: TypedRecord) -> None:
    assert record.shape.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_the_tables_of_services_and_settings_are_all_typed() -> None:
    """But for those that other rooms read, and network lists, of which half a one is read too."""

    def untyped(kind: kinds.Kind) -> t.Iterator[str]:
        if isinstance(kind, (kinds.ListOf, kinds.DictOf)):
            yield from untyped(kind.of)
        elif isinstance(kind, Record):
            yield from () if isinstance(kind, TypedRecord) else (kind.what,)
            for key in kind.keys:
                yield from untyped(key.kind)

    assert {what for top in (SERVICE, SETTINGS) for what in untyped(top)} == {"a VIP", "a network list"}


def test_plain_data_is_what_was_given() -> None:
    given = {
        "haproxy_service_name": "web",
        "haproxy_port": 443,
        "haproxy_bind": [{"address": "203.0.113.10", "options": ["maxconn 10"]}],
        "haproxy_acls": {"api": {"rule": "path_beg /api", "backend_name": "web"}},
        "haproxy_map_entries": [{"name": "m", "entries": []}],
        "haproxy_backend_nodes": [{"name": "w1", "ip_addr": "10.0.0.21", "weight": 0}],
    }
    checked = check({"haproxy_service_configs": [given]}, {"haproxy_errorfiles": [{"code": 503, "path": "/a"}]}, {})
    assert checked.problems.errors == []
    plain = SERVICE.plain(checked.services[0])
    assert {key: value for key, value in plain.items() if key in given} == given
    assert set(plain) <= {key.name for key in SERVICE.keys}
    assert SETTINGS.plain(checked.settings)["haproxy_errorfiles"] == [{"code": "503", "path": "/a"}]


def test_a_service_comes_with_addresses_and_binds() -> None:
    """Nobody resolves them a second time."""
    service = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": "w1"}
    found = check({"haproxy_service_configs": [service]}, {"internal_lb_vip_address": "10.0.0.9"}, {"w1": "10.0.0.21"})
    [web] = found.services
    assert [(node.name, node.ip_addr) for node in web.nodes] == [("w1", "10.0.0.21")]
    assert web.backend_port == 80
    assert list(map(str, web.binds)) == ["*:80", "10.0.0.9:80"]
    assert dataclasses.replace(web, balance_type="tcp").binds is web.binds
