# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters haproxy_model and host_addresses."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_model import FilterModule as Model
from ansible_collections.lbforge.haproxy.plugins.filter.host_addresses import FilterModule as Addresses

haproxy_model = Model().filters()["haproxy_model"]
host_addresses = Addresses().filters()["host_addresses"]

HOSTVARS: dict[str, dict[str, t.Any]] = {
    "web1": {"ansible_host": "10.0.0.21"},
    "web2": {"ansible_host": "192.0.2.22", "management_address": "10.0.0.22"},
    "web3": {},
    "other": {"ansible_host": "10.0.0.99"},
}


def test_services_become_sections() -> None:
    model = haproxy_model(
        [{"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": ["web1"]}],
        settings={"external_lb_vip_address": "10.0.0.1", "internal_lb_vip_address": "10.0.0.1"},
        hosts={"web1": "10.0.0.21"},
    )
    assert [frontend["name"] for frontend in model["frontends"]] == ["web-front-1"]
    assert [backend["name"] for backend in model["backends"]] == ["web-back"]


def test_a_mistake_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match=r"haproxy_service_configs\[0\]\.haproxy_port .*web.*is missing"):
        haproxy_model(
            [{"haproxy_service_name": "web", "haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.0.1"}]}]
        )


@pytest.mark.parametrize(
    ("services", "addresses"),
    [
        (
            [{"haproxy_backend_nodes": ["web1", "web2", "web3"]}],
            {"web1": "10.0.0.21", "web2": "10.0.0.22", "web3": "web3"},
        ),
        ([{"service": {"haproxy_backup_nodes": "web1"}}], {"web1": "10.0.0.21"}),
        (
            [{"haproxy_backend_nodes": [{"name": "web1"}, {"name": "web2", "ip_addr": "10.9.9.9"}]}],
            {"web1": "10.0.0.21"},
        ),
        ([{"haproxy_backend_nodes": ["nobody"]}], {}),
        ([{"haproxy_backend_nodes": 7}, "nonsense", None], {}),
        ("nonsense", {}),
    ],
)
def test_addresses_of_the_hosts_that_are_named(services: t.Any, addresses: dict[str, str]) -> None:
    assert host_addresses(services, HOSTVARS) == addresses
