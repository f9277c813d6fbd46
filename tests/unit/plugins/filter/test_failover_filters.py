# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters for a whole cluster add to the functions behind them."""

from __future__ import annotations

import typing as t

import jinja2
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.failover_budget import failover_budget_filter
from ansible_collections.lbforge.haproxy.plugins.filter.vrrp_instances import vrrp_instances_filter
from ansible_collections.lbforge.haproxy.plugins.filter.vrrp_sync_groups import vrrp_sync_groups_filter

HOSTVARS: dict[str, dict[str, t.Any]] = {f"lb{n}": {"ansible_host": f"10.0.0.{n}"} for n in (1, 2, 3)}
VIP = {"name": "external", "cidr": "10.0.0.100/24", "interface": "eth0", "virtual_router_id": 10}


class Untemplatable(dict[str, t.Any]):
    """The variables of a host whose instances need what is undefined here."""

    def get(self, key: str, default: t.Any = None) -> t.Any:
        if key == "keepalived_instances":
            raise jinja2.UndefinedError("'nowhere' is undefined")
        return super().get(key, default)


def test_vrrp_instances_of_all_hosts() -> None:
    """Each host's inventory may know better, and what only that host can tell does not stand in the way."""
    whole = {"own": {"priority": 7}}
    hostvars = {
        "lb1": {**HOSTVARS["lb1"], "keepalived_instances_overrides": {"external": {"preempt_delay": 5}}},
        "lb2": {**HOSTVARS["lb2"], "keepalived_instances": whole},
        "lb3": Untemplatable(HOSTVARS["lb3"]),
    }
    found = vrrp_instances_filter([VIP], hosts=list(hostvars), hostvars=hostvars)

    assert found["lb1"]["external"]["preempt_delay"] == 5
    assert found["lb1"]["external"]["priority"] == 254
    assert found["lb2"] == whole
    assert found["lb3"]["external"]["priority"] == 246


def test_no_vip_needs_nothing() -> None:
    assert vrrp_instances_filter([], hosts=["lb1"], hostvars=HOSTVARS) == {"lb1": {}}


def test_vrrp_instances_spread() -> None:
    vips = [VIP, {**VIP, "name": "internal", "cidr": "10.0.0.101/24", "virtual_router_id": None}]
    found = vrrp_instances_filter(vips, hosts=list(HOSTVARS), hostvars=HOSTVARS, spread=True)

    assert [found[host]["external"]["priority"] for host in HOSTVARS] == [254, 250, 246]
    assert [found[host]["internal"]["priority"] for host in HOSTVARS] == [246, 254, 250]


def test_vrrp_sync_groups() -> None:
    vips = [{**VIP, "sync_group": "g"}, {**VIP, "name": "b", "cidr": "2001:db8::9/64", "sync_group": "g"}]

    assert vrrp_sync_groups_filter(vips, scripts={"ping": {"instance": "b"}, "other": {"instance": "x"}}) == {
        "g": {
            "instances": ["external", "b_ipv6"],
            "track_scripts": ["ping"],
            "track_files": [],
            "track_processs": [],
        }
    }


def test_vrrp_sync_groups_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="VIP external: no interface"):
        vrrp_sync_groups_filter([{**VIP, "interface": ""}])


def test_failover_budget() -> None:
    cluster = vrrp_instances_filter([VIP], hosts=list(HOSTVARS), hostvars=HOSTVARS)

    seconds = failover_budget_filter(cluster)["external"]
    assert (seconds["planned_stop"], seconds["node_dead"], seconds["ping_lost"]) == (0.006, 0.756, None)
    for version in ({"global_defs": ["vrrp_version 2"]}, {"global_settings": {"vrrp_version": 2}}):
        assert failover_budget_filter(cluster, **version)["external"]["planned_stop"] == 0.023
    both = failover_budget_filter(cluster, global_defs=["vrrp_version 2"], global_settings={"vrrp_version": 3})
    assert both["external"]["planned_stop"] == 0.006
    assert failover_budget_filter(cluster, show="reasons")["external"]["ping_lost"] == "no ping check is tracked"
    assert failover_budget_filter(cluster, show="table")[1] == "                  external"


def test_failover_budget_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="show must be seconds, reasons or table, not 'minutes'"):
        failover_budget_filter({}, show="minutes")
    with pytest.raises(AnsibleFilterError, match="script is not an option"):
        failover_budget_filter({}, script={}, ssl={})
