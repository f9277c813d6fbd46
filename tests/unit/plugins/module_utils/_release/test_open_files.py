# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A HAProxy that could not open the files for its connections is refused before it is asked to start."""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess

import jinja2
import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._release import open_files
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    BINARY,
    CONFIGURATION,
    Machine,
)

ROLE = pathlib.Path(__file__).parents[5] / "roles" / "haproxy_server"


def greedy(machine: Machine, connections: int) -> None:
    machine.template = CONFIGURATION.replace("global\n", f"global\n    maxconn {connections}\n", 1)


@pytest.mark.parametrize("check_mode", [True, False])
def test_too_many_connections_are_refused_while_haproxy_serves(machine: Machine, check_mode: bool) -> None:
    machine.apply(machine.wanted("one"))
    greedy(machine, 2_000_000)
    with pytest.raises(
        LbforgeError, match=r"needs 4000001 open files for its maxconn, but its limit is \d+; nothing was"
    ):
        machine.apply(machine.wanted("two"), check_mode=check_mode)
    assert machine.answer() == "one x"


def test_as_many_as_there_may_be_are_taken(machine: Machine) -> None:
    machine.apply(machine.wanted("one"))
    greedy(machine, 1_000)
    machine.apply(machine.wanted("two"))
    assert machine.answer() == "two x"


@pytest.mark.parametrize("spare", [-2, 200])
def test_haproxy_agrees(tmp_path: pathlib.Path, spare: int) -> None:
    """It says that the configuration is valid, and starts only with the files that we count, and some of its own."""
    text = "global\n    maxconn 500\ndefaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n"
    text += f"    timeout connect 1s\nfrontend front\n    bind unix@{tmp_path}/front\n"
    (tmp_path / "haproxy.cfg").write_text(text)
    limit = open_files.needed(parse(text)) + spare

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    # Whoever may raise the limit does so.
    powerless = ["setpriv", "--bounding-set", "-sys_resource"] if os.geteuid() == 0 else []
    command = [*powerless, str(BINARY), "-f", str(tmp_path / "haproxy.cfg")]
    assert subprocess.run([*command, "-c"], preexec_fn=limited, capture_output=True, check=False).returncode == 0
    process = subprocess.Popen([*command, "-db"], preexec_fn=limited, stderr=subprocess.PIPE, text=True)
    try:
        _out, said = process.communicate(timeout=3 if spare > 0 else 60)
        assert "Cannot raise FD limit" in said
        assert spare < 0
    except subprocess.TimeoutExpired:
        assert spare > 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("connections", "files"), [(4096, 524288), (300_000, 665536)])
def test_the_unit_may_open_what_its_connections_need(connections: int, files: int) -> None:
    installed = yaml.safe_load((ROLE / "tasks" / "files.yml").read_text())[0]["lbforge.haproxy.node_files"]["files"]
    (limits,) = (file["content"] for file in installed if file["dest"].endswith("/limits.conf"))
    assert f"\nLimitNOFILE={files}" in jinja2.Template(limits).render(haproxy_maxconn=connections)
    assert files > 2 * connections
