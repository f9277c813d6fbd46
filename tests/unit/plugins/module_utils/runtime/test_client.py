# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against real sockets."""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.runtime.client import RuntimeClient, SocketError


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
    with pytest.raises(SocketError, match=r"Cannot ask HAProxy 'reload' on .*/none: No such file or directory\."):
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
    assert time.monotonic() - started < 2
