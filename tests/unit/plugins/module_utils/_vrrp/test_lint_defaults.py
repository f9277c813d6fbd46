# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's own defaults break no rule, on any node of clusters of several sizes and on both releases of Debian."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from ipaddress import ip_interface
from pathlib import Path

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import lint
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import File, Host, subject_of

ROLE = Path(__file__).parents[5] / "roles" / "keepalived"
VERSIONS = {"bookworm": (2, 2, 7), "trixie": (2, 3, 3)}
VIPS = {
    "haproxy_keepalived_external_vip_cidr": "192.0.2.100/24",
    "haproxy_keepalived_internal_vip_cidr": ["192.0.2.101/24", "2001:db8::101/64"],
}


def _facts(number: int) -> dict[str, t.Any]:
    """What the setup module tells of a node."""
    return {
        "os_family": "Debian",
        "default_ipv4": {"interface": "eth0", "gateway": "192.0.2.254"},
        "eth0": {
            "device": "eth0",
            "ipv4": {"address": f"192.0.2.{number}", "netmask": "255.255.255.0"},
            "ipv6": [{"address": f"2001:db8::{number}", "prefix": "64"}],
        },
    }


def _play(out: Path) -> list[dict[str, t.Any]]:
    text = f"lookup('ansible.builtin.template', '{ROLE}/templates/keepalived.conf.j2')"
    facts = {key: f"{{{{ facts['{key}'] }}}}" for key in _facts(1)}
    content = f"{{{{ {{'nodes': __keepalived_lint_nodes, 'text': {text}}} | to_json }}}}"
    return [
        {
            "hosts": "haproxy",
            "gather_facts": False,
            "vars_files": [str(ROLE / part / "main.yml") for part in ("defaults", "vars")],
            "tasks": [
                {"ansible.builtin.set_fact": {"cacheable": True, **facts}},
                {"ansible.builtin.copy": {"content": content, "dest": f"{out}/{{{{ inventory_hostname }}}}"}},
            ],
        }
    ]


def render(home: Path, count: int, of_play: dict[str, t.Any]) -> dict[str, t.Any]:
    """The text of every node and its view of the others, as Ansible makes them."""
    numbers = range(1, count + 1)
    hosts = {f"lb{number}": {"ansible_host": f"192.0.2.{number}", "facts": _facts(number)} for number in numbers}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"children": {"haproxy": {"hosts": hosts, "vars": local}}}}
    play = _play(home)
    play[0]["vars_files"].append(f"{home}/play_vars.yml")
    for name, content in (("inventory", inventory), ("play_vars", of_play), ("play", play)):
        (home / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    command = ["ansible-playbook", "-i", f"{home}/inventory.yml", "-e", json.dumps(VIPS), f"{home}/play.yml"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((home / name).read_text(encoding="utf-8")) for name in hosts}


@pytest.fixture(scope="module", params=[2, 3, 6])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    return render(tmp_path_factory.mktemp("cluster"), request.param, {})


@pytest.mark.parametrize("release", VERSIONS)
@pytest.mark.parametrize("are_nodes_known", [True, False])
def test_no_finding(release: str, are_nodes_known: bool, cluster: dict[str, t.Any]) -> None:
    for number, (name, node) in enumerate(cluster.items(), 1):
        subject = subject_of(node["text"], node["nodes"] if are_nodes_known else {}, name)
        host = Host(
            version=VERSIONS[release],
            links={"eth0": (ip_interface(f"192.0.2.{number}/24"), ip_interface(f"2001:db8::{number}/64"))},
            cpus=1,
            is_container=True,
            can_balance=False,
            has_script_user=False,
            files={command.words[0]: File() for command in subject.commands},
        )

        assert len(subject.instances) == 3
        assert [str(finding) for finding in lint(subject, host, node["text"])] == []
        assert not are_nodes_known or len(subject.peers) == len(cluster) - 1


def test_variables_of_a_play_are_no_difference_of_nodes(tmp_path: Path) -> None:
    """The inventory does not have them, so what it says of the other nodes is no longer true."""
    nodes = render(tmp_path, 2, {"keepalived_instances_overrides": {"external": {"advert_int": 1}}})

    assert "advert_int 1\n" in nodes["lb1"]["text"]
    assert nodes["lb1"]["nodes"] == {}
