# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports for the servers of tests."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess

# Below those that Linux gives to clients (ip_local_port_range), and a part for each process of pytest-xdist, so that
# nobody else takes a port between its choice and its bind.
FIRST, LAST = 10_000, 30_000
GIVEN: set[int] = set()


def free_port() -> int:
    """A port that no address of this machine has, and that this process has not given away before."""
    size = (LAST - FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = FIRST + size * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for port in random.sample(range(first, first + size), size):
        if port not in GIVEN and is_free(port):
            GIVEN.add(port)
            return port
    raise AssertionError("no port is free")


def is_free(port: int) -> bool:
    """Whether nobody listens on it, for IPv4 and IPv6."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(("", port))
        return True
    return False


def free_ports(count: int) -> list[int]:
    """Neighbouring ports that nothing uses, for any protocol."""
    used = set(
        subprocess.run("ss -Htuna | grep -o ':[0-9]* '", shell=True, capture_output=True, check=True).stdout.split()
    )
    for first in range(random.randrange(20000, 30000), 32000, count):
        ports = range(first, first + count)
        if used.isdisjoint(f":{port}".encode() for port in ports):
            return list(ports)
    raise AssertionError("no free ports")
