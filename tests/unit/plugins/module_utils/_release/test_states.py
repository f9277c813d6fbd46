# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reload brings what the configuration says, but for what was set by hand or measured.

What a server should be comes from a fresh start of the same file in another HAProxy, from a client, or from what was
done by hand.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import typing as t
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import state_file
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Outcome, Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.live import Live
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import stop
from ansible_collections.lbforge.haproxy.tests.unit.plugins.installed import install
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release import machine as machines
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    BINARY,
    Machine,
    free_port,
    private_machine,
)

TEMPLATE = """\
global
    description @release@
    stats socket {home}/admin mode 600 level admin
    server-state-file {home}/states
    hard-stop-after 1s
defaults
    mode http
    timeout client 60s
    timeout connect 10s
    timeout server 60s
    load-server-state-from-file global
frontend web
    bind 127.0.1.1:{port}
    default_backend web
"""
HAND = ("srv_admin_state", "srv_uweight")
# Of what was measured a fresh start knows nothing. The ids count the servers, the time runs.
APART = (
    *HAND,
    *("be_id", "srv_id", "srv_op_state", "srv_time_since_last_change", "srv_check_status"),
    *("srv_check_result", "srv_check_health"),
)
# Whether a check is configured and enabled; other bits are for whether it runs right now.
STEADY = 2 | 4
Rows = dict[str, dict[str, str]]


def wanted(machine: Machine, pools: str) -> Wanted:
    text = TEMPLATE.format(home=machine.home, port=machine.port) + pools
    return Wanted(Release.made_of({"haproxy.cfg": text}), may_use_runtime=False)


def apply(machine: Machine, pools: str) -> Outcome:
    """Bring a configuration by a reload."""
    return machine.apply(wanted(machine, pools))


def rows(answer: str) -> Rows:
    """Each server with what HAProxy says of it."""
    lines = [line for line in answer.splitlines() if " " in line]
    names = lines[0][2:].split()
    servers = [dict(zip(names, line.split())) for line in lines[1:]]
    return {f"{server['be_name']}/{server['srv_name']}": server for server in servers}


def seen(machine: Machine) -> Rows:
    return rows(machine.tell("show servers state"))


