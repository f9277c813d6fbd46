# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that validates an inventory compares the VIPs of both roles, and contacts no host for it."""

from __future__ import annotations

import copy
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

# As OpenStack-Ansible writes it: one template for all nodes, interfaces and addresses from variables of its own.
OSA = {
    "management_bridge": "br-mgmt",
    "haproxy_keepalived_external_vip_cidr": "203.0.113.10/32",
    "haproxy_keepalived_internal_vip_cidr": "172.29.236.10/32",
    "keepalived_instances": {
        kind: {
            "interface": f"{{{{ haproxy_keepalived_{kind}_interface | default(management_bridge) }}}}",
            "state": "{{ (groups['haproxy'].index(inventory_hostname) == 0) | ternary('MASTER', 'BACKUP') }}",
            "virtual_router_id": number,
            "priority": "{{ (groups['haproxy'] | length - groups['haproxy'].index(inventory_hostname)) * 50 }}",
            "vips": [
                f"{{{{ haproxy_keepalived_{kind}_vip_cidr }}}} dev {{{{ management_bridge }}}}",
            ],
        }
        for kind, number in (("external", 10), ("internal", 11))
    },
}
VIPS = {"external_lb_vip_address": "203.0.113.10", "internal_lb_vip_address": "172.29.236.10"}
CIDRS = {
    "haproxy_keepalived_external_vip_cidr": "203.0.113.10/24",
    "haproxy_keepalived_internal_vip_cidr": "172.29.236.10/22",
}


@pytest.fixture
def validate(tmp_path: Path) -> t.Callable[..., tuple[int, str]]:
    def run(
        per_host: t.Mapping[str, t.Any] | None = None, playbook: str = "haproxy_validate", **variables: t.Any
    ) -> tuple[int, str]:
        service = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": ["lb1"]}
        hosts = {f"lb{number}": {"ansible_host": f"192.0.2.{number}"} for number in (1, 2)}
        for name, more in (per_host or {}).items():
            hosts[name] |= more
        inventory = {"haproxy": {"hosts": hosts, "vars": {"haproxy_service_configs": [service], **variables}}}
        path = tmp_path / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", "-i", path, f"lbforge.haproxy.{playbook}"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_two_vip_variables_that_disagree(validate: t.Callable[..., tuple[int, str]]) -> None:
    code, output = validate(**VIPS, **{**CIDRS, "haproxy_keepalived_external_vip_cidr": "203.0.113.11/24"})
    assert code != 0
    assert "external_lb_vip_address: '203.0.113.10' is bound by HAProxy, and no VRRP instance carries it" in output
    assert "203.0.113.11/24 (haproxy_keepalived_external_vip_cidr)" in output


@pytest.mark.parametrize("cidr", ["203.0.113.999/24", "203.0.113.10", "203.0.113.0/24", "203.0.113.255/24"])
def test_what_is_no_vip(cidr: str, validate: t.Callable[..., tuple[int, str]]) -> None:
    code, output = validate(**VIPS, **{**CIDRS, "haproxy_keepalived_external_vip_cidr": cidr})
    assert code != 0
    assert f"- haproxy_keepalived_external_vip_cidr: '{cidr}' " in output


def test_instances_as_openstack_ansible_writes_them(validate: t.Callable[..., tuple[int, str]]) -> None:
    code, output = validate(**OSA, **VIPS)
    assert code == 0, output
    assert "[WARNING]" not in output
    wrong = copy.deepcopy(OSA)
    wrong["haproxy_keepalived_internal_vip_cidr"] = "172.29.236.11/32"
    code, output = validate(**wrong, **VIPS)
    assert code != 0
    assert "internal_lb_vip_address: '172.29.236.10' is bound by HAProxy, and no VRRP instance carries it" in output
    assert "172.29.236.11/32 dev br-mgmt (keepalived_instances.internal.vips[0])" in output


def test_nodes_with_addresses_of_their_own(validate: t.Callable[..., tuple[int, str]]) -> None:
    own = {f"lb{number}": {"external_lb_vip_address": f"203.0.113.{number}"} for number in (1, 2)}
    code, output = validate(own, internal_lb_vip_address="172.29.236.10", **CIDRS)
    assert code != 0  # for the address that moves and is not bound
    assert "external_lb_vip_address: '203" not in output
    code, output = validate(
        own,
        internal_lb_vip_address="172.29.236.10",
        haproxy_keepalived_internal_vip_cidr=CIDRS["haproxy_keepalived_internal_vip_cidr"],
    )
    assert code == 0, output


