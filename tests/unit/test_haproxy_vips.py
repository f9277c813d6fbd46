# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster, written with ``haproxy_vips`` and with the variables before it: HAProxy and keepalived get the same."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.conftest import haproxy_says, keepalived_says
from ansible_collections.lbforge.haproxy.tests.unit.plugins.namespaces import network_namespace

ROOT = pathlib.Path(__file__).parents[2]
Data = dict[str, t.Any]

PLAY = f"""
- hosts: haproxy
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    ansible_facts: {{os_family: Debian, default_ipv4: {{interface: eth0, gateway: 10.0.0.254, address: 10.0.0.1}}}}
  tasks:
    - import_role: {{name: lbforge.haproxy.keepalived, tasks_from: service}}
      when: false
    - copy:
        content: "{{{{ lookup('template', '{ROOT}/roles/keepalived/templates/keepalived.conf.j2') }}}}"
        dest: "{{{{ haproxy_render_to }}}}/{{{{ inventory_hostname }}}}/keepalived.conf"
        mode: "0600"
"""
SERVICES = [
    {
        "haproxy_service_name": "web",
        "haproxy_port": 443,
        "haproxy_ssl": True,
        "haproxy_redirect_http_port": 80,
        "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "10.0.0.21"}],
    },
    {
        "haproxy_service_name": "database",
        "haproxy_balance_type": "tcp",
        "haproxy_bind": ["10.0.0.10"],
        "haproxy_port": 5432,
        "haproxy_backend_nodes": [{"name": "db1", "ip_addr": "10.0.0.31"}],
    },
]
SPELLINGS: dict[str, tuple[Data, Data]] = {
    "two VIPs": (
        {
            "haproxy_vips": [
                {
                    "name": "external",
                    "address": "203.0.113.10/24",
                    "interface": "eth1",
                    "names": ["www.example.org"],
                },
                # Its interface is that of the default route.
                {"name": "internal", "type": "internal", "address": "10.0.0.10/24"},
            ]
        },
        {
            "external_lb_vip_address": "www.example.org",
            "haproxy_bind_external_lb_vip_address": "203.0.113.10",
            "internal_lb_vip_address": "10.0.0.10",
            "haproxy_keepalived_external_vip_cidr": "203.0.113.10/24",
            "haproxy_keepalived_external_interface": "eth1",
            "haproxy_keepalived_internal_vip_cidr": "10.0.0.10/24",
        },
    ),
    "five VIPs": (
        {
            "haproxy_vips": [
                {"name": "external", "address": "203.0.113.10/24", "interface": "eth1"},
                {"name": "internal", "type": "internal", "address": "10.0.0.10/24", "names": ["lb"], "hosts": "lb2"},
                {"name": "six", "address": "2001:db8::10/64", "interface": "eth1", "tls": True},
                {"name": "shop", "address": "203.0.113.11/24", "interface": "eth1", "sync_group": "both"},
                {
                    "name": "office",
                    "address": "203.0.113.12/24",
                    "interface": "eth1",
                    "tls": False,
                    "sync_group": "both",
                },
            ],
        },
        {
            "external_lb_vip_address": "203.0.113.10",
            "haproxy_vip_binds": [
                {"address": "203.0.113.10"},
                {"address": "10.0.0.10", "type": "internal", "pki_san_records": ["lb"]},
                {"address": "2001:db8::10"},
                {"address": "203.0.113.11"},
            ],
            "extra_lb_tls_vip_addresses": ["2001:db8::10"],
            "extra_lb_vip_addresses": ["203.0.113.12"],
            "keepalived_vips": [
                {"name": "external", "cidr": "203.0.113.10/24", "interface": "eth1", "virtual_router_id": 10},
                {
                    "name": "internal",
                    "cidr": "10.0.0.10/24",
                    "interface": "eth0",
                    "virtual_router_id": 11,
                    "hosts": ["lb2"],
                },
                {"name": "six", "cidr": "2001:db8::10/64", "interface": "eth1"},
                {"name": "shop", "cidr": "203.0.113.11/24", "interface": "eth1", "sync_group": "both"},
                {"name": "office", "cidr": "203.0.113.12/24", "interface": "eth1", "sync_group": "both"},
            ],
            # The type of a VIP is not known here, so all of them have the check of one gateway.
            "keepalived_external_ping_address": "",
            "keepalived_internal_ping_address": "",
        },
    ),
}


def run(directory: pathlib.Path, variables: Data, *arguments: str | pathlib.Path) -> tuple[int, str]:
    """The exit code and the output of playbooks, on two load balancers with these variables."""
    hosts = {
        name: {
            "ansible_host": f"10.0.0.{number}",
            "keepalived_unicast_address": [f"10.0.0.{number}", f"2001:db8::{number}"],
        }
        for number, name in enumerate(("lb1", "lb2"), 1)
    }
    inventory = directory / "inventory.json"
    group = {"hosts": hosts, "vars": {"haproxy_service_configs": SERVICES, **variables}}
    inventory.write_text(json.dumps({"haproxy": group}))
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, "lbforge.haproxy.haproxy_validate", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str, int], pathlib.Path]:
    """What the hosts get of a spelling: a directory for each."""
    made: dict[tuple[str, int], pathlib.Path] = {}

    def render(name: str, spelling: int) -> pathlib.Path:
        if (name, spelling) not in made:
            directory = tmp_path_factory.mktemp("spelling")
            (directory / "play.yml").write_text(PLAY)
            (directory / "out").mkdir()
            of_both = {name: value for name, value in SPELLINGS[name][1].items() if name.endswith("_ping_address")}
            variables = {**of_both, **SPELLINGS[name][spelling], "haproxy_render_to": str(directory / "out")}
            code, output = run(directory, variables, directory / "play.yml")
            assert code == 0, output
            assert "[WARNING]: haproxy" not in output
            made[name, spelling] = directory / "out"
        return made[name, spelling]

    return render