def started_fresh(machine: Machine, text: str) -> Rows:
    """The servers of a file in a HAProxy that was never told anything else."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "states").write_text("1\n")
        text = text.replace(str(machine.home), name).replace(f"127.0.1.1:{machine.port}", f"127.0.1.2:{free_port()}")
        (home / "haproxy.cfg").write_text(text)
        process = subprocess.Popen([BINARY, "-db", "-f", home / "haproxy.cfg"], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while True:
                with suppress(LbforgeError):
                    return rows(RuntimeClient(home / "admin", 10).read("show servers state"))
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
        finally:
            stop(process)


def get(machine: Machine) -> str:
    """What a client gets."""
    with socket.create_connection(("127.0.1.1", machine.port), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.makefile().read()
    return answer.rpartition("\n")[2] if " 200 " in answer else answer.split()[1]


def until(machine: Machine, name: str, column: str, value: str) -> None:
    """Wait until a server is so."""
    deadline = time.monotonic() + 60
    while (found := seen(machine)[name][column]) != value:
        assert time.monotonic() < deadline, f"{column} of {name} is {found}"
        time.sleep(0.02)


@contextmanager
def ambidextrous(home: Path, address: str = "127.0.0.1") -> t.Iterator[int]:
    """A server that takes plain text and TLS on one port and answers which of them came. It gives its port."""
    (home / "server.pem").write_text(make("server.test").pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.pem")

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(20)
            is_tls = client.recv(1, socket.MSG_PEEK) == b"\x16"
            with context.wrap_socket(client, server_side=True) if is_tls else client as connection:
                if connection.recv(4096):
                    body = f"{'TLS' if is_tls else 'plain'} {address}"
                    connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def accept() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server((address, 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


# What the configuration says


def test_tls_is_switched_on_and_off(machine: Machine) -> None:
    with ambidextrous(machine.home) as port:
        plain = f"backend web\n    server s 127.0.0.1:{port} check inter 200ms\n"
        tls = plain.rstrip() + " ssl check-ssl verify none\n"
        apply(machine, plain)
        assert get(machine) == "plain 127.0.0.1"
        for pools in (tls, tls + "backend other\n"):
            apply(machine, pools)
            assert get(machine) == "TLS 127.0.0.1"
        apply(machine, plain)
        assert get(machine) == "plain 127.0.0.1"


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("check port 9101", "check port 9199", "srv_check_port"),
        ("check port 9101", "check", "srv_check_port"),
        ("check addr 127.0.0.5 port 9", "check addr 127.0.0.6 port 9", "srv_check_addr"),
        ("check addr 127.0.0.5 port 9", "check port 9", "srv_check_addr"),
        ("agent-check agent-port 9 agent-addr 127.0.0.5", "agent-check agent-port 9", "srv_agent_addr"),
        ("agent-check agent-port 9", "agent-check agent-port 10", "srv_agent_port"),
    ],
)
def test_where_checks_and_agents_are_asked(machine: Machine, old: str, new: str, column: str) -> None:
    pools = "backend web\n    server s 127.0.0.1:9 inter 100s {}\n"
    apply(machine, pools.format(old))
    target = wanted(machine, pools.format(new))
    machine.apply(target)
    fresh = started_fresh(machine, target.release.texts["haproxy.cfg"])
    assert seen(machine)["web/s"][column] == fresh["web/s"][column]


def test_a_server_that_loses_its_failing_check_serves(machine: Machine) -> None:
    with ambidextrous(machine.home) as port:
        pools = f"backend web\n    server s 127.0.0.1:{port}"
        apply(machine, f"{pools} check port {free_port()} inter 50ms fall 1\n")
        until(machine, "web/s", "srv_op_state", "0")
        apply(machine, f"{pools}\n")
        assert get(machine) == "plain 127.0.0.1"


@pytest.mark.parametrize("at_run_time", [True, False])
def test_a_pool_that_is_down_serves_as_soon_as_its_server_is_corrected(machine: Machine, at_run_time: bool) -> None:
    """Either way; checks, of which some would have to succeed, come later."""
    with ambidextrous(machine.home) as port:
        pools = "backend web\n    server s 127.0.0.1:{} check inter 100s fastinter 50ms fall 1\n"
        apply(machine, pools.format(free_port()))
        until(machine, "web/s", "srv_op_state", "0")
        worker = machine.pid
        corrected = wanted(machine, pools.format(port))
        machine.apply(dataclasses.replace(corrected, may_use_runtime=at_run_time))
        assert (machine.pid == worker) == at_run_time
        assert get(machine) == "plain 127.0.0.1"


def test_a_server_that_is_down_stays_so_when_nothing_that_it_was_checked_by_changes(machine: Machine) -> None:
    """Else every reload would send requests to dead servers until their next check."""
    pools = f"backend web\n    server s 127.0.0.1:{free_port()} check fall 1 inter"
    apply(machine, f"{pools} 50ms\n")
    until(machine, "web/s", "srv_op_state", "0")
    apply(machine, f"{pools} 100s cookie s\n")
    assert seen(machine)["web/s"]["srv_op_state"] == "0"


def test_sockets_that_the_new_worker_inherits_are_for_those_whom_it_says(machine: Machine) -> None:
    """The distribution's configuration lets a group in."""
    socket_path = machine.home / "admin"
    own = TEMPLATE.format(home=machine.home, port=machine.port).replace("    description @release@\n", "")
    (machine.etc / "haproxy.cfg").write_text(own.replace("mode 600", "mode 660") + "backend web\n")
    machine.host().haproxy.start(None)
    first = machine.pid
    assert socket_path.stat().st_mode & 0o777 == 0o660
    apply(machine, f"frontend local\n    bind unix@{machine.home}/front mode 660\nbackend web\n")
    assert machine.pid != first
    modes = [(machine.home / name).stat().st_mode & 0o777 for name in ("admin", "front")]
    assert modes == [0o600, 0o660]
    apply(machine, f"frontend local\n    bind unix@{machine.home}/front mode 640 uid 65534\nbackend web\n")
    found = (machine.home / "front").stat()
    assert (found.st_mode & 0o777, found.st_uid if os.geteuid() == 0 else 65534) == (0o640, 65534)


