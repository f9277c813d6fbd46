# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New addresses, with real sockets in the way; what HAProxy really listens on says ``ss``."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import typing as t
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.preflight import (
    Endpoint,
    Preflight,
    RefusedBind,
    endpoints,
    new_endpoints,
)

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

DEFAULTS = "defaults\n    mode http\n    timeout client 5s\n    timeout connect 5s\n    timeout server 5s\n"
BINDS = """\
global
    localpeer here
frontend forms
    bind 127.0.0.1:{0}
    bind "127.0.0.1:{1}"          # a comment :99
    bind :{2}
    bind *:{3} interface lo
    bind [::1]:{4},127.0.0.1:{4}
    bind ::1:{5}
    bind ipv4@:{6}
    bind ipv4@127.0.0.1:{7}
    bind tcp@127.0.0.1:{8}
listen both
    bind :::{9} v6only
    bind [::]:{10} v4v6
    bind ipv6@:{11} v6only
    bind ipv6@*:{12} v6only
    bind tcp6@::1:{13}-{14}
    bind {home}/socket
    bind unix@{home}/socket2
    bind abns@{home}
frontend off
    disabled
    bind 127.0.0.1:1
peers ring
    peer here 127.0.0.1:{15}
    peer there 127.0.0.1:2
peers sphere
    bind 127.0.0.1:{16}
    server here
    server there 127.0.0.1:3
log-forward syslog
    bind 127.0.0.1:{17}
    dgram-bind 127.0.0.1:{18}
    log 127.0.0.1:514 daemon
"""


def section(*lines: str) -> str:
    return "frontend f\n" + "".join(f"{line}\n" for line in lines)


def found(text: str) -> list[str]:
    return [str(endpoint) for endpoint in endpoints(parse(text))]


def of(bind: str) -> list[Endpoint]:
    return endpoints(parse(section(bind)))


def problems(bind: str, *own: int) -> list[RefusedBind]:
    return Preflight(own).problems(of(bind))


def free_ports(count: int) -> list[int]:
    """Neighbours that nothing uses, for any protocol."""
    used = set(
        subprocess.run("ss -Htuna | grep -o ':[0-9]* '", shell=True, capture_output=True, check=True).stdout.split()
    )
    for first in range(random.randrange(20000, 30000), 32000, count):
        ports = range(first, first + count)
        if used.isdisjoint(f":{port}".encode() for port in ports):
            return list(ports)
    raise AssertionError("no free ports")


def in_use(port: int) -> bool:
    return bool(subprocess.run(["ss", "-Htuna", f"sport = :{port}"], capture_output=True, check=True).stdout)


def test_endpoints_are_what_haproxy_listens_on(tmp_path: Path) -> None:
    if BINARY is None:
        pytest.skip("needs haproxy")
    text = BINDS.format(*free_ports(19), home=tmp_path)
    (tmp_path / "haproxy.cfg").write_text(DEFAULTS + text)
    process = subprocess.Popen([BINARY, "-db", "-f", tmp_path / "haproxy.cfg"])
    try:
        listening = wait_for(lambda: listens(process.pid), 20)
    finally:
        process.terminate()
        process.wait()
    assert sorted(found(text)) == sorted(listening)