@pytest.mark.parametrize(
    "variables",
    [
        {"haproxy_use_keepalived": False},
        {"keepalived_static_addresses": ["203.0.113.10/32 dev lo"]},
        {"keepalived_vips": [{"name": "both", "cidr": ["203.0.113.10/24", "172.29.236.10/22"], "interface": "eth0"}]},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_ways_out(variables: dict[str, t.Any], validate: t.Callable[..., tuple[int, str]]) -> None:
    internal = {"haproxy_keepalived_internal_vip_cidr": CIDRS["haproxy_keepalived_internal_vip_cidr"]}
    code, output = validate(**VIPS, **internal, **variables)
    assert code == 0, output


def test_an_interface_that_only_facts_know_hides_no_mistake(validate: t.Callable[..., tuple[int, str]]) -> None:
    vip = {"name": "both", "cidr": ["203.0.113.10/24"], "interface": "{{ ansible_facts['default_ipv4']['interface'] }}"}
    code, output = validate(**VIPS, keepalived_vips=[vip])
    assert code != 0
    assert "internal_lb_vip_address: '172.29.236.10' is bound by HAProxy, and no VRRP instance carries it" in output
    vip["cidr"].append("172.29.236.10/22")
    assert validate(**VIPS, keepalived_vips=[vip])[0] == 0


def test_an_address_that_only_facts_know_is_nobodys_mistake(validate: t.Callable[..., tuple[int, str]]) -> None:
    vip = {"name": "both", "cidr": ["203.0.113.10/24", "{{ ansible_facts['default_ipv4']['address'] }}/22"]}
    code, output = validate(**VIPS, keepalived_vips=[vip])
    assert code == 0, output


WRONG = {
    "a rule of the linter": (
        {"external": {"state": "MASTER", "nopreempt": True}},
        "- Instance external has nopreempt and state MASTER.",
    ),
    "a key": ({"external": {"prioritty": 7}}, "- keepalived_instances.external.prioritty: unknown key."),
    "a router id for two": ({"internal": {"virtual_router_id": 10}}, "both have router id 10 on default-route"),
}


@pytest.mark.parametrize("playbook", ["haproxy_validate", "haproxy_install"])
@pytest.mark.parametrize("name", WRONG)
def test_mistakes_of_vrrp_are_told_before_a_host_is_asked(
    validate: t.Callable[..., tuple[int, str]], name: str, playbook: str
) -> None:
    overrides, said = WRONG[name]
    code, output = validate(None, playbook, **VIPS, **CIDRS, keepalived_instances_overrides=overrides)
    assert code != 0
    assert said in output
    assert output.count("fatal: [") == 1
    assert "UNREACHABLE" not in output


def test_a_vip_that_is_wrong_in_itself(validate: t.Callable[..., tuple[int, str]]) -> None:
    vips = [{"name": "a", "cidr": "203.0.113.10/24"}, {"name": "a", "cidr": "172.29.236.10/22", "interface": "eth0"}]
    vips[0]["interface"] = "eth0"
    code, output = validate(**VIPS, keepalived_vips=vips)
    assert code != 0
    assert "VIP a is defined twice" in output


def test_an_older_variable_that_only_facts_know_is_nobodys_mistake(validate: t.Callable[..., tuple[int, str]]) -> None:
    cidr = "{{ ansible_facts['default_ipv4']['network'] }}/24"
    code, output = validate(**VIPS, **{**CIDRS, "haproxy_keepalived_external_vip_cidr": cidr})
    assert code == 0, output


def test_what_the_role_and_the_linter_both_cannot_make_is_told_once(validate: t.Callable[..., tuple[int, str]]) -> None:
    code, output = validate(**VIPS, **CIDRS, haproxy_keepalived_external_virtual_router_id=11)
    assert code != 0
    assert "1 mistake in the VRRP data; no host was changed.\n- " in output
    assert "VIPs external and internal share virtual_router_id 11" in output
    assert "filter plugin" not in output
