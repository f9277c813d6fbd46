# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several runs of keepalived_config on one node, each a process, on a real keepalived. The kernel says who won."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import lock_file
from ansible_collections.lbforge.haproxy.tests.unit.plugins.namespaces import network_namespace

RUN = """
import json, sys
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lbforge.haproxy.plugins.modules import keepalived_config
_internal.is_controller = False
with patch_module_args(json.loads(sys.argv[1])):
    keepalived_config.main()
"""
TEXT = """\
global_defs {
    vrrp_version 3
    vrrp_garp_master_delay 1
    reload_check_config HOME/check.log
    reload_file HOME/reload
}
vrrp_instance one {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.25
    virtual_ipaddress {
        ADDRESS/24
    }
}
"""
PATIENCE = 120  # seconds, for a machine with more work than processors


class Node(t.NamedTuple):
    """A keepalived in a network of its own, whose programs stand before the system's."""

    home: Path
    namespace: str

    @property
    def path(self) -> Path:
        return self.home / "keepalived.conf"

    def text(self, address: str) -> str:
        return TEXT.replace("HOME", str(self.home)).replace("ADDRESS", address)

    def start(self, address: str) -> subprocess.Popen[str]:
        """A run of the module that has just begun."""
        args = {
            "content": self.text(address),
            "path": str(self.path),
            "pid_file": str(self.home / "pid"),
            "timeout": PATIENCE,
        }
        environment = {**os.environ, "PATH": f"{self.home}/bin:{os.environ['PATH']}"}
        command = [sys.executable, "-c", RUN, json.dumps(args)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def addresses(self) -> set[str]:
        """The VIPs that the kernel has."""
        command = ["ip", "-n", self.namespace, "-4", "-o", "address", "show", "dev", "eth0"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return set(re.findall(r"inet ([\d.]+)/", shown)) - {"192.0.2.1"}

    def is_at_the_lock(self, run: subprocess.Popen[str]) -> bool:
        """Whether a run has opened the lock, or is past it: at its end."""
        opened = [Path(os.path.realpath(handle)).name for handle in Path(f"/proc/{run.pid}/fd").glob("*")]
        # By its name: this process keeps its own locks elsewhere.
        return run.poll() is not None or lock_file(str(self.home)).name in opened


def result(run: subprocess.Popen[str]) -> dict[str, t.Any]:
    out, err = run.communicate(timeout=PATIENCE)
    assert out, err
    answer: dict[str, t.Any] = json.loads(out)
    return answer


def wait_for(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def node(tmp_path: Path) -> t.Iterator[Node]:
    if not shutil.which("keepalived"):
        pytest.skip("needs keepalived")
    with network_namespace(
        "link add eth0 type veth peer name eth1",
        "address add 192.0.2.1/24 dev eth0",
        "link set eth1 up",
        "link set eth0 up",
    ) as namespace:
        write_programs(tmp_path, namespace)
        yield Node(tmp_path, namespace)
        pids = subprocess.run(["ip", "netns", "pids", namespace], check=False, capture_output=True, text=True).stdout
        subprocess.run(["kill", "-9", *pids.split()], check=False, capture_output=True)


def write_programs(home: Path, namespace: str) -> None:
    """The programs that the module calls, in the namespace; systemctl is not on every machine."""
    programs = {name: shutil.which(name) for name in ("keepalived", "ip")}
    inside = f"ip netns exec {namespace}"
    daemon = f"{inside} {programs['keepalived']} -l -f {home}/keepalived.conf -p {home}/pid -r {home}/vrrp.pid"
    scripts = {
        "keepalived": f'exec {inside} {programs["keepalived"]} "$@"',
        "ip": f'case "$1" in -json) exec {programs["ip"]} -n {namespace} "$@" ;; *) exec {programs["ip"]} "$@" ;; esac',
        "systemctl": f'test "$1" = start || exit 0; {daemon} >>{home}/log 2>&1',
    }
    (home / "bin").mkdir()
    for name, line in scripts.items():
        (home / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (home / "bin" / name).chmod(0o755)


def test_runs_at_once_end_with_one_whole_configuration(node: Node) -> None:
    assert result(node.start("192.0.2.10"))["action"] == "start"
    addresses = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
    answers = [result(run) for run in [node.start(address) for address in addresses]]

    assert [answer.get("action") or answer["msg"] for answer in answers] == ["reload"] * 3
    assert not list(node.home.glob("*.previous"))
    (winner,) = (address for address in addresses if node.path.read_text() == node.text(address))
    wait_for(lambda: node.addresses() == {winner})


def test_a_run_waits_for_the_proof_of_another_one(node: Node) -> None:
    assert result(node.start("192.0.2.10"))["action"] == "start"
    first = node.start("192.0.2.11")
    wait_for((node.home / "keepalived.conf.previous").exists)
    first.send_signal(signal.SIGSTOP)
    second = node.start("192.0.2.12")
    wait_for(lambda: node.is_at_the_lock(second))

    assert second.poll() is None
    assert node.path.read_text() == node.text("192.0.2.11")

    first.send_signal(signal.SIGCONT)
    assert [result(run)["action"] for run in (first, second)] == ["reload"] * 2
    wait_for(lambda: node.addresses() == {"192.0.2.12"})


def test_a_killed_run_leaves_no_lock(node: Node) -> None:
    assert result(node.start("192.0.2.10"))["action"] == "start"
    killed = node.start("192.0.2.11")
    wait_for((node.home / "keepalived.conf.previous").exists)
    killed.kill()
    killed.communicate()

    answer = result(node.start("192.0.2.12"))

    assert (answer.get("msg"), answer["action"]) == (None, "reload")
    assert not (node.home / "keepalived.conf.previous").exists()
    wait_for(lambda: node.addresses() == {"192.0.2.12"})
