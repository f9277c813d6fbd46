# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples, ours and those of the documentation that users come from, validate, render and please HAProxy."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.conftest import haproxy_says

ROOT = pathlib.Path(__file__).parents[2]
SEED = ROOT / "tests" / "seed"
INVENTORIES = sorted(ROOT.glob("examples/*/inventory.yml"))
EXAMPLES = [path.parent for path in INVENTORIES if "haproxy:" in path.read_text()]
PRINTED = sorted(SEED.glob("chapter-1/*.yml"))


def ansible_playbook(*arguments: str | pathlib.Path) -> str:
    done = subprocess.run(
        ["ansible-playbook", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_NOCOLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_our_examples(example: pathlib.Path, tmp_path: pathlib.Path) -> None:
    output = ansible_playbook(
        "-i",
        example / "inventory.yml",
        ROOT / "playbooks" / "haproxy_validate.yml",
        "-e",
        f"haproxy_render_to={tmp_path} vault_haproxy_stats_password=only-an-example",
    )
    assert "[WARNING]: haproxy" not in output
    hosts = sorted(path.name for path in tmp_path.iterdir())
    assert hosts
    assert haproxy_says(tmp_path / hosts[0]) == ""


@pytest.mark.parametrize("example", ["lvs-dr", "lvs-nat", "web-pair", "web-proxy"])
def test_the_documentation_prints_an_example_as_it_is(example: str) -> None:
    """tests/lvs brings those of keepalived to life."""
    printed = (ROOT / "docs" / "lvs.md").read_text()
    for path in sorted((ROOT / "examples" / example).rglob("*.yml")):
        assert f"```yaml\n# {path.relative_to(ROOT / 'examples' / example)}\n{path.read_text()}```" in printed


@pytest.mark.parametrize("variables", PRINTED, ids=lambda path: path.stem)
def test_examples_of_the_seed(variables: pathlib.Path, tmp_path: pathlib.Path) -> None:
    ansible_playbook(
        *("-i", SEED / "inventory.yml", "--limit", "infra1", "-e", f"@{variables}"),
        *(ROOT / "playbooks" / "haproxy_validate.yml", "-e", f"haproxy_render_to={tmp_path}"),
    )
    assert haproxy_says(tmp_path / "infra1") == ""


def test_validation_contacts_no_host_and_says_every_error_on_a_line_of_its_own(tmp_path: pathlib.Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        """
haproxy:
  hosts:
    lb1: {ansible_host: 192.0.2.1}
    lb2: {ansible_host: 192.0.2.2}
  vars:
    haproxy_service_configs:
      - {haproxy_service_name: a, haproxy_port: 99999, haproxy_backend_nodes: [x]}
      - {haproxy_service_name: b, haproxy_prot: 80, haproxy_backend_nodes: [lb1]}
"""
    )
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, "lbforge.haproxy.haproxy_validate"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert done.returncode != 0
    assert [line for line in lines if line.startswith("- haproxy_service_configs[0].haproxy_port")]
    assert [line for line in lines if line.startswith("- haproxy_service_configs[0].haproxy_backend_nodes[0]")]
    assert [line for line in lines if line.startswith("- haproxy_service_configs[1].haproxy_prot")]


def test_the_example_playbook_of_the_seed_can_be_read_as_printed() -> None:
    """It runs for real in molecule; here Ansible finds the role by its bare name and takes the play."""
    ansible_playbook("-i", SEED / "inventory.yml", SEED / "chapter-5.yml", "--syntax-check")
