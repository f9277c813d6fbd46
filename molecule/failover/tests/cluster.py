# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three load balancers that share two virtual addresses: break them, and see what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import subprocess
import sys
import time
import typing as t
import urllib.request

from bench import CACHE, MOLECULE, Node, Probed, brackets, probing, until
from watcher import Watcher

# What HAProxy answers itself, and what its server does.
PORT = 8001
SERVED = 8002
# Nobody knows whether a cluster has come to rest; for so long nothing has moved.
REST = 1.0


@dataclasses.dataclass(frozen=True)
class Address:
    """A virtual address, and what the role promises for it."""

    instance: str
    interface: str
    #: the node that it belongs to as long as all is well
    node: str
    #: seconds by fault
    budget: dict[str, float]


class Cluster:
    def __init__(self, name: str) -> None:
        facts = json.loads((CACHE / name / "bench.json").read_text())
        self.name = name
        self.nodes = {node: Node(node, container, "") for node, container in facts["containers"].items()}
        self.server_port = int(facts["server_port"])
        self.addresses = dict(addresses(facts["instances"], facts["budget"]))
        self.watcher = Watcher(self.addresses)
        for node in self.nodes.values():
            self.attach(node)
        for its in self.addresses.values():
            self.nodes[its.node].pin_bridge(its.interface)

    @property
    def owners(self) -> list[Node]:
        """The nodes to which an address belongs."""
        return [self.nodes[name] for name in dict.fromkeys(address.node for address in self.addresses.values())]

    @functools.cached_property
    def version(self) -> str:
        node = next(iter(self.nodes.values()))
        return node.host.run("keepalived --version").stderr.split()[1]

    def attach(self, node: Node) -> None:
        command = ["podman", "inspect", "--format", "{{ .State.Pid }}", node.container]
        self.watcher.attach(node.name, int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))

    # Looking

    def is_spread(self) -> bool:
        """Whether the nodes have the addresses that belong to them, and clients know it."""
        return all(self.watcher.holders(address) == {its.node} for address, its in self.addresses.items()) and all(
            self.answer(address) == its.node for address, its in self.addresses.items()
        )

    def told(self) -> dict[str, list[str]]:
        return {address: sorted(self.watcher.holders(address)) for address in self.addresses}

    def answer(self, address: str, port: int = PORT) -> str:
        """The node that answers a client, or with another port what it says."""
        try:
            with urllib.request.urlopen(f"http://{brackets(address)}:{port}/", timeout=0.5) as answer:
                return str(answer.read().decode().strip())
        except OSError:
            return ""

    @contextlib.contextmanager
    def serving(self) -> t.Iterator[None]:
        """The server behind HAProxy, which is up for all nodes once this begins."""
        command = [sys.executable, str(MOLECULE / "shared" / "files" / "webserver.py"), str(self.server_port)]
        with subprocess.Popen(command) as server:
            try:
                assert until(lambda: all(self.answer(address, SERVED) for address in self.addresses), 60), "no answer"
                yield
            finally:
                server.terminate()

    def holder(self, instance: str) -> Node:
        """The node to which an instance belongs."""
        return next(self.nodes[its.node] for its in self.addresses.values() if its.instance == instance)

    def is_at_rest(self) -> bool:
        return time.time() - self.watcher.quiet_since() > REST

    def settled(self, seconds: float = 60) -> bool:
        """Whether every address comes to the node that it belongs to, and stays there."""
        return until(lambda: self.is_spread() and self.is_at_rest(), seconds)

    def probing(self, port: int) -> contextlib.AbstractContextManager[Probed]:
        """Clients of every address meanwhile."""
        return probing(port, *self.addresses)

    # Breaking

    def kill(self, *nodes: Node) -> None:
        """Without power."""
        subprocess.run(["podman", "kill", "--signal=KILL", *containers(nodes)], check=True, capture_output=True)
        for node in nodes:
            self.watcher.mark(node.name, alive=False)
            self.watcher.detach(node.name)

    def start(self, *nodes: Node) -> None:
        subprocess.run(["podman", "start", *containers(nodes)], check=True, capture_output=True)
        for node in nodes:
            self.attach(node)

    def freeze(self, node: Node) -> None:
        node.podman("pause")
        self.watcher.mark(node.name, alive=False)

    def thaw(self, node: Node) -> None:
        self.watcher.mark(node.name, alive=True)
        node.podman("unpause")

    def cable(self, node: Node, state: t.Literal["up", "down"]) -> None:
        """Pull or plug the cable of its address: outside, as the node's own view of its link must change."""
        subprocess.run(["ip", "link", "set", self.link(node), state], check=True)

    def filter(self, node: Node, family: t.Literal["netdev", "bridge"], *hooks: str) -> None:
        """Drop packets outside of a node, at once: where its cable ends, or in the bridge between it and the others."""
        chains = (f"chain lost{number} {{ type filter hook {rules}\n}}\n" for number, rules in enumerate(hooks))
        nft(f"table {family} {node.container} {{ {''.join(chains)} }}")

    def unfilter(self, node: Node) -> None:
        for family in ("netdev", "bridge"):
            # To add what is there already is no mistake, to delete what is not would be one.
            nft(f"add table {family} {node.container}; delete table {family} {node.container}")

    def interface(self, node: Node) -> str:
        """Where a node has its address."""
        mine = [address.interface for address in self.addresses.values() if address.node == node.name]
        return (mine or [next(iter(self.addresses.values())).interface])[0]

    def link(self, node: Node) -> str:
        """The other end of the cable by which a node has its address."""
        return node.link(self.interface(node))


def addresses(
    instances: dict[str, dict[str, dict[str, t.Any]]], budget: dict[str, dict[str, float]]
) -> t.Iterator[tuple[str, Address]]:
    """From the instances of each node."""
    first, *_others = instances.values()
    for name, instance in first.items():
        best = max(instances, key=lambda node: int(instances[node][name]["priority"]))
        for vip in instance["vips"]:
            yield vip.partition("/")[0], Address(name, instance["interface"], best, budget[name])


def nft(commands: str) -> None:
    subprocess.run(["nft", "--file", "-"], input=commands, text=True, check=True)


def containers(nodes: t.Iterable[Node]) -> list[str]:
    return [node.container for node in nodes]


def name() -> str:
    return f"lbff{os.environ.get('BENCH_DEBIAN') or 12}"
