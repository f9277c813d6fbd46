# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests for a second of HAProxy's time: the role's default configuration, one written by hand, and httpclose.

HAProxy has the first CPU for itself; who asks, who answers and who reads the log share the second. All take turns, and
ratios are of one turn: what else happens on the machine meets both sides.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from render import TEMPLATE
from row import Row, at_least, figure

from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_model import haproxy_model

CONNECTIONS = 32
Places = t.Mapping[str, t.Any]
TICKS = os.sysconf("SC_CLK_TCK")

BY_HAND = """\
global
    log /dev/log local0
    chroot {home}/chroot
    user haproxy
    group haproxy
    maxconn 4096
defaults
    mode http
    log global
    option httplog
    option http-keep-alive
    timeout connect 10s
    timeout client 50s
    timeout server 50s
frontend plain
    bind 127.0.0.1:{http}
    default_backend answers
frontend secure
    bind 127.0.0.1:{https} ssl crt {home}/a.pem alpn h2,http/1.1
    default_backend answers
backend answers
    server one 127.0.0.1:{backend}
"""
BACKEND = """\
defaults
    mode http
    timeout client 50s
frontend answers
    bind 127.0.0.1:{backend}
    http-request return status 200 content-type text/plain string ok
"""
# Somebody has to read what is logged: the first argument is the path of the socket.
READER = """\
import os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
while True:
    log.recv(8192)
"""


@dataclasses.dataclass(frozen=True)
class Size:
    rounds: int
    #: of a turn
    seconds: int


FULL, QUICK = Size(rounds=9, seconds=2), Size(rounds=1, seconds=1)


@dataclasses.dataclass
class Contender:
    """A HAProxy, and what it did in each turn: requests for a second of its CPU, HTTP and HTTPS."""

    name: str
    pid: int
    ports: t.Mapping[str, int]
    turns: dict[str, list[float]] = dataclasses.field(default_factory=lambda: {"http": [], "https": []})

    def take_turn(self, scheme: str, seconds: int) -> None:
        before = cpu_seconds(self.pid)
        requests = ask(f"{scheme}://127.0.0.1:{self.ports[scheme]}/", seconds)
        self.turns[scheme].append(requests / (cpu_seconds(self.pid) - before))


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and system mode."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def rows(size: Size) -> t.Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        home = pathlib.Path(name)
        home.chmod(0o755)
        (home / "chroot" / "dev").mkdir(parents=True)
        (home / "run").mkdir()
        certificate(home / "a.pem")
        backend = free_port()
        start(stack, home, "backend", BACKEND.format(backend=backend), cpu=1)
        log = home / "chroot" / "dev" / "log"
        run(stack, 1, sys.executable, "-c", READER, str(log))
        until(log.exists)
        ours, keepalive, closing = (
            contender(stack, home, name, text, backend)
            for name, text in (
                ("the role's defaults", by_role("http-keep-alive")),
                ("keep-alive by hand", by_hand),
                ("httpclose", by_role("httpclose")),
            )
        )
        for _round in range(size.rounds):
            for scheme in ("http", "https"):
                for each in (ours, keepalive, closing):
                    each.take_turn(scheme, size.seconds)
    for scheme, gain in (("http", 4), ("https", 15)):
        for each in (ours, keepalive, closing):
            yield figure(
                f"{each.name}, {scheme.upper()}: requests per CPU second", statistics.median(each.turns[scheme])
            )
        yield at_least(0.97, f"{ours.name} / {keepalive.name}, {scheme.upper()}", ratio(ours, keepalive, scheme))
        yield at_least(gain, f"{ours.name} / {closing.name}, {scheme.upper()}", ratio(ours, closing, scheme))


def ratio(one: Contender, other: Contender, scheme: str) -> float:
    return statistics.median(mine / yours for mine, yours in zip(one.turns[scheme], other.turns[scheme], strict=True))


def contender(
    stack: contextlib.ExitStack, home: pathlib.Path, name: str, text: t.Callable[[Places], str], backend: int
) -> Contender:
    ports = {"http": free_port(), "https": free_port()}
    pid = start(stack, home, name.replace(" ", "-"), text({"home": home, "backend": backend, **ports}), cpu=0)
    until(lambda: all(map(listens, ports.values())))
    return Contender(name, pid, ports)


def by_hand(places: Places) -> str:
    return BY_HAND.format(**places)


def by_role(mode: str) -> t.Callable[[Places], str]:
    """What the role renders for two services when nothing is set but what it must know, and how connections end."""

    def text(places: Places) -> str:
        # Nothing here runs in the sandbox of the unit, which hides the certificate's directory.
        settings = {"haproxy_keepalive_mode": mode, "haproxy_systemd_hardening": False}
        model = haproxy_model(services(places), settings=settings)
        variables = {"haproxy": model, "ansible_managed": "Ansible managed"}
        text = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(TEMPLATE.read_text()))
        home = places["home"]
        return str(text).replace("/var/lib/haproxy", f"{home}/chroot").replace("/run/haproxy", f"{home}/run") + "\n"

    return text


def services(places: Places) -> list[dict[str, t.Any]]:
    common = {
        "haproxy_bind": "127.0.0.1",
        "haproxy_backend_nodes": [{"name": "one", "ip_addr": "127.0.0.1"}],
        "haproxy_backend_port": places["backend"],
    }
    tls = {"haproxy_ssl": True, "haproxy_ssl_path": f"{places['home']}/a.pem"}
    return [
        {"haproxy_service_name": "plain", "haproxy_port": places["http"], **common},
        {"haproxy_service_name": "secure", "haproxy_port": places["https"], **tls, **common},
    ]


def start(stack: contextlib.ExitStack, home: pathlib.Path, name: str, text: str, cpu: int) -> int:
    path = home / f"{name}.cfg"
    path.write_text(text)
    return run(stack, cpu, os.environ.get("HAPROXY", "haproxy"), "-db", "-q", "-f", str(path))


def run(stack: contextlib.ExitStack, cpu: int, *command: str) -> int:
    """The process id of a program on one CPU, which ends with the suite."""
    program = subprocess.Popen(["nice", "--adjustment=-20", "taskset", "--cpu-list", str(cpu), *command])
    stack.callback(program.wait)
    stack.callback(program.terminate)
    return program.pid


def ask(url: str, seconds: int) -> int:
    """How many requests were answered in a turn."""
    command = [
        "nice",
        "--adjustment=-20",
        "taskset",
        "--cpu-list",
        "1",
        "wrk",
        "--threads",
        "1",
        "--connections",
        str(CONNECTIONS),
    ]
    said = subprocess.run([*command, f"--duration={seconds}s", url], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+) requests in ", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url} is not answered as it should be:\n{said}")
    return int(found[1])


def certificate(path: pathlib.Path) -> None:
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench"]
    command = ["openssl", "req", "-x509", *options, "-keyout", "-", "-out", "-"]
    path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(ready: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit("a program of the suite does not start")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