def wait_for(look: t.Callable[[], list[str]], count: int) -> list[str]:
    deadline = time.monotonic() + 60
    while len(look()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return look()


def listens(pid: int) -> list[str]:
    """By ss, which calls the two wildcards of a dual stack *."""
    rows = subprocess.run(["ss", "-Htunlp"], capture_output=True, text=True, check=True).stdout.splitlines()
    words = [row.split() for row in rows if f"pid={pid}," in row]
    return [row[4].replace("*:", "[::]:").replace("%lo", "") + (" (UDP)" if row[0] == "udp" else "") for row in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (section("bind 10.0.0.1:80,[2001:db8::1]:443"), ["10.0.0.1:80", "[2001:db8::1]:443"]),
        (section("bind quic4@10.0.0.1:443 ssl", "bind quic6@:443"), ["10.0.0.1:443 (UDP)", "[::]:443 (UDP)"]),
        (section("bind udp@:53", "bind quic+ipv4@:443"), ["0.0.0.0:53 (UDP)", "0.0.0.0:443 (UDP)"]),
        (section("bind :8000-8002"), ["0.0.0.0:8000", "0.0.0.0:8001", "0.0.0.0:8002"]),
        (section("bind :80", "bind :80"), ["0.0.0.0:80"]),
        (section("bind www.example.com:80", "bind ${VIP}:80", "bind 10.0.0.1:$PORT"), []),
        (
            section("bind fd@3", "bind sockpair@4", "bind rhttp@back/server", "bind /run/a:80", "bind unix@/run/a:80"),
            [],
        ),
        (section("bind 10.0.0.1:80 namespace blue"), []),
        ("backend b\n    bind 10.0.0.1:80\n    server s 10.0.0.1:81\n", []),
        (section(".if feature(OPENSSL)", "bind :1", ".else", "bind :2", ".endif", "bind :3"), ["0.0.0.0:3"]),
        (section(".if a", "frontend g", "bind :1", ".if b", ".endif", "bind :2", ".endif", "bind :3"), []),
        ("peers p\n    peer node-1 10.0.0.1:1024\n    peer node-2 10.0.0.2:1024\n", ["10.0.0.1:1024"]),
        ("global\n    localpeer node-2\npeers p\n    server node-1 :1\n    server node-2 :2\n", ["0.0.0.0:2"]),
        ("peers p\n    bind :1024 ssl crt a.pem\n    server node-1\n", ["0.0.0.0:1024"]),
    ],
)
def test_forms(text: str, expected: list[str]) -> None:
    assert [str(endpoint) for endpoint in endpoints(parse(text), "node-1")] == expected


def test_the_name_of_the_node_is_the_name_of_its_peer() -> None:
    text = f"peers p\n    peer {socket.gethostname()} 10.0.0.1:1024\n    peer of-another-node 10.0.0.2:1024\n"
    assert found(text) == ["10.0.0.1:1024"]


def test_an_endpoint_knows_its_options_and_its_line() -> None:
    (endpoint,) = of("bind [::]:80 interface eth1 transparent v4v6 name n")
    assert endpoint == Endpoint("::", 80, interface="eth1", transparent=True, v6only=False)
    assert endpoint.section == "frontend f"
    assert " ".join(endpoint.line) == "bind [::]:80 interface eth1 transparent v4v6 name n"


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (None, ["10.0.0.1:80", "10.0.0.1:443"]),
        (section("bind :80"), ["10.0.0.1:80", "10.0.0.1:443"]),
        (section("bind 10.0.0.1:80 name other", "bind 10.0.0.1:444"), ["10.0.0.1:443"]),
        ("listen l\n    bind ipv4@10.0.0.1:443\n    bind 10.0.0.1:80\n", []),
        (section("bind 10.0.0.1:80,10.0.0.1:443 transparent"), ["10.0.0.1:80", "10.0.0.1:443"]),
    ],
)
def test_new_is_what_does_not_run(running: str | None, expected: list[str]) -> None:
    wanted = parse(section("bind 10.0.0.1:80", "bind 10.0.0.1:443 ssl crt a.pem"))
    new = new_endpoints(wanted, None if running is None else parse(running))
    assert [str(endpoint) for endpoint in new] == expected


HOLDER = """\
import socket, sys, time
family, kind, address, port = sys.argv[1:]
holder = socket.socket(getattr(socket, family), getattr(socket, kind))
holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
holder.bind((address, int(port)))
if kind == "SOCK_STREAM":
    holder.listen()
print("holds", flush=True)
time.sleep(60)
"""
Hold = t.Callable[[str, str, str, int], int]


@pytest.fixture
def hold() -> t.Iterator[Hold]:
    """Let another program take an address; the answer is its process id."""
    programs: list[subprocess.Popen[str]] = []

    def start(*arguments: str | int) -> int:
        words = [str(argument) for argument in arguments]
        program = subprocess.Popen([sys.executable, "-c", HOLDER, *words], stdout=subprocess.PIPE, text=True)
        programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "holds\n"
        return program.pid

    yield start
    for program in programs:
        program.kill()
        program.communicate()


