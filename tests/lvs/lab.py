# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes on networks, inside one kernel: each node is a network namespace with files of its own.

Runs as root in the machine that scripts/uml boots.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).parents[2]
ROLE = ROOT / "roles" / "keepalived"
RENDERED = pathlib.Path(os.environ["CACHE"]) / "bench" / "lvs"
NODES = pathlib.Path("/run/nodes")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


def until(condition: t.Callable[[], t.Any], seconds: float, interval: float = 0.1) -> float:
    """How many seconds it took; more than allowed is a failure."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(interval)
    return time.monotonic() - started


@dataclass
class Node:
    """A machine: a network namespace, a root directory that shows the files of this one and keeps its own changes."""

    name: str
    addresses: list[tuple[str, ...]] = field(default_factory=list)
    """Of each interface, eth0 first."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def root(self) -> pathlib.Path:
        return NODES / self.name / "root"

    def make(self) -> None:
        for name in ("upper", "work", "root"):
            (NODES / self.name / name).mkdir(parents=True)
        run("ip", "netns", "add", self.name)
        layers = f"lowerdir=/,upperdir={self.root.parent}/upper,workdir={self.root.parent}/work"
        run("mount", "-t", "overlay", "-o", layers, "overlay", self.root)
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "run")
        run("mount", "--rbind", "/dev", self.root / "dev")
        run("mount", "-t", "proc", "proc", self.root / "proc")
        shutil.rmtree(self.root / "etc" / "keepalived", ignore_errors=True)
        # Addresses serve at once, without a look around for others that have them.
        self.run("sh", "-c", "for way in all default; do echo 0 >/proc/sys/net/ipv6/conf/$way/accept_dad; done")
        self.run("ip", "link", "set", "lo", "up")

    def plug(self, bridge: str, *addresses: str) -> None:
        """One more interface, on that bridge."""
        number = len(self.addresses)
        self.addresses.append(addresses)
        inside, outside = f"eth{number}", f"{self.name}-{number}"
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", self.name)
        run("ip", "link", "set", outside, "master", bridge, "up")
        self.run("ip", "link", "set", inside, "up")
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", inside)

    def die(self) -> None:
        """From one moment to the next, and without a word to anyone."""
        self.unplug()
        self.kill_all()

    def unplug(self, plugged: bool = False) -> None:
        """No packet gets in or out; the node itself cannot see that."""
        for number in range(len(self.addresses)):
            run(
                "bridge",
                "link",
                "set",
                "dev",
                f"{self.name}-{number}",
                "state",
                "forwarding" if plugged else "disabled",
            )

    def command(self, *command: object) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.name}", f"--root={self.root}", "--wd=/", "--", *map(str, command)]

    def run(self, *command: object) -> str:
        return run(*self.command(*command))

    def start(self, *command: object) -> subprocess.Popen[bytes]:
        with (NODES / self.name / "log").open("ab") as log:
            process = subprocess.Popen(self.command(*command), stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    @property
    def log(self) -> str:
        log = NODES / self.name / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """With its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    def kill_all(self) -> None:
        for process in list(self.processes):
            self.kill(process)

    def stop_all(self) -> None:
        """As systemd does it: the processes have time to say goodbye."""
        for process in list(self.processes):
            process.terminate()
            process.wait(10)
            self.processes.remove(process)

    def forget(self) -> None:
        """What a boot ends: addresses that a dead keepalived left, and all that IPVS knew."""
        for number, own in enumerate(self.addresses):
            self.run("ip", "-4", "address", "flush", "dev", f"eth{number}")
            for address in own:
                self.run("ip", "address", "replace", address, "dev", f"eth{number}")
        self.run("ipvsadm", "--clear")
        for kind in ("master", "backup"):
            subprocess.run(self.command("ipvsadm", "--stop-daemon", kind), capture_output=True, check=False)

    def install(self, path: str, text: str, mode: int = 0o644) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    @contextlib.contextmanager
    def network(self) -> t.Iterator[None]:
        """What this thread opens in the meantime is on the network of the node."""
        own, other = pathlib.Path("/proc/thread-self/ns/net"), pathlib.Path("/run/netns") / self.name
        with own.open() as before, other.open() as inside:
            assert _libc.setns(inside.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert _libc.setns(before.fileno(), _CLONE_NEWNET) == 0

    def holds(self, address: str) -> bool:
        return f" {address}/" in self.run("ip", "-oneline", "address", "show")


@dataclass
class Lab:
    """The nodes of one example of examples/, set up as the role sets them up."""

    example: str
    nodes: dict[str, Node] = field(default_factory=dict)
    bridges: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def network(self, bridge: str, **addresses: str) -> None:
        """One more network, and which node has which address on it."""
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", bridge, "up")
        self.bridges.append(bridge)
        for name, address in addresses.items():
            if name not in self.nodes:
                self.nodes[name] = Node(name)
                self.nodes[name].make()
            self.nodes[name].plug(bridge, *address.split())

    def rendered(self, name: str, path: str) -> str:
        return (RENDERED / self.example / name / path).read_text()

    def set_up_director(self, name: str) -> None:
        self.nodes[name].install("/etc/sysctl.d/lvs.conf", self.rendered(name, "etc/sysctl.d/71-keepalived-lvs.conf"))
        self.nodes[name].run("sysctl", "-e", "-p", "/etc/sysctl.d/lvs.conf")
        self.start_keepalived(name)

    def start_keepalived(self, name: str) -> subprocess.Popen[bytes]:
        node = self.nodes[name]
        (node.root / "run" / "keepalived-track").mkdir(exist_ok=True)
        node.install("/etc/keepalived/keepalived.conf", self.rendered(name, "etc/keepalived/keepalived.conf"))
        return node.start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--no-syslog")

    def boot_director(self, name: str) -> None:
        """After it died."""
        self.nodes[name].forget()
        self.nodes[name].unplug(plugged=True)
        self.start_keepalived(name)

    def set_up_real_server(self, name: str) -> None:
        """What systemd does with the unit."""
        unit = self.rendered(name, "etc/systemd/system/lvs-real-server.service")
        start = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        assert start
        program, *vips = start.group(1).split()
        self.nodes[name].install(program, (ROLE / "files" / "lvs-real-server").read_text(), 0o755)
        self.nodes[name].run(program, *vips)
        self.nodes[name].run(program, "--check", *vips)

    def serve(self, name: str) -> subprocess.Popen[bytes]:
        """A web server that answers with the name of its node."""
        process = self.nodes[name].start("python3", pathlib.Path(__file__).parent / "website.py", name)
        until(lambda: fetch(self.nodes[name], "127.0.0.1") == name, 10)
        return process

    def report(self) -> str:
        """What the daemons said, and what the kernel knows."""
        parts = []
        for node in self.nodes.values():
            parts += [f"----- {node.name}", node.run("ip", "-brief", "address"), node.run("ipvsadm", "-Ln", "--stats")]
            parts += node.log.splitlines()[-40:]
        return "\n".join(parts)

    def tear_down(self) -> None:
        for node in self.nodes.values():
            node.kill_all()
            run("ip", "netns", "delete", node.name)
            run("umount", "--recursive", node.root)
            shutil.rmtree(NODES / node.name)
        for bridge in self.bridges:
            run("ip", "link", "delete", bridge)


def real_servers(director: Node) -> dict[str, int]:
    """The weights of the real servers in the director's kernel."""
    rules = director.run("ipvsadm", "--list", "--numeric")
    return {address: int(weight) for address, weight in re.findall(r"-> ([\d.]+):80 +\w+ +(\d+)", rules)}


def packets(director: Node, vip: str) -> tuple[int, int]:
    """Packets that the director took from clients, and sent to them; the kernel counts every two seconds."""
    stats = director.run("ipvsadm", "--list", "--numeric", "--stats", "--exact")
    found = re.search(rf"TCP +{re.escape(vip)}:80 +\d+ +(\d+) +(\d+)", stats)
    assert found, stats
    return int(found.group(1)), int(found.group(2))


def _get(address: str, path: str, patience: float) -> str | None:
    """The body of an answer with status 200."""
    answer = b""
    try:
        with socket.create_connection((address, 80), timeout=patience) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            while received := connection.recv(4096):
                answer += received
    except OSError:
        return None
    head, _blank, body = answer.partition(b"\r\n\r\n")
    return body.decode().strip() if b" 200 " in head.splitlines()[0] else None


def fetch(node: Node, address: str, path: str = "/", patience: float = 1.0) -> str | None:
    with node.network():
        return _get(address, path, patience)


def fetch_many(node: Node, address: str, times: int) -> list[str | None]:
    with node.network():
        return [_get(address, "/", 1.0) for _again in range(times)]


class Prober:
    """Asks every 50 ms with a patience of 250 ms, in a thread, and knows for how long there was no answer."""

    def __init__(self, node: Node, address: str) -> None:
        self.answers: list[tuple[float, str | None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._probe, args=(node, address))

    def _probe(self, node: Node, address: str) -> None:
        with node.network():
            while not self._stop.wait(0.05):
                sent = time.monotonic()
                self.answers.append((sent, _get(address, "/", 0.25)))

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def outage(self) -> float:
        """The longest time from a lost request to the next answered one."""
        longest, since = 0.0, None
        for sent, answer in self.answers:
            if answer is None:
                since = since or sent
            elif since:
                longest, since = max(longest, sent - since), None
        return max(longest, self.answers[-1][0] - since) if since else longest
