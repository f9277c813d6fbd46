# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New addresses, with real sockets in the way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import typing as t
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind, binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.preflight import Preflight, RefusedBind
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_ports


def section(*lines: str) -> str:
    return "frontend f\n" + "".join(f"{line}\n" for line in lines)


def of(bind: str) -> list[Bind]:
    return binds(parse(section(bind)))


def problems(bind: str, *own: int) -> list[RefusedBind]:
    return Preflight(own).problems(of(bind))


def in_use(port: int) -> bool:
    return bool(subprocess.run(["ss", "-Htuna", f"sport = :{port}"], capture_output=True, check=True).stdout)


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
        bind = Bind("127.0.0.1", held.getsockname()[1])
        holder, reading, writing = os.getpid(), *os.pipe()
        child = os.fork()
        if child == 0:
            held.close()
            os.setgroups([])
            os.setuid(65534)
            found = [[problem.kind for problem in Preflight(own).problems([bind])] for own in ([holder], [])]
            os.write(writing, json.dumps(found).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert json.loads(os.read(reading, 1000)) == [[], ["taken"]]