@pytest.mark.parametrize(
    ("family", "kind", "address", "bind"),
    [
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "127.0.0.1:{}"),
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "*:{}"),
        ("AF_INET", "SOCK_STREAM", "0.0.0.0", "127.0.0.1:{} interface lo"),
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "[::]:{} v4v6"),
        ("AF_INET6", "SOCK_STREAM", "::1", "::1:{}"),
        ("AF_INET6", "SOCK_STREAM", "::ffff:127.0.0.1", "127.0.0.1:{}"),
        ("AF_INET", "SOCK_DGRAM", "0.0.0.0", "quic4@127.0.0.1:{}"),
        ("AF_INET6", "SOCK_DGRAM", "::1", "quic6@:{}"),
    ],
)
def test_taken_by_another_program(hold: Hold, family: str, kind: str, address: str, bind: str) -> None:
    (port,) = free_ports(1)
    pid = hold(family, kind, address, port)
    (problem,) = problems(f"bind {bind.format(port)}")
    program = Path(f"/proc/{pid}/comm").read_text().strip()
    assert problem.kind == "taken"
    assert f"{program} (process {pid})" in problem.sentence
    assert str(problem.message).startswith(f'haproxy.cfg (frontend f), "bind {bind.format(port)}": ')
    assert problems(f"bind {bind.format(port)}", pid) == []


@pytest.mark.parametrize(
    ("family", "kind", "address", "bind"),
    [
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "127.0.0.2:{}"),
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "[::]:{} v6only"),
        ("AF_INET", "SOCK_STREAM", "127.0.0.1", "quic4@127.0.0.1:{}"),
        ("AF_INET", "SOCK_DGRAM", "127.0.0.1", "127.0.0.1:{}"),
    ],
)
def test_not_in_the_way(hold: Hold, family: str, kind: str, address: str, bind: str) -> None:
    (port,) = free_ports(1)
    hold(family, kind, address, port)
    assert problems(f"bind {bind.format(port)}") == []


def test_haproxy_and_another_program_hold_parts_of_a_wildcard(hold: Hold) -> None:
    (port,) = free_ports(1)
    own = hold("AF_INET", "SOCK_STREAM", "127.0.0.1", port)
    other = hold("AF_INET", "SOCK_STREAM", "127.0.0.2", port)
    (problem,) = problems(f"bind :{port}", own)
    assert f"process {other}" in problem.sentence
    assert f"process {own}" not in problem.sentence


def test_a_connection_of_another_program_has_the_port() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(socket.create_connection(server.getsockname())) as client,
    ):
        (problem,) = problems(f"bind 127.0.0.1:{client.getsockname()[1]}")
    assert f"process {os.getpid()}" in problem.sentence


def test_nobody_connects_meanwhile_and_nothing_stays() -> None:
    first, *_others, last = free_ports(50)
    assert problems(f"bind 127.0.0.1:{first}-{last}") == []
    assert not in_use(first)


@pytest.mark.parametrize(
    ("address", "sysctl"),
    [("203.0.113.7", "net.ipv4.ip_nonlocal_bind"), ("2001:db8::7", "net.ipv6.ip_nonlocal_bind")],
)
def test_an_address_of_another_node(address: str, sysctl: str) -> None:
    if Path("/proc/sys", *sysctl.split(".")).read_text().strip() != "0":
        pytest.skip("this machine binds any address")
    (problem,) = problems(f"bind {address}:8080")
    assert problem.kind == "absent"
    assert f"{address} is not an address of this node, and {sysctl} is 0" in problem.sentence
    assert "haproxy_bind_on_non_local" in problem.sentence
    assert problems(f"bind {address}:8080 transparent") == []


def test_an_interface_that_is_not_there(hold: Hold) -> None:
    (port,) = free_ports(1)
    (problem,) = problems(f"bind 127.0.0.1:{port} interface nowhere0")
    assert problem.kind == "interface"
    assert "no network interface nowhere0" in problem.sentence
    hold("AF_INET", "SOCK_STREAM", "127.0.0.1", port)
    assert [problem.kind for problem in problems(f"bind 127.0.0.1:{port} interface nowhere0")] == ["interface", "taken"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
def test_who_may_not_look_at_haproxy_takes_the_port_for_its_own() -> None:
    """A container's root without CAP_SYS_PTRACE sees no sockets of another user, and its own ports must not stop it."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        endpoint = Endpoint("127.0.0.1", held.getsockname()[1])
        holder, reading, writing = os.getpid(), *os.pipe()
        child = os.fork()
        if child == 0:
            held.close()
            os.setgroups([])
            os.setuid(65534)
            found = [[problem.kind for problem in Preflight(own).problems([endpoint])] for own in ([holder], [])]
            os.write(writing, json.dumps(found).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert json.loads(os.read(reading, 1000)) == [[], ["taken"]]
