# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipes of the keepalived role's README give what keepalived takes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.lbforge.haproxy.tests.unit.conftest import keepalived_says

ROOT = Path(__file__).parents[2]
README = (ROOT / "roles" / "keepalived" / "README.md").read_text(encoding="utf-8")


def chapter(title: str) -> str:
    found = re.search(rf"(?s)\n## {title}\n(.*?)\n## ", README)
    assert found
    return found[1]


RECIPES = dict(re.findall(r"(?s)### ([^\n]+)\n.*?```yaml\n(.*?)```", chapter("Recipes")))


FACTS = {
    "os_family": "Debian",
    "default_ipv4": {"interface": "eth0", "gateway": "192.0.2.254", "address": "192.0.2.1"},
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.1", "netmask": "255.255.255.0"}},
}
PLAY = f"""
- hosts: recipes
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    ansible_facts: {json.dumps(FACTS)}
    vault_vrrp_password: "12345678"
  tasks:
    - import_role: {{name: lbforge.haproxy.keepalived, tasks_from: service}}
      when: false
    - copy:
        content: "{{{{ lookup('template', '{ROOT}/roles/keepalived/templates/keepalived.conf.j2') }}}}"
        dest: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}.conf"
        mode: "0600"
    - copy:
        content: "{{{{ __keepalived_files | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/{{{{ inventory_hostname }}}}.json"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """keepalived.conf of the first of three nodes for every recipe: one play with a host for each."""
    directory = tmp_path_factory.mktemp("recipes")
    for name in ("notify.sh", "storage.sh"):
        path = directory / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n# {name}\n", encoding="ascii")
    others = {f"lb{n}": {"keepalived_unicast_address": [f"192.0.2.{n}", f"2001:db8::{n}"]} for n in (2, 3)}
    recipes = {
        name_of(title): {
            "keepalived_unicast_address": ["192.0.2.1", "2001:db8::1"],
            "keepalived_hosts": [name_of(title), *others],
            **yaml.safe_load(recipe),
        }
        for title, recipe in RECIPES.items()
    }
    inventory = {"all": {"hosts": others, "children": {"recipes": {"hosts": recipes}}}}
    (directory / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    (directory / "play.yml").write_text(PLAY, encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", directory / "inventory.yml", directory / "play.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def name_of(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower())


@pytest.mark.parametrize("title", RECIPES)
def test_keepalived_takes_a_recipe(title: str, directory: Path, namespace: str) -> None:
    text = (directory / f"{name_of(title)}.conf").read_text(encoding="utf-8")
    # The scripts are in place when the role has the text checked.
    scripts = json.loads((directory / f"{name_of(title)}.json").read_text(encoding="utf-8"))
    for path, content in scripts.items():
        assert content.startswith("#!/bin/sh\n# ")
        text = text.replace(path, "/usr/bin/true")
    checked = directory / "checked.conf"
    checked.write_text(text, encoding="utf-8")

    assert keepalived_says(checked, namespace) == "", text


def test_there_are_recipes() -> None:
    assert len(RECIPES) == 11
