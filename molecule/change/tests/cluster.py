# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes under change: run the collection on them, and look into them past the collection."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

from bench import CACHE, MOLECULE, Bench, Node
from changes import Change

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE = MOLECULE / "change"
INSTALL = MOLECULE.parent / "playbooks" / "haproxy_install.yml"
REQUESTS = 200_000
Answers = dict[str, dict[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class Played:
    """What a run of Ansible came to; the answers of haproxy_config by node."""

    code: int
    output: str
    answers: Answers
    seconds: float

    @property
    def actions(self) -> dict[str, str]:
        return {node: one["action"] for node, one in self.answers.items()}


@dataclasses.dataclass(frozen=True)
class State:
    """A line of "show servers state"."""

    address: str
    port: int
    weight: int
    admin: int


class Cluster:
    """Three load balancers, and what has been done to them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.directory = CACHE / bench.name
        self.masters = {node.name: self.reloads(node) for node in bench.balancers}
        self.workers = {node.name: self.worker(node) for node in bench.balancers}
        self.releases = {node.name: self.release(node) for node in bench.balancers}
        self.needed: collections.Counter[str] = collections.Counter()
        self.made: list[dict[str, t.Any]] = []
        self.wanted: dict[str, t.Any] = {}

    # Changing

    def play(self, playbook: pathlib.Path, wanted: dict[str, t.Any], *arguments: str) -> Played:
        variables, applied = self.directory / "wanted.json", self.directory / "applied.jsonl"
        variables.write_text(json.dumps(wanted))
        applied.write_text("")
        started = time.monotonic()
        result = self.ansible("ansible-playbook", f"--extra-vars=@{variables}", *arguments, str(playbook))
        seconds = time.monotonic() - started
        answers = {
            one["node"]: {"action": "failure", **one["result"]} if one["failed"] else one["result"]
            for one in map(json.loads, applied.read_text().splitlines())
        }
        return Played(result.returncode, result.stdout + result.stderr, answers, seconds)

    def ansible(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        inventories = [f"--inventory={MOLECULE / 'shared' / 'inventory'}", f"--inventory={HERE / 'inventory.yml'}"]
        environment = {
            **os.environ,
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.directory / "facts"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_NOCOLOR": "true",
            "APPLIED": str(self.directory / "applied.jsonl"),
        }
        command = [program, *inventories, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def change(self, change: Change, playbook: pathlib.Path = HERE / "change.yml", *arguments: str) -> Played:
        only_now = {"haproxy_pki_regen_cert": "true"} if change.kind == "certificate" else {}
        played = self.play(playbook, {**change.wanted, **only_now}, *arguments)
        self.made.append(
            {"change": str(change), "what": change.what, "actions": played.actions, "seconds": round(played.seconds, 1)}
        )
        for node, action in played.actions.items():
            self.needed[node] += action == "reload"
        return played

    @contextlib.contextmanager
    def killing(self, node: Node) -> Iterator[list[str]]:
        """Kill the next run on a node in the middle of its work; what was killed is known when the block has ended."""
        program = pathlib.Path(__file__).with_name("assassin.py").read_text()
        command = ["podman", "exec", node.container, "python3", "-c", program]
        report: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as assassin:
            assert assassin.stdout and assassin.stdout.readline() == "ready\n"
            yield report
            report.append(assassin.stdout.read().strip())

    # Looking

    def ask(self, node: Node, command: str, socket: str = "/run/haproxy/admin.sock") -> str:
        return node.run(f"printf '%s\\n' '{command}' | nc -N -U {socket}")

    def reloads(self, node: Node) -> int:
        """How often the master has reloaded, and that it never failed to."""
        answer = self.ask(node, "show proc", "/run/haproxy-master.sock")
        master = re.search(r"^\d+\s+master\s+(\d+) \[failed: (\d+)\]", answer, re.MULTILINE)
        assert master and master[2] == "0", answer
        return int(master[1])

    def worker(self, node: Node) -> int:
        return int(dict(re.findall(r"^(\w+): (.*)$", self.ask(node, "show info"), re.MULTILINE))["Pid"])

    def release(self, node: Node) -> str:
        return node.run("readlink /etc/haproxy/current").strip().removeprefix("releases/")

    def servers(self, node: Node) -> dict[str, dict[str, State]]:
        """Every pool as HAProxy has it at this moment."""
        _version, header, *lines = self.ask(node, "show servers state").strip().splitlines()
        names = header.removeprefix("# ").split()
        pools: dict[str, dict[str, State]] = collections.defaultdict(dict)
        for row in (dict(zip(names, line.split(), strict=False)) for line in lines):
            state = State(row["srv_addr"], int(row["srv_port"]), int(row["srv_uweight"]), int(row["srv_admin_state"]))
            pools[row["be_name"]][row["srv_name"]] = state
        return dict(pools)

    def patterns(self, node: Node, kind: str, name: str) -> list[str]:
        """The entries of a map or an ACL file that HAProxy has loaded, without their addresses in its memory."""
        answer = self.ask(node, f"show {kind} /etc/haproxy/{name}")
        return [line.split(" ", 1)[1] for line in answer.strip().splitlines()]

    def drift(self) -> dict[str, dict[str, t.Any]]:
        """What the collection itself says, by node."""
        module = ("--module-name=lbforge.haproxy.haproxy_info", "--args=gather=drift")
        result = self.ansible("ansible", "haproxy", *module)
        said = re.findall(r"^(\w+) \| SUCCESS => (\{.*?^\})", result.stdout, re.MULTILINE | re.DOTALL)
        return {node: json.loads(answer)["drift"] for node, answer in said}


class Clients:
    """Clients that ask all the time."""

    def __init__(self, bench: Bench, least: int = REQUESTS) -> None:
        targets = [
            ("https", bench.external_vip, 443, 14),
            ("http", bench.external_vip, 8001, 12),
            ("http", bench.internal_vip, 8001, 12),
        ]
        situation = {"targets": targets, "name": bench.domain, "root": str(bench.root), "least": least}
        command = [sys.executable, str(pathlib.Path(__file__).with_name("clients.py")), json.dumps(situation)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.report: dict[str, t.Any] = {}

    def finish(self) -> dict[str, t.Any]:
        if not self.report:
            output, _nothing = self.process.communicate()
            self.report = json.loads(output)
        return self.report