# What is done by hand


@pytest.mark.parametrize(
    ("weight", "new_weight", "command", "expected"),
    [
        (10, 10, "state drain", ("8", "10")),
        (10, 10, "state maint", ("1", "10")),
        (10, 10, "weight 33", ("0", "33")),
        (10, 20, "weight 33", ("0", "20")),
        (10, 20, "state drain", ("8", "20")),
        (0, 20, "state drain", ("8", "20")),
        (256, 255, "state drain", ("8", "255")),
        (10, 10, "addr 127.0.0.9 port 99", ("0", "10")),
    ],
)
def test_drains_maintenance_and_weights_stay_when_options_change(
    machine: Machine, weight: int, new_weight: int, command: str, expected: tuple[str, str]
) -> None:
    pools = "backend web\n    default-server inter 100s\n    server s 127.0.0.1:9"
    apply(machine, f"{pools} check weight {weight}\n")
    machine.tell(f"set server web/s {command}")
    apply(machine, f"{pools} check port 7 ssl verify none weight {new_weight} observe layer4\n")
    found = seen(machine)["web/s"]
    assert (found["srv_admin_state"], found["srv_uweight"]) == expected
    assert [found[name] for name in ("srv_addr", "srv_port", "srv_check_port", "srv_use_ssl")] == [
        *("127.0.0.1", "9", "7", "1")
    ]


def test_servers_of_a_template_stay_drained(machine: Machine) -> None:
    pools = "backend web\n    server-template t 3 127.0.0.1:9\n"
    apply(machine, pools)
    machine.tell("set server web/t2 state drain")
    apply(machine, f"{pools}backend other\n")
    assert [seen(machine)[f"web/t{number}"]["srv_admin_state"] for number in (1, 2, 3)] == ["0", "8", "0"]


def test_a_server_that_tracks_another_comes_back_with_it(machine: Machine) -> None:
    pools = "backend web\n    server a 127.0.0.1:9 check inter 1000s\n    server b 127.0.0.1:9 track web/a\n"
    apply(machine, pools)
    machine.tell("set server web/a state maint")
    apply(machine, f"{pools}backend other\n")
    assert [seen(machine)[f"web/{name}"]["srv_op_state"] for name in "ab"] == ["0", "0"]
    machine.tell("set server web/a state ready")
    until(machine, "web/b", "srv_op_state", "2")
    machine.tell("set server web/a state maint")
    # It follows nobody any more.
    apply(machine, pools.replace(" track web/a", ""))
    assert [seen(machine)[f"web/{name}"]["srv_op_state"] for name in "ab"] == ["0", "2"]


# Names


