# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real HAProxy for a test. ``HAPROXY`` names another one than that of the host."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import lock
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version, parse_processes
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")


SETTINGS = """\
global
    stats socket @home@/admin level admin
    stats socket @home@/operator level operator
    stats socket @home@/user level user
    stats socket ipv4@127.0.0.1:@port-stats@ level admin
    hard-stop-after 2s
{settings}
defaults
    mode http
    timeout client 60s
    timeout connect 10s
    timeout server 60s
"""


@pytest.fixture(autouse=True, scope="session")
def locks(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[None]:
    """Leave no lock of a test on the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "_DIRECTORY", tmp_path_factory.mktemp("locks"))
        yield


@dataclasses.dataclass(frozen=True)
class Running:
    """A HAProxy with a master in a directory of its own."""

    home: pathlib.Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes]

    @property
    def admin(self) -> str:
        """The stats socket; ``home / "operator"`` and ``home / "user"`` can do less."""
        return str(self.home / "admin")

    @property
    def master(self) -> str:
        return str(self.home / "master")

    @property
    def client(self) -> RuntimeClient:
        return RuntimeClient(self.admin, 10)

    @property
    def version(self) -> Version:
        with self.client.session() as session:
            return session.version

    def ask(self, *commands: str) -> str:
        """What it answers, past everything of ours but the socket."""
        return self.client.ask(";".join(commands))

    def reload(self) -> None:
        """Come back when the new worker serves."""
        master = RuntimeClient(self.master, 10)

        def worker() -> int | None:
            serving = parse_processes(master.ask("show proc", patience=5)).serving
            return serving.pid if serving else None

        old = worker()
        master.ask("reload")
        eventually(lambda: worker() not in (None, old) and f"Pid: {worker()}\n" in self.client.ask("show info"))

    def log(self) -> str:
        return (self.home / "log").read_text()


def eventually(true: t.Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is true; what cannot be asked yet, or refuses the connection, is not true."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(LbforgeError, OSError, http.client.HTTPException):
            if true():
                return
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def haproxy() -> t.Iterator[t.Callable[..., Running]]:
    """Start a HAProxy with sections of a configuration, lines of its global section, and files beside it.

    In all of them ``@home@`` is its directory and ``@port-NAME@`` a free port.
    """
    with contextlib.ExitStack() as stack:

        def start(sections: str = "", settings: str = "", **files: str) -> Running:
            # A short path, for that of a socket is limited.
            home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hap.")))
            ports: dict[str, int] = {}

            def filled(text: str) -> str:
                text = text.replace("@home@", str(home))
                return re.sub(r"@port-(\w+)@", lambda found: str(port(found[1])), text)

            def port(name: str) -> int:
                return ports.setdefault(name, free_port())

            for name, content in files.items():
                (home / name.replace("_", ".")).write_text(filled(content))
            (home / "haproxy.cfg").write_text(filled(SETTINGS.format(settings=settings) + sections))
            return launched(stack, home, ports)

        yield start


def launched(stack: contextlib.ExitStack, home: pathlib.Path, ports: dict[str, int] | None = None) -> Running:
    """Start the configuration in a directory, whose stats socket is ``admin`` there."""
    if BINARY is None:
        pytest.skip("needs haproxy")
    log = stack.enter_context((home / "log").open("wb"))
    command = [BINARY, "-W", "-S", home / "master", "-f", home / "haproxy.cfg"]
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home)
    stack.callback(stop, process)
    running = Running(home, ports or {}, process)
    eventually(lambda: process.poll() is not None or "Pid: " in running.ask("show info"), 60)
    assert process.poll() is None, running.log()
    return running


class _Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(float(self.path.lstrip("/") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """HAProxy resets connections that it does not need."""


@pytest.fixture
def origin() -> t.Iterator[int]:
    """The port of a web server that answers 200 after as many seconds as the path says."""
    server = _QuietServer(("127.0.0.1", 0), _Origin)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
