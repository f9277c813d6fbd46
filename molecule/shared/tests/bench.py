# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench as the tests see it: nodes to look into, virtual addresses to ask, a prober to leave running."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

import testinfra
import yaml
from testinfra.host import Host

MOLECULE = pathlib.Path(__file__).resolve().parents[2]
CACHE = MOLECULE.parent / ".cache" / "bench"

T = t.TypeVar("T")


def scenario() -> pathlib.Path:
    """The scenario that molecule runs; the default one for a plain pytest."""
    return pathlib.Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", MOLECULE / "default"))


def until(question: t.Callable[[], T], seconds: float = 20) -> T:
    """Ask until the answer is yes or time is up; the last answer either way, for an assert to show."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def ansible_playbook(playbook: pathlib.Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook with the inventory of the scenario, and with more variables in its environment."""
    inventories = [MOLECULE / "shared" / "inventory", *scenario().glob("inventory*")]
    command = ["ansible-playbook", *(f"--inventory={path}" for path in inventories), *arguments, str(playbook)]
    # Molecule forces colours, which stand between a word and the next.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def changes(output: str) -> dict[str, int]:
    """How many tasks of a playbook changed something, by host."""
    return {
        host: int(changed) for host, changed in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    }


@dataclasses.dataclass(frozen=True)
class Answer:
    """What curl has to say about a request; status 0 when there was no answer, and then the error."""

    status: int
    version: str
    redirect: str
    text: str
    error: str

    @property
    def json(self) -> dict[str, t.Any]:
        """What the web server behind the load balancer says of itself and the request it got."""
        assert self.status == 200, self
        content: dict[str, t.Any] = json.loads(self.text)
        return content


class Node:
    """One container; commands run in it, or on it from outside."""

    def __init__(self, name: str, container: str, address: str) -> None:
        self.name = name
        self.container = container
        self.address = address

    def __repr__(self) -> str:
        return self.name

    @functools.cached_property
    def host(self) -> Host:
        return testinfra.get_host(f"podman://{self.container}")

    def run(self, command: str) -> str:
        return self.host.check_output(command)

    def systemctl(self, command: str) -> None:
        self.run(f"systemctl {command}")

    def podman(self, *command: str) -> None:
        subprocess.run(["podman", *command, self.container], check=True, capture_output=True)

    @property
    def state(self) -> str:
        command = ["podman", "inspect", "--format", "{{ .State.Status }}", self.container]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def holds(self, address: str) -> bool:
        """Whether the node has this address; one that is down or frozen has none that counts."""
        if self.state != "running":
            return False
        return f" {address}/" in self.host.run("ip -oneline address show").stdout

    def link(self, interface: str) -> str:
        """The name of the cable's other end, on this machine."""
        index = self.run(f"cat /sys/class/net/{interface}/iflink").strip()
        return next(
            path.parent.name
            for path in pathlib.Path("/sys/class/net").glob("*/ifindex")
            if path.read_text().strip() == index
        )

    def pin_bridge(self, interface: str) -> None:
        """Let the bridge behind a cable keep its address, which is the router's and the clients' here.

        By itself it takes the lowest one of its ports, so it might have another one when a node dies.
        """
        bridge = pathlib.Path("/sys/class/net", self.link(interface), "master").resolve()
        address = (bridge / "address").read_text().strip()
        subprocess.run(["ip", "link", "set", bridge.name, "address", address], check=True)


@dataclasses.dataclass(frozen=True)
class Bench:
    """What molecule/shared/templates/bench.json.j2 says of the scenario."""

    name: str
    balancers: list[Node]
    webs: list[Node]
    domain: str
    external_vip: str
    internal_vip: str
    ipv6_vip: str
    root: pathlib.Path
    stats_user: str
    stats_password: str

    @classmethod
    def load(cls, name: str = "") -> Bench:
        """The bench of this name; without one, that of the Debian release of the scenario."""
        inventory = yaml.safe_load((scenario() / "inventory.yml").read_text())
        name = name or f"lbf{inventory['all']['vars']['bench_debian']}"
        facts = json.loads((CACHE / name / "bench.json").read_text())
        nodes = facts.pop("nodes")
        for group in ("balancers", "webs"):
            facts[group] = [Node(name, **nodes[name]) for name in facts[group]]
        return cls(**facts | {"root": pathlib.Path(facts["root"])})

    @property
    def vips(self) -> list[str]:
        return [self.external_vip, self.internal_vip, self.ipv6_vip]

    def fetch(self, url: str, *options: str, source: Node | None = None) -> Answer:
        """Ask with curl, from this machine (a client that is no load balancer) or from a node."""
        host = source.host if source else testinfra.get_host("local://")
        trust = [] if source else ["--cacert", str(self.root)]
        name = ["--connect-to", f"{self.domain}::{self.external_vip}:"]
        command = ["curl", "--silent", "--show-error", "--globoff", "--max-time", "5"]
        command += [*trust, *name, "--write-out", "\n%{json}", *options, url]
        result = host.run(" ".join(["%s"] * len(command)), *command)
        text, _newline, outcome = result.stdout.rpartition("\n")
        facts = json.loads(outcome)
        return Answer(
            status=facts["http_code"],
            version=facts["http_version"],
            redirect=facts["redirect_url"] or "",
            text=text,
            error=result.stderr,
        )

    def servers(self, url: str, requests: int = 12) -> set[str]:
        """The web servers that answer these requests."""
        return {self.fetch(url).json["server"] for _number in range(requests)}

    def holders(self, vip: str) -> list[Node]:
        return [node for node in self.balancers if node.holds(vip)]

    def settled(self) -> bool:
        """Whether every node does its work, each VIP has exactly one holder, and requests are answered there."""
        return (
            all(node.state == "running" for node in [*self.balancers, *self.webs])
            and all(node.host.run("systemctl is-active haproxy keepalived").succeeded for node in self.balancers)
            and all(node.host.run("systemctl is-active webserver").succeeded for node in self.webs)
            and all(len(self.holders(vip)) == 1 for vip in self.vips)
            and all(self.fetch(f"http://{brackets(vip)}:8001/").status == 200 for vip in self.vips)
        )


def brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@dataclasses.dataclass
class Probed:
    """What clients of these addresses saw; see prober.py."""

    lag: float = 0.0
    addresses: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def probing(port: int, *addresses: str) -> t.Iterator[Probed]:
    """Ask every address all the time meanwhile; the report is there when the block has ended."""
    command = [sys.executable, str(pathlib.Path(__file__).with_name("prober.py")), str(port), *addresses]
    report = Probed()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as prober:
        try:
            assert prober.stdout and prober.stdout.readline() == "ready\n"
            time.sleep(0.2)
            yield report
        finally:
            output, _nothing = prober.communicate()
    said = json.loads(output)
    report.lag, report.addresses = said["lag"], said["addresses"]