@contextmanager
def with_hosts() -> t.Iterator[tuple[Machine, t.Callable[..., None]]]:
    """A host whose HAProxy has a file of names of its own, and how to write it."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root and mount namespaces")
    with private_machine() as machine:
        hosts, program = machine.home / "hosts", machine.home / "haproxy"
        hosts.touch()
        program.write_text(
            f'#!/bin/sh\nexec unshare --mount sh -c \'mount --bind {hosts} /etc/hosts && exec {BINARY} "$@"\' - "$@"\n'
        )
        program.chmod(0o755)
        systemctl = machine.home / "bin" / "systemctl"
        systemctl.write_text(
            machines.SYSTEMCTL.format(home=machine.home, binary=program, master=f"-S {machine.home}/master")
        )

        def write(**names: str) -> None:
            # In place: another file would not be mounted.
            hosts.write_text("".join(f"{address} {name}.test\n" for name, address in names.items()))

        yield machine, write


def test_a_name_is_looked_up_again_by_every_reload() -> None:
    with with_hosts() as (machine, write), ExitStack() as stack:
        port = stack.enter_context(ambidextrous(machine.home, "127.0.0.51"))
        with socket.create_server(("127.0.0.52", port)) as other:
            other.close()
        pools = f"backend web\n    server s app.test:{port} init-addr libc,last,none\n"
        write(app="127.0.0.51")
        apply(machine, pools)
        assert get(machine) == "plain 127.0.0.51"
        write(app="127.0.0.52")
        apply(machine, f"{pools}backend other\n")
        assert seen(machine)["web/s"]["srv_addr"] == "127.0.0.52"
        write(app="127.0.0.51")
        assert get(machine) == "503"
        apply(machine, pools)
        assert get(machine) == "plain 127.0.0.51"
        # One that cannot be looked up any more keeps the address that was found last.
        write()
        apply(machine, f"{pools}backend other\n")
        assert get(machine) == "plain 127.0.0.51"


def test_a_name_that_appears_brings_its_server_up() -> None:
    with with_hosts() as (machine, write), ExitStack() as stack:
        port = stack.enter_context(ambidextrous(machine.home, "127.0.0.51"))
        pools = f"backend web\n    server s app.test:{port} init-addr libc,last,none\n"
        apply(machine, pools)
        assert get(machine) == "503"
        write(app="127.0.0.51")
        apply(machine, f"{pools}backend other\n")
        assert get(machine) == "plain 127.0.0.51"


def test_an_order_that_prefers_the_last_address_does_not_keep_it() -> None:
    with with_hosts() as (machine, write):
        pools = "backend web\n    server s app.test:80 init-addr last,libc,none\n"
        write(app="127.0.0.51")
        apply(machine, pools)
        write(app="127.0.0.52")
        apply(machine, f"{pools}backend other\n")
        assert seen(machine)["web/s"]["srv_addr"] == "127.0.0.52"


@contextmanager
def name_server(addresses: dict[str, str]) -> t.Iterator[int]:
    """A server of DNS that knows addresses (RFC 1035) and is silent about other names. It gives its port."""

    def answer(query: bytes) -> bytes | None:
        labels, place = [], 12
        while length := query[place]:
            labels.append(query[place + 1 : place + 1 + length].decode())
            place += 1 + length
        question = query[12 : place + 5]
        address = addresses.get(".".join(labels))
        if address is None:
            return None
        is_a = question[-4:-2] == b"\x00\x01"
        header = query[:2] + b"\x81\x80\x00\x01" + bytes([0, is_a]) + b"\x00" * 4
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(address)
        return header + question + (record if is_a else b"")

    def serve() -> None:
        with suppress(OSError):  # closed
            while True:
                query, client = listener.recvfrom(4096)
                if query == b"end":
                    return
                if said := answer(query):
                    listener.sendto(said, client)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.sendto(b"end", listener.getsockname())
        thread.join()


@pytest.mark.parametrize("methods", ["last,none", "libc,last,none", "none"])
def test_name_servers_are_followed_and_a_reload_makes_no_gap(machine: Machine, methods: str) -> None:
    addresses = {"app.test": "127.0.0.51"}
    with name_server(addresses) as dns, ambidextrous(machine.home, "127.0.0.51") as port:
        resolvers = f"""\
resolvers dns
    nameserver one 127.0.0.1:{dns}
    hold valid 1s
    timeout resolve 200ms
    timeout retry 200ms
"""
        pools = f"""\
{resolvers}backend web
    server-template s 1 app.test:{port} resolvers dns resolve-prefer ipv4 init-addr {methods}
