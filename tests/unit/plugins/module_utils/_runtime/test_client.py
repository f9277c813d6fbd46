# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against real sockets."""

from __future__ import annotations

import re
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, SocketError


@pytest.fixture
def serve(tmp_path: Path) -> t.Iterator[t.Callable[..., Path]]:
    """Listen after a delay, and answer each command with itself once the client has closed its half."""
    servers: list[socket.socket] = []
    path = tmp_path / "s"

    def listen(delay: float = 0, *, silent: bool = False) -> Path:
        def run() -> None:
            time.sleep(delay)
            server = socket.socket(socket.AF_UNIX)
            servers.append(server)
            server.bind(str(path))
            server.listen()
            connection = server.accept()[0]
            servers.append(connection)
            command = b""
            while part := connection.recv(4096):
                command += part
            if not silent:
                connection.sendall(command * 50_000)
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        return path

    yield listen
    for server in servers:
        server.close()


def test_the_whole_answer(serve: t.Callable[..., Path]) -> None:
    assert RuntimeClient(serve(), 5).ask("show proc", patience=1) == "show proc\n" * 50_000


def test_patience_outlasts_a_reload(serve: t.Callable[..., Path]) -> None:
    assert RuntimeClient(serve(delay=0.3), 5).ask("show proc", patience=3).startswith("show proc\n")


def test_no_patience(tmp_path: Path) -> None:
    with pytest.raises(SocketError, match=r"Cannot send 'reload' to HAProxy on .*/none: No such file or directory\."):
        RuntimeClient(tmp_path / "none", 5).ask("reload")


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "s"))
    with pytest.raises(SocketError, match="Connection refused"):
        RuntimeClient(tmp_path / "s", 5).ask("reload", patience=0.1)


def test_silence_ends(serve: t.Callable[..., Path]) -> None:
    path = serve(silent=True)
    while not path.exists():
        time.sleep(0.01)
    started = time.monotonic()
    with pytest.raises(SocketError, match="timed out"):
        RuntimeClient(path, 0.2).ask("show proc")
    assert time.monotonic() - started < 20


POOL = "backend web\n    server one 127.0.0.1:9 weight 10\n"


def test_a_session_stays_with_its_worker(haproxy: t.Any) -> None:
    """After a reload the old worker refuses to change what it serves no more; nothing reaches the new one unawares."""
    running = haproxy(POOL)
    with running.client.session() as session:
        old = session.pid
        session.run("set server web/one weight 20")
        running.reload()
        assert f"Pid: {old}\n" in session.run("show info")
        with pytest.raises(CommandError, match="Proxy is disabled"):
            session.run("set server web/one weight 30")
        with running.client.session() as second:
            assert second.pid != old
            assert second.run("get weight web/one") == "10 (initial 10)\n\n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("set server web/one weight 300", "Absolute weight can only be between 0 and 256 inclusive"),
        ("set server web/none weight 3", "No such server"),
        ("set server web/one addr nobody", "Invalid addr 'nobody'"),
        ("no such command", "Unknown command"),
    ],
)
def test_refusals_are_errors(haproxy: t.Any, command: str, why: str) -> None:
    client = haproxy(POOL).client
    with client.session() as session:
        with pytest.raises(CommandError) as caught:
            session.run(command)
        assert caught.value.command == command
        assert caught.value.why.startswith(why)
        session.run("set server web/one weight 3")  # the session goes on
    with pytest.raises(CommandError, match=re.escape(why)):
        client.read(command)


def test_a_payload_that_is_too_large_is_never_sent(haproxy: t.Any, tmp_path: Path) -> None:
    """HAProxy 2.6 would answer nothing and load nothing."""
    (tmp_path / "a.map").write_text("a b\n")
    running = haproxy(f"frontend f\n    bind abns@large-payload\n    use_backend %[path,map({tmp_path}/a.map)]\n")
    with running.client.session() as session:
        assert 15000 < session.limit < 16384
        fits = "\n".join(f"key{number:06} {'x' * 89}" for number in range(150))
        session.run(f"add map {tmp_path}/a.map", fits)
        with pytest.raises(CommandError, match=r"raise tune\.bufsize"):
            session.run(f"add map {tmp_path}/a.map", f"{fits}\n{fits}")
        assert session.run(f"show map {tmp_path}/a.map").count("\n") == 1 + 150 + 1


def test_many_commands_at_once(haproxy: t.Any, tmp_path: Path) -> None:
    """Each is answered in its turn, a refusal names its command, and the session goes on with the next answer."""
    (tmp_path / "many.acl").write_text("192.0.2.1\n")
    running = haproxy(f"frontend web\n    bind 127.0.0.1:@port-web@\n    acl many src -f {tmp_path}/many.acl\n")
    with running.client.session() as session:
        add = f"add acl {tmp_path}/many.acl"
        session.run_all([f"{add} 10.0.{number // 256}.{number % 256}" for number in range(300)])
        shown = session.run(f"show acl {tmp_path}/many.acl").split()
        assert len(shown) == 2 * 301
        with pytest.raises(CommandError, match=r"nowhere.* is not a valid IP"):
            session.run_all([f"{add} 10.1.0.1", f"{add} nowhere", f"{add} 10.1.0.2"])
        assert session.run(f"show acl {tmp_path}/many.acl").split()[1::2][-2:] == ["10.1.0.1", "10.1.0.2"]
        with pytest.raises(CommandError, match="one line"):
            session.run_all([f"{add} 10.1.0.3", f"{add} 10.1.0.4;shutdown"])
        assert "10.1.0.3" not in session.run(f"show acl {tmp_path}/many.acl")


def test_a_line_break_ends_no_command(haproxy: t.Any) -> None:
    with haproxy(POOL).client.session() as session:
        with pytest.raises(CommandError, match="one line"):
            session.run("get weight web/one\nset server web/one weight 9")
        assert session.run("get weight web/one") == "10 (initial 10)\n\n"


def test_tcp(haproxy: t.Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = haproxy(f"global\n    stats socket ipv4@127.0.0.1:{port} level admin\n{POOL}")
    with RuntimeClient(f"127.0.0.1:{port}", 5).session() as session:
        assert session.pid == int(running.client.ask("show info").partition("Pid: ")[2].split()[0])
    with pytest.raises(SocketError, match=r"127\.0\.0\.1:1: Connection refused"):
        RuntimeClient("127.0.0.1:1", 1).ask("show info")
