# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters add to the functions behind them: lookup of hosts, plain data, errors that Ansible shows."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter import keepalived_model
from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_model import keepalived_model_filter
from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_uploads import keepalived_uploads_filter
from ansible_collections.lbforge.haproxy.plugins.filter.keepalived_variables import keepalived_variables
from ansible_collections.lbforge.haproxy.plugins.filter.vrrp_instances import vrrp_instances_filter
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import server_addresses
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE

ROLE = Path(__file__).parents[4] / "roles" / "keepalived"
HOSTVARS = {f"lb{n}": {"ansible_host": f"10.0.0.{n}"} for n in (1, 2, 3)}
VIP = {"name": "external", "cidr": "10.0.0.100/24", "interface": "eth0", "virtual_router_id": 10}


def variables_of(what: str, given: dict[str, t.Any], **others: t.Any) -> dict[str, t.Any]:
    return keepalived_variables(jinja2.Environment().from_string("").new_context(given), what, **others)


def test_vrrp_instances() -> None:
    found = vrrp_instances_filter([VIP], host="lb2", hosts=["lb3", "lb2"], hostvars=HOSTVARS)

    assert found["external"]["unicast_peers"] == ["10.0.0.3"]


def test_the_servers_of_services_that_are_on() -> None:
    """An address, an inventory name, one under the older key; nothing of what is off."""
    hostvars = {
        "lb1": {
            "ansible_host": "10.0.0.1",
            "ansible_facts": {
                f"eth{n}": {"device": f"eth{n}", "ipv4": {"address": f"10.0.{n}.1", "netmask": "255.255.255.0"}}
                for n in range(6)
            },
        },
        "lb2": {"ansible_host": "10.0.0.2"},
        "web": {"ansible_host": "10.0.2.21"},
    }
    services = [
        {"haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.1.21"}], "haproxy_backup_nodes": ["web"]},
        {"service": {"haproxy_backend_nodes": ["10.0.3.21"]}},
        {"haproxy_backend_nodes": ["10.0.4.21"], "haproxy_service_enabled": "no"},
        {"haproxy_backend_nodes": ["10.0.5.21"], "state": "absent"},
        {"haproxy_frontend_only": True},
    ]
    found = vrrp_instances_filter(
        [VIP], host="lb1", hosts=["lb1", "lb2"], hostvars=hostvars, servers=server_addresses(services, hostvars)
    )

    assert [entry.split()[0] for entry in found["external"]["track_interfaces"]] == ["eth1", "eth2", "eth3"]


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


def test_the_filter_and_the_role_know_every_variable() -> None:
    """Tables, documentation, defaults and what the role hands over name the same."""
    tables = {row.name for row in FILE.keys} | {"global_defs"}
    documented = yaml.safe_load(keepalived_model.DOCUMENTATION)["options"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    passed = variables_of("file", {name: f"of {name}" for name in defaults})

    assert set(documented) - {"_input"} | {"instances"} == tables
    assert set(passed) | {"instances"} == tables
    assert passed == {name: f"of keepalived_{name}" for name in passed}
    assert {f"keepalived_{name}" for name in tables} <= set(defaults)


@pytest.mark.parametrize("what", ["vips", "addresses"])
def test_the_role_has_the_variables_of_keepalived(what: str) -> None:
    """The reader of VIPs and the validator know them by their names."""
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    names = variables_of(what, {name: name for name in defaults})
    kinds = [f"haproxy_keepalived_{kind}" for kind in ("external", "internal")]

    assert {"haproxy_vips", "keepalived_vips"} <= names.keys()
    assert {f"{kind}_{key}" for kind in kinds for key in ("vip_cidr", "interface", "virtual_router_id")} <= names.keys()
    assert names == {name: name for name in names}


def test_variables_that_are_not_defined_are_left_out() -> None:
    assert variables_of("addresses", {"haproxy_vips": [], "keepalived_ssl": {}}) == {"haproxy_vips": []}
    found = variables_of("vips", {"keepalived_vips": [VIP]}, default_interface="eth0")
    assert found == {"keepalived_vips": [VIP], "default_interface": "eth0"}


def test_variables_that_cannot_be_resolved_harm_those_that_read_them(tmp_path: Path) -> None:
    found = "'addresses' | lbforge.haproxy.keepalived_variables"
    content = f"{{{{ [({found}).haproxy_vips, {found} | lbforge.haproxy.mark_undefined] | to_json }}}}"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "haproxy_vips": [],
            "keepalived_raw": "{{ nowhere }}",
            "keepalived_instances": {"a": "{{ nowhere }}", "b": "{{ 1 + 1 }}"},
        },
        "tasks": [{"ansible.builtin.copy": {"content": content, "dest": str(tmp_path / "found"), "mode": "0600"}}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    subprocess.run(["ansible-playbook", tmp_path / "play.yml"], check=True)

    mark = {"__undefined__": "'nowhere' is undefined"}
    assert json.loads((tmp_path / "found").read_text()) == [
        [],
        {"haproxy_vips": [], "keepalived_raw": mark, "keepalived_instances": {"a": mark, "b": 2}},
    ]


def test_variables_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="'vip' is not a valid value; use file, vips, addresses"):
        variables_of("vip", {})


def test_keepalived_uploads() -> None:
    script = {"check_script": "/etc/keepalived/c.sh", "src_check_script": "c.sh"}

    assert keepalived_uploads_filter({}, {"scripts": {"c": script}}) == {"/etc/keepalived/c.sh": "c.sh"}
    assert keepalived_uploads_filter({}) == {}


def test_keepalived_uploads_mistake() -> None:
    with pytest.raises(
        AnsibleFilterError, match=r"keepalived_instances\.one\.src_notify_stop: '' is not an absolute path"
    ):
        keepalived_uploads_filter({"one": {"src_notify_stop": "n.sh"}})
