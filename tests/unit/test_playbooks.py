# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks can be read under their names, and a change that goes wrong on one node does not reach the next."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

DRAINED = """\
global
    stats socket /run/haproxy/admin.sock mode 600 level admin
defaults
    mode http
    timeout client 9s
    timeout connect 9s
    timeout server 9s
backend one
    server web1 127.0.0.2:80
    server web2 127.0.0.3:80
backend two
    server web1 127.0.0.2:81
    server web2 127.0.0.3:81
"""
PLAYBOOKS = sorted((pathlib.Path(__file__).parents[2] / "playbooks").glob("*.yml"))
META = PLAYBOOKS[0].parent / "meta"
# Names of variables that are no role's, and of playbooks.
OF_PLAYBOOKS = re.compile(
    r"\b(?:haproxy_(?:certificates|drain|explain|rehearse|render|rollback|serial|status)"
    r"|keepalived_(?:drill|prob\w+|switchover|upgrade|waited|vips_avoid|vips_patience))(?:_\w+)?\b"
)
# After it was put among the standby nodes, nothing answers there any more.
LOST = {"ansible_connection": "{{ ('haproxy_standby' in group_names) | ternary('ssh', 'local') }}", "ansible_port": 1}


def ansible_playbook(*words: str | pathlib.Path) -> tuple[int, str]:
    done = subprocess.run(
        ["ansible-playbook", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def roll_back(tmp_path: pathlib.Path) -> t.Callable[..., tuple[int, str]]:
    """Go back, in check mode, where there is nothing to go back to: on this machine under two names."""

    def run(**hosts: dict[str, t.Any]) -> tuple[int, str]:
        everywhere = {"ansible_host": "127.0.0.1", "ansible_connection": "local"}
        named = {name: {**everywhere, **variables} for name, variables in hosts.items()}
        inventory = {"haproxy": {"hosts": named, "vars": {"ansible_python_interpreter": sys.executable}}}
        (tmp_path / "inventory.json").write_text(json.dumps(inventory))
        return ansible_playbook(
            *("-i", tmp_path / "inventory.json", "--check", "lbforge.haproxy.haproxy_rollback"),
            *("-e", "haproxy_rollback_release=000000000000"),
        )

    return run


def test_the_variables_of_playbooks_are_specified() -> None:
    """Each that a playbook uses, and none that no playbook uses."""
    files = [path for path in PLAYBOOKS[0].parent.rglob("*.yml") if path.parent != META]
    used = {name for path in files for name in OF_PLAYBOOKS.findall(path.read_text())}
    specs = yaml.safe_load((META / "argument_specs.yml").read_text())["argument_specs"]
    options = {name for spec in specs.values() for name in spec["options"]}
    facts = {name for names in yaml.safe_load((META / "facts.yml").read_text()).values() for name in names}
    assert used - {path.stem for path in PLAYBOOKS} == options | facts
    assert options & facts == set()


@pytest.mark.parametrize(
    "words, told",
    [
        (
            ["haproxy_drain", "-e", "haproxy_drain_hosts=web1"],
            "haproxy_drain_hosts is not a variable of haproxy_drain.",
        ),
        (["haproxy_drain"], "missing required arguments: haproxy_drain_host"),
        (
            ["haproxy_drain", "-e", "haproxy_drain_host=web1", "-e", "haproxy_drain_timeout=soon"],
            "argument 'haproxy_drain_timeout' is of type str and we were unable to convert to float",
        ),
        (
            ["haproxy_drain", "-e", "haproxy_drain_host=web1", "-e", "haproxy_drain_state=off"],
            "value of haproxy_drain_state must be one of: drain, maint, ready, got: off",
        ),
        (
            # The node is not known yet.
            [
                *("keepalived_drill", "-e", "keepalived_drill_consent=true", "-e", "keepalived_drill_fault_list=x"),
                *("-e", '{"keepalived_drill_commands": {"node_dead": {"strike": "stop {{ keepalived_drill_node }}"}}}'),
            ],
            "The drill cannot run in check mode. keepalived_drill_fault_list is not a variable of keepalived_drill.",
        ),
    ],
)
def test_variables_of_a_playbook_are_checked(words: list[str], told: str, tmp_path: pathlib.Path) -> None:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "inventory.json").write_text(json.dumps({"haproxy": {"hosts": {"lb1": local}}}))
    code, output = ansible_playbook("-i", tmp_path / "inventory.json", f"lbforge.haproxy.{words[0]}", *words[1:])
    assert code != 0
    assert told in re.sub(r"\s+", " ", output)


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_can_be_read(playbook: pathlib.Path) -> None:
    name = f"lbforge.haproxy.{playbook.stem}"
    code, output = ansible_playbook("-i", "localhost,", "--syntax-check", playbook if "-" in name else name)
    assert code == 0, output


def test_a_failure_stops_the_play_and_tells_what_runs_where(roll_back: t.Callable[..., tuple[int, str]]) -> None:
    code, output = roll_back(lb1={}, lb2={})
    assert code != 0
    assert output.count("There is no release '000000000000'") >= 1
    assert "fatal: [lb1]" in output
    assert "fatal: [lb2]" not in output
    told = output[output.index("TASK [Report the release of each load balancer]") :]
    assert "lb1 (standby)" in told
    assert "lb2 (standby)" in told


def test_a_node_that_is_lost_stops_the_play_too(roll_back: t.Callable[..., tuple[int, str]]) -> None:
    code, output = roll_back(lb1=LOST, lb2={})
    assert code != 0
    assert "There is no release" not in output
    assert "lb1 became unreachable during the change, so lb2 and later hosts stay" in output
    told = output[output.index("TASK [Report the release of each load balancer]") :]
    assert "lb1 (standby) cannot be reached" in told
    assert "lb2 (standby)" in told


def test_a_drain_undoes_only_what_it_did(tmp_path: pathlib.Path) -> None:
    """On a HAProxy whose /run is its own; what it says at the end of each run is in a file."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root and mount namespaces")
    (tmp_path / "haproxy.cfg").write_text(DRAINED)
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"haproxy": {"hosts": {"lb1": local}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    drain = f"ansible-playbook -i {tmp_path}/inventory.json lbforge.haproxy.haproxy_drain -e haproxy_drain_host=web1"
    (tmp_path / "script").write_text(f"""\
        set -eu
        tell() {{ echo "$1" | nc -N -U /run/haproxy/admin.sock; }}
        run() {{ {drain} "$@" && tell 'show servers state' >{tmp_path}/$# || touch {tmp_path}/failed; }}
        mount -t tmpfs none /run
        mkdir /run/haproxy
        {os.environ.get("HAPROXY", "haproxy")} -D -p {tmp_path}/pid -f {tmp_path}/haproxy.cfg
        trap 'kill $(cat {tmp_path}/pid)' EXIT
        tell 'set server two/web1 state maint'
        run
        run -e haproxy_drain_state=ready
    """)
    done = subprocess.run(
        ["unshare", "--mount", "sh", tmp_path / "script"], check=True, capture_output=True, text=True, env=os.environ
    )
    assert not (tmp_path / "failed").exists(), done.stdout + done.stderr

    def states(file: str) -> dict[str, str]:
        rows = [line.split() for line in (tmp_path / file).read_text().splitlines()[2:] if line]
        return {f"{row[1]}/{row[3]}": row[6] for row in rows}

    # 0 is ready, 1 in maintenance, 8 drained.
    assert states("0") == {"one/web1": "8", "one/web2": "0", "two/web1": "1", "two/web2": "0"}
    assert states("2") == {"one/web1": "0", "one/web2": "0", "two/web1": "1", "two/web2": "0"}
    assert (done.stdout + done.stderr).count("another user set it to maint, so it stays there") == 2
