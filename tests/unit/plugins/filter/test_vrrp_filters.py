# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters add to the functions behind them: lookup of hosts, plain data, errors that Ansible shows."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_model import keepalived_model_filter
from ansible_collections.lbforge.haproxy.plugins.filter.vrrp_instances import vrrp_instances_filter

HOSTVARS = {f"lb{n}": {"ansible_host": f"10.0.0.{n}"} for n in (1, 2, 3)}
VIP = {"name": "external", "cidr": "10.0.0.100/24", "interface": "eth0", "virtual_router_id": 10}


def test_vrrp_instances() -> None:
    found = vrrp_instances_filter([VIP], host="lb2", hosts=["lb3", "lb2"], hostvars=HOSTVARS)

    assert found["external"]["unicast_peers"] == ["10.0.0.3"]


def test_no_vip_needs_nothing() -> None:
    assert vrrp_instances_filter([{**VIP, "cidr": ""}], host="lb9", hosts=["lb1"], hostvars=HOSTVARS) == {}


def test_vrrp_instances_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="1 mistake in the keepalived data: VIP external: no interface"):
        vrrp_instances_filter([{**VIP, "interface": ""}], host="lb1", hosts=["lb1"], hostvars=HOSTVARS)


def test_keepalived_model() -> None:
    instance = {"interface": "eth0", "state": "BACKUP", "virtual_router_id": 1, "priority": 1, "vips": ["10.0.0.100"]}

    assert keepalived_model_filter({"one": instance}) == [
        {
            "title": "vrrp_instance one",
            "settings": ("interface eth0", "state BACKUP", "virtual_router_id 1", "priority 1"),
            "blocks": ({"title": "virtual_ipaddress", "settings": ("10.0.0.100",), "blocks": ()},),
        }
    ]


def test_keepalived_model_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match=r"keepalived_instances\.one\.interface: is missing"):
        keepalived_model_filter({"one": {}})
