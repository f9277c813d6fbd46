# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback news, in a playbook of each kind of result, with the recommended ansible.cfg."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

EXAMPLE = pathlib.Path(__file__).parents[4] / "examples" / "ansible.cfg"
PLAYBOOK = """
- name: Show batches
  hosts: all
  gather_facts: false
  serial: 1
  tasks:
    - name: Told in each batch
      ansible.builtin.command: pwd
      changed_when: true
- name: Show results of each kind
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Silent, as nothing changes
      ansible.builtin.command: echo ran
      changed_when: false
    - name: Silent, as it is skipped
      ansible.builtin.command: echo ran
      when: false
    - name: Silent, as it includes
      ansible.builtin.include_tasks: included.yml
    - name: Silent with items
      ansible.builtin.command: echo {{ item }}
      loop: [same]
      changed_when: false
    - name: Told with one of its items
      ansible.builtin.command: echo {{ item }}
      loop: [same, other]
      changed_when: item == 'other'
    - name: Told, as it changes
      ansible.builtin.command: echo ran
      changed_when: true
    - name: Told, as it is to be read
      ansible.builtin.debug:
        msg:
          - "read this: a line so long that YAML would fold it, as it does with each one of more than 80 characters"
          - and this
    - name: Told, as it warns
      lbforge.haproxy.haproxy_validate:
        services: []
    - name: Told, as it fails
      ansible.builtin.command: sh -c 'echo from stdout; echo from stderr >&2; exit 3'
      ignore_errors: true
    - name: Told in words
      ansible.builtin.assert:
        that: false
        fail_msg: two words
"""


@pytest.fixture
def play(tmp_path: pathlib.Path) -> t.Callable[..., str]:
    def run(*options: str) -> str:
        here = f"{{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
        (tmp_path / "inventory.yml").write_text(f"all: {{hosts: {{localhost: {here}, other: {here}}}}}\n")
        (tmp_path / "site.yml").write_text(PLAYBOOK)
        (tmp_path / "included.yml").write_text("- {name: Silent, ansible.builtin.command: pwd, changed_when: false}\n")
        done = subprocess.run(
            ["ansible-playbook", "-i", tmp_path / "inventory.yml", *options, tmp_path / "site.yml"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_CONFIG": str(EXAMPLE), "ANSIBLE_NOCOLOR": "1"},
        )
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_only_news_is_shown(play: t.Callable[..., str]) -> None:
    output = play()
    one = output[output.index("PLAY [Show results of each kind]") :]
    tasks = [line.partition("]")[0] for line in one.splitlines() if line.startswith("TASK")]
    assert tasks == [
        "TASK [Told with one of its items",
        "TASK [Told, as it changes",
        "TASK [Told, as it is to be read",
        "TASK [Told, as it warns",
        "TASK [Told, as it fails",
        "TASK [Told in words",
    ]
    lines = one.splitlines()
    assert [line for line in lines if line.startswith(("ok", "changed", "skipping", "included"))] == [
        "changed: [localhost] => (item=other)",
        "changed: [localhost]",
        "ok: [localhost]",
    ]
    assert "long that YAML would fold it, as it does with each one of more than 80 characters\nand this\n" in output
    assert "[WARNING]: haproxy_service_configs: is empty" in output
    # The other batch names its tasks again.
    assert output.count("TASK [Told in each batch]") == 2
    # A failure is told once, with what a command said.
    assert output.count("two words") == 1
    assert "fatal: [localhost]: FAILED!\nfrom stdout\nfrom stderr\n...ignoring\n" in output


def test_all_is_shown_with_v(play: t.Callable[..., str]) -> None:
    output = play("-v")
    assert output.count("\nTASK [Silent") == 5
    assert "skipping: [localhost]" in output
    assert "evaluated_to: false" in output
