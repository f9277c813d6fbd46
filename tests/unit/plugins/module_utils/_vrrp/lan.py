# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes with keepalived and a client, as network namespaces on a bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import typing as t
import uuid
from dataclasses import dataclass, field
from ipaddress import ip_interface
from pathlib import Path

import pytest

KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")
PREFIX = {4: "192.0.2", 6: "2001:db8:"}


def needed(*programs: str) -> None:
    """Skip the test where this cannot be built."""
    wanted = (KEEPALIVED, "ip", "ping", *programs)
    if os.geteuid() or not all(map(shutil.which, wanted)):
        pytest.skip(f"needs root and {', '.join(wanted)}")
    name = f"lbf{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us make network namespaces")
    subprocess.run(["ip", "netns", "delete", name], check=True)


def address(family: int, number: int) -> str:
    return f"{PREFIX[family]}{':' if family == 6 else '.'}{number}"


def links(number: int) -> dict[str, tuple[t.Any, ...]]:
    """The facts of a node."""
    return {"eth0": (ip_interface(f"{address(4, number)}/24"), ip_interface(f"{address(6, number)}/64"))}


@dataclass
class Lan:
    """A bridge ``lan`` with the nodes ``lb1`` and ``lb2``; who stands at the bridge is the client, and any stranger."""

    home: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    prefix: str = field(default_factory=lambda: f"lbf{uuid.uuid4().hex[:8]}-")

    def run(self, name: str, command: str) -> str:
        inside = ["ip", "netns", "exec", f"{self.prefix}{name}", *command.split()]
        return subprocess.run(inside, check=True, capture_output=True, text=True).stdout

    def __enter__(self) -> Lan:
        return self

    def build(self) -> None:
        for name in ("lan", "lb1", "lb2"):
            subprocess.run(["ip", "netns", "add", f"{self.prefix}{name}"], check=True)
            self.run(name, "ip link set lo up")
        self.run("lan", "ip link add br0 type bridge")
        for number in (1, 2):
            self.run("lan", f"ip link add lb{number} type veth peer name eth0 netns {self.prefix}lb{number}")
            self.run("lan", f"ip link set lb{number} master br0 up")
            self.attach(f"lb{number}", "eth0", number)
        self.attach("lan", "br0", 9)
        for number in (1, 2):
            self.run("lan", f"ping -n -q -c 1 -i 0.1 -w 30 {address(4, number)}")

    def attach(self, name: str, interface: str, number: int) -> None:
        self.run(name, f"ip link set {interface} up")
        self.run(name, f"ip address add {address(4, number)}/24 dev {interface}")
        self.run(name, f"ip address add {address(6, number)}/64 dev {interface} nodad")

    def __exit__(self, *_exception: object) -> None:
        for daemon in self.daemons:
            daemon.terminate()
        for daemon in self.daemons:
            daemon.wait(20)
        for name in ("lan", "lb1", "lb2"):
            subprocess.run(["ip", "netns", "delete", self.prefix + name], check=False, capture_output=True)

    def start(self, name: str, text: str) -> None:
        (self.home / f"{name}.conf").write_text(text, encoding="utf-8")
        pids = [f"--{kind}={self.home}/{name}.{kind}" for kind in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid")]
        command = [KEEPALIVED, "--dont-fork", "--vrrp", "--log-console", f"--use-file={self.home}/{name}.conf", *pids]
        with (self.home / f"{name}.log").open("wb") as log:
            inside = ["ip", "netns", "exec", f"{self.prefix}{name}", *command]
            self.daemons.append(subprocess.Popen(inside, stdout=log, stderr=log))

    def wait_for(self, name: str, vip: str) -> None:
        deadline = time.monotonic() + 60
        while f" {vip}/" not in self.run(name, "ip -o address"):
            assert time.monotonic() < deadline, (self.home / f"{name}.log").read_text()
            time.sleep(0.05)