"""
        apply(machine, pools)
        until(machine, "web/s1", "srv_addr", "127.0.0.51")
        known = addresses.pop("app.test")  # it keeps silent for a while, and the last answer still counts
        apply(machine, f"{pools}backend other\n")
        if methods != "none":
            assert get(machine) == "plain 127.0.0.51"
        addresses["app.test"] = "127.0.0.52"
        until(machine, "web/s1", "srv_addr", "127.0.0.52")
        addresses["app.test"] = known
        until(machine, "web/s1", "srv_addr", "127.0.0.51")
        assert get(machine) == "plain 127.0.0.51"


# The proof


class Careless(Live):
    """Hands on all that the old worker says, as long as nothing is said to be wrong."""

    def hand_over_states(self, before: t.Any, new: t.Any, without: t.Any = ()) -> None:
        super().hand_over_states(before, new, without)
        if not without:
            home = Path(state_file(new) or "").parent
            (home / "states").write_text(RuntimeClient(home / "admin", 10).read("show servers state"))


def test_a_reload_that_brings_something_else_is_found_and_mended(machine: Machine) -> None:
    with ambidextrous(machine.home) as port:
        plain = f"backend web\n    server s 127.0.0.1:{port}\n    server t 127.0.0.1:{port}\n"
        apply(machine, plain)
        machine.tell("set server web/t state drain")
        pools = plain.replace(f"{port}\n    server t", f"{port} ssl verify none\n    server t")
        outcome = machine.apply(wanted(machine, pools), replace(machine.host(), live=Careless(10)))
        assert "a second reload" in outcome.plan.reason
        assert "Server web/s is reached by plain text, not TLS." in outcome.plan.reason
        assert get(machine) == "TLS 127.0.0.1"
        assert seen(machine)["web/t"]["srv_admin_state"] == "8"


# Any pair

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "weight": st.integers(0, 256),
        "maxconn": st.integers(1, 1000),
        "port": st.integers(1, 65535),
        "check": st.none(),
        "addr": st.sampled_from(["127.0.0.5", "127.0.0.6:7", "[::1]", "localhost"]),
        "ssl": st.none(),
        "no-ssl": st.none(),
        "check-ssl": st.none(),
        "agent-check": st.none(),
        "agent-addr": st.sampled_from(["127.0.0.7", "localhost"]),
        "agent-port": st.integers(1, 65535),
        "disabled": st.none(),
        "backup": st.none(),
        "cookie": st.sampled_from(["check", "ssl", "weight", "addr"]),
        "observe": st.just("layer4"),
        "source": st.just("127.0.0.1 usesrc 127.0.0.2 interface lo"),
        "proxy-v2-options": st.just("ssl"),
    },
).filter(lambda options: "agent-check" not in options or "agent-port" in options)
ENDPOINTS = st.sampled_from(
    ["127.0.0.2:80", "127.0.0.2:81", "[::1]:80", "localhost:82", "127.0.0.3", "*:+5", "/tmp/s", "abns@a"]
)
SERVERS = st.dictionaries(st.sampled_from("abcd"), st.tuples(ENDPOINTS, OPTIONS), min_size=1, max_size=4)
POOLS = st.tuples(SERVERS, OPTIONS)  # and what is given to all
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(
            [
                *("state drain", "state maint", "state ready", "weight 77", "addr 127.0.0.9 port 99", "check-port 98"),
                *("check-addr 127.0.0.8 port 97", "agent-addr 127.0.0.8", "ssl off", "ssl on", "fqdn localhost"),
            ]
        ),
    ),
    max_size=5,
)


def written(pools: t.Any) -> str:
    servers, defaults = pools

    def words(options: dict[str, t.Any]) -> str:
        given = [key if value is None else f"{key} {value}" for key, value in options.items()]
        return " ".join([*given, *(["verify none"] if {"ssl", "check-ssl"} & options.keys() else [])])

    lines = [f"    server {name} {endpoint} {words(options)}\n" for name, (endpoint, options) in servers.items()]
    given = {key: value for key, value in defaults.items() if key not in ("source", "disabled")}
    if any(endpoint in ("127.0.0.3", "*:+5", "/tmp/s", "abns@a") for endpoint, _options in servers.values()):
        given.setdefault("port", 55)  # checks need one
    return f"backend web\n    default-server inter 1000s agent-inter 1000s verify none {words(given)}\n{''.join(lines)}"


def reload_by_hand(machine: Machine, text: str) -> None:
    """What ``systemctl reload haproxy`` does: the unit saves the states, and HAProxy reads its files again."""
    program = install(
        "server_states",
        machine.home / "server-states",
        {
            "/run/haproxy/admin.sock": f"{machine.home}/admin",
            "/run/haproxy/servers.state": f"{machine.home}/states",
            "/etc/haproxy": machine.etc,
        },
    )
    saved = subprocess.run([program, "save"], check=False, capture_output=True, text=True)
    assert (saved.returncode, saved.stderr) == (0, "")
    machine.host().haproxy.reload(Release.made_of({"haproxy.cfg": text}).description)
    (machine.home / "states").write_text("1\n")


def test_a_reload_is_a_fresh_start_but_for_what_was_done_by_hand(machine: Machine) -> None:
    @settings(
        max_examples=int(os.environ.get("LBFORGE_CHANGES", "25")),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # to shrink a failure would take minutes
    )
    @given(POOLS, POOLS, COMMANDS)
    def check(first: t.Any, second: t.Any, commands: list[tuple[str, str]]) -> None:
        def by_hand() -> Rows:
            for name, command in commands:
                if name in seen_names:
                    with suppress(CommandError):  # one that has no agent, for example
                        machine.tell(f"set server web/{name} {command}")
            return seen(machine)

        apply(machine, written(first))
        clean = seen(machine)
        seen_names = {name.partition("/")[2] for name in clean}
        touched = by_hand()
        target = wanted(machine, f"backend new\n{written(second)}")
        outcome = machine.apply(target)
        assert "second reload" not in outcome.plan.reason
        text = target.release.texts["haproxy.cfg"]
        fresh = started_fresh(machine, text)
        assert_fresh(fresh, seen(machine), clean, touched)

        seen_names = {name.partition("/")[2] for name in fresh}
        before = seen(machine)
        touched = by_hand()
        reload_by_hand(machine, text)
        assert_fresh(fresh, seen(machine), before, touched)

    check()


def assert_fresh(fresh: Rows, found: Rows, clean: Rows, touched: Rows) -> None:
    """See that servers are as in a fresh start; what commands did to ``clean`` is in ``touched``."""
    assert fresh.keys() == found.keys()
    for name, server in fresh.items():
        one = found[name]
        assert configured(one) == configured(server), name
        kept = (server["srv_admin_state"], server["srv_uweight"])
        if name in touched and is_same(clean[name], server):
            was, did = clean[name], touched[name]
            weight = did["srv_uweight"] if was["srv_iweight"] == server["srv_iweight"] else server["srv_uweight"]
            kept = (str(int(did["srv_admin_state"]) & ~64), weight)
        assert (one["srv_admin_state"], one["srv_uweight"]) == kept, name


def configured(row: dict[str, str]) -> dict[str, t.Any]:
    """What only the configuration decides."""
    checks = {key: int(row[key]) & STEADY for key in ("srv_check_state", "srv_agent_state")}
    return {key: value for key, value in row.items() if key not in APART} | checks


def is_same(old: dict[str, str], new: dict[str, str]) -> bool:
    """Whether two configurations have a server in the same place, and say alike whether it is in maintenance."""
    same = all(old[key] == new[key] for key in ("srv_addr", "srv_port", "srv_fqdn"))
    agents = [int(one["srv_agent_state"]) & 2 for one in (old, new)]
    disabled = [int(one["srv_admin_state"]) & 4 for one in (old, new)]
    return same and agents[0] == agents[1] and disabled[0] == disabled[1]