def texts(directory: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.glob("*/*"))}


@pytest.mark.parametrize("name", SPELLINGS)
def test_both_spellings_are_the_same_files(name: str, rendered: t.Callable[[str, int], pathlib.Path]) -> None:
    new, older = (texts(rendered(name, spelling)) for spelling in (0, 1))
    assert {"lb1/haproxy.cfg", "lb1/keepalived.conf", "lb2/haproxy.cfg", "lb2/keepalived.conf"} <= set(new)
    assert new == older


@pytest.mark.parametrize("name", SPELLINGS)
def test_haproxy_takes_it(name: str, rendered: t.Callable[[str, int], pathlib.Path], tmp_path: pathlib.Path) -> None:
    shutil.copytree(rendered(name, 0) / "lb1", tmp_path / "lb1", ignore=shutil.ignore_patterns("keepalived.conf"))
    text = (tmp_path / "lb1" / "haproxy.cfg").read_text()
    assert len(re.findall(r"(?m)^frontend web-front-", text)) == len(SPELLINGS[name][0]["haproxy_vips"])
    assert haproxy_says(tmp_path / "lb1") == ""


@pytest.mark.parametrize("name", SPELLINGS)
def test_keepalived_takes_it(name: str, rendered: t.Callable[[str, int], pathlib.Path], tmp_path: pathlib.Path) -> None:
    if not shutil.which("keepalived"):
        pytest.skip("needs keepalived")
    text = (rendered(name, 0) / "lb1" / "keepalived.conf").read_text()
    assert text.count("\nvrrp_instance ") == len(SPELLINGS[name][0]["haproxy_vips"])
    config = tmp_path / "keepalived.conf"
    # The check script is in place when the role has the text checked.
    config.write_text(text.replace("/etc/keepalived/haproxy_check.sh", "/usr/bin/true"))
    with network_namespace(
        "link add eth0 type veth peer name eth1",
        "address add 10.0.0.1/24 dev eth0",
        "address add 10.0.0.1/24 dev eth1",
        "address add 2001:db8::1/64 dev eth1 nodad",
    ) as namespace:
        assert keepalived_says(config, namespace) == "", text


def told(output: str) -> list[str]:
    """The mistakes of a run, by place, as often as they are told."""
    failure = output.partition('"msg": ')[2].partition("PLAY RECAP")[0]
    return re.findall(r"\\n- ([\w.\[\]]+)(?: \(\w+\))?: ", failure)


def test_older_variables_that_say_otherwise_are_told_once_before_any_host_is_asked(tmp_path: pathlib.Path) -> None:
    new, _older = SPELLINGS["two VIPs"]
    wrong = {
        "external_lb_vip_address": "203.0.113.11",
        "haproxy_keepalived_external_interface": "eth7",
        "haproxy_keepalived_internal_vip_cidr": "10.0.0.10/25",
        "keepalived_vips": [{"name": "extern", "cidr": "203.0.113.10/24", "interface": "eth1"}],
    }
    code, output = run(tmp_path, {**new, **wrong})
    assert code != 0 and output.count("fatal: [") == 1
    assert sorted(told(output)) == [
        "external_lb_vip_address",
        "haproxy_keepalived_external_interface",
        "haproxy_keepalived_internal_vip_cidr",
        "keepalived_vips[0].name",
    ]
    assert "'203.0.113.11' differs from haproxy_vips, which has '203.0.113.10' (haproxy_vips[0].address)" in output


def test_every_mistake_in_the_list_is_told_once(tmp_path: pathlib.Path) -> None:
    vips = [
        {"name": "external", "adress": "203.0.113.10/24"},
        {"name": "internal", "type": "intern", "address": "10.0.0.10/33"},
        {"name": "office", "address": "10.0.0.11"},
    ]
    code, output = run(tmp_path, {"haproxy_vips": vips})
    assert code != 0 and output.count("fatal: [") == 1
    assert sorted(told(output)) == [
        "haproxy_vips[0].address",
        "haproxy_vips[0].adress",
        "haproxy_vips[1].address",
        "haproxy_vips[1].type",
        "haproxy_vips[2].address",
    ]


def test_an_interface_that_only_facts_know_hides_no_mistake(tmp_path: pathlib.Path) -> None:
    """The playbook that validates has none; the variables that follow from the list do so all the same."""
    vip = {"name": "external", "address": "203.0.113.10/24"}
    vip["interface"] = "{{ ansible_facts['default_ipv4']['interface'] }}"
    service = {**SERVICES[0], "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "10.0.0.21"}]}
    code, output = run(tmp_path, {"haproxy_vips": [vip], "haproxy_service_configs": [service]})
    assert code == 0, output
    code, output = run(tmp_path, {"haproxy_vips": [vip], "haproxy_keepalived_internal_vip_cidr": "10.0.0.9/24"})
    assert code != 0
    assert told(output) == ["haproxy_keepalived_internal_vip_cidr"]
