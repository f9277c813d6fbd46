# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook leaves on a node, and that it leaves nothing to do."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from bench import MOLECULE, Bench, Node, scenario


@pytest.fixture(params=range(3), ids=lambda index: f"lb{index + 1}")
def balancer(bench: Bench, request: pytest.FixtureRequest) -> Node:
    return bench.balancers[request.param]


def test_services_run_and_start_with_the_node(balancer: Node) -> None:
    for name in ("haproxy", "keepalived"):
        service = balancer.host.service(name)
        assert service.is_running and service.is_enabled


def test_configuration_passes_without_a_warning(balancer: Node) -> None:
    result = balancer.host.run("haproxy -c -f /etc/haproxy/haproxy.cfg")
    assert result.succeeded
    assert "[WARNING]" not in result.stdout + result.stderr


def test_secrets_are_not_for_everyone(balancer: Node) -> None:
    everyone = balancer.run("find -L /etc/haproxy /etc/keepalived -type f -perm /o=rwx")
    assert not [path for path in everyone.split() if path.endswith((".cfg", ".conf", ".pem", ".key"))]


def test_private_keys_are_for_root_alone(balancer: Node) -> None:
    keys = balancer.run("grep -rlE 'BEGIN ([A-Z]+ )?PRIVATE KEY' /etc/haproxy").split()
    assert keys
    for path in keys:
        file = balancer.host.file(path)
        assert (file.user, file.group, f"{file.mode:o}") == ("root", "root", "600"), path


def test_journal_holds_no_secret(bench: Bench, balancer: Node) -> None:
    journal = balancer.run("journalctl --no-pager").splitlines()
    # Who wrote it is enough to know; the rest must not get into the log of the tests as well.
    assert not [line[:100] for line in journal if bench.stats_password in line or "PRIVATE KEY" in line]


def test_haproxy_logs_requests_to_the_journal(bench: Bench) -> None:
    bench.fetch(f"http://{bench.external_vip}:8001/find-me-in-the-log")
    assert any("find-me-in-the-log" in node.run("journalctl --no-pager --since=-60s") for node in bench.balancers)


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        ((), {"lb1", "lb2", "lb3"}),
        # What a limited run sees of the cluster must not be all that there is; tags must find their hosts.
        (("--limit=lb2", "--tags=haproxy-service-config,haproxy-non-local-bind-config,keepalived-config"), {"lb2"}),
    ],
)
def test_another_run_in_check_mode_would_change_nothing(arguments: tuple[str, ...], nodes: set[str]) -> None:
    shared = MOLECULE / "shared"
    inventories = [f"--inventory={shared / 'inventory'}", f"--inventory={scenario() / 'inventory.yml'}"]
    command = ["ansible-playbook", *inventories, "--check", "--diff", *arguments, str(shared / "converge.yml")]
    # Molecule forces colours, which stand between a word and the next.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Apply the release" in result.stdout
    assert "Bring keepalived.conf into service" in result.stdout
    recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", result.stdout, re.MULTILINE)
    assert nodes <= {host for host, _changed in recap}
    assert all(changed == "0" for _host, changed in recap), result.stdout
