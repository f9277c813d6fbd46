# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probe servers that answer, answer badly, hang, go away and come back."""

from __future__ import annotations

import http.server
import socket
import threading
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.modules import vip_probe

Run = t.Callable[..., dict[str, t.Any]]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path[1:] or 200))
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None: ...


@contextmanager
def server(port: int = 0) -> t.Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield running.server_port
        finally:
            running.shutdown()


@contextmanager
def hung() -> t.Iterator[int]:
    """The kernel takes connections for a program that does nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listening:
        yield listening.getsockname()[1]


def probe(run_module: Run, port: int, **arguments: t.Any) -> dict[str, t.Any]:
    """Probe with the patience that a busy machine needs; what is lost by the default is another question."""
    defaults = {"addresses": ["127.0.0.1"], "port": port, "duration": 0.5, "timeout": 30.0}
    return run_module(vip_probe, **{**defaults, **arguments})


def test_all_answered(run_module: Run) -> None:
    with server() as port:
        found = probe(run_module, port, addresses=["127.0.0.1", "localhost"], path="/")
    assert found["changed"] is False
    assert found["lost"] == found["longest"] == 0
    assert [target["address"] for target in found["targets"]] == ["127.0.0.1", "localhost"]
    for target in found["targets"]:
        assert target["outages"] == []
        # Every 20 ms, but for the moments in which this machine had no time for the prober.
        assert int(0.5 / (0.02 + found["lag"])) <= target["sent"] == target["answered"] <= 26


@pytest.mark.parametrize(("status", "counts"), [(200, True), (301, True), (404, True), (500, False), (503, False)])
def test_what_counts_as_an_answer(run_module: Run, status: int, counts: bool) -> None:
    with server() as port:
        (target,) = probe(run_module, port, path=f"/{status}")["targets"]
    assert target["answered" if counts else "lost"] == target["sent"] > 0


def test_only_http_notices_what_hangs(run_module: Run) -> None:
    with hung() as port:
        by_tcp = probe(run_module, port, timeout=0.1)
        by_http = probe(run_module, port, timeout=0.1, path="/")
    assert by_tcp["lost"] == 0
    assert by_http["lost"] == by_http["sent"] > 0
    assert by_http["longest"] == pytest.approx(0.5, abs=0.2)


def test_an_outage_is_measured(run_module: Run) -> None:
    with server() as port:
        pass
    came: list[float] = []

    def come() -> None:
        time.sleep(0.7)
        with server(port):
            came.append(time.time())
            time.sleep(0.8)

    begun = time.time()
    thread = threading.Thread(target=come)
    thread.start()
    found = probe(run_module, port, path="/", duration=1)
    thread.join()
    (outage,) = found["targets"][0]["outages"]
    assert outage["start"] == pytest.approx(begun, abs=0.5)
    assert outage["start"] + outage["seconds"] == pytest.approx(came[0], abs=0.4)
    assert outage["seconds"] == found["longest"]


def test_a_file_ends_it(run_module: Run, tmp_path: Path) -> None:
    running = tmp_path / "running"
    seen: list[bool] = []

    def end() -> None:
        while not running.exists():
            time.sleep(0.01)
        seen.append(True)
        time.sleep(0.3)
        running.unlink()

    with server() as port:
        thread = threading.Thread(target=end)
        thread.start()
        begun = time.monotonic()
        found = probe(run_module, port, duration=30, running_file=str(running))
        thread.join()
    assert seen and time.monotonic() - begun < 5
    assert found["sent"] > 5


def test_the_file_goes_with_the_end(run_module: Run, tmp_path: Path) -> None:
    with server() as port:
        probe(run_module, port, running_file=str(tmp_path / "running"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"interval": 0}, "interval must be more than 0."),
        ({"port": 0}, "port 0 is out of range; use 1 to 65535."),
        ({"path": "a"}, "must begin with a slash"),
        ({"path": "/a\r\nb: c"}, "or control characters"),
        ({"host": "a b"}, "must not contain blanks"),
        ({"addresses": []}, "addresses is empty."),
    ],
)
def test_what_is_refused(run_module: Run, arguments: dict[str, t.Any], words: str) -> None:
    refused = run_module(vip_probe, **{"addresses": ["127.0.0.1"], "port": 1, **arguments})
    assert refused["failed"] and words in refused["msg"]


def test_a_file_of_others_is_left_alone(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "running").write_text("mine")
    refused = probe(run_module, 1, running_file=str(tmp_path / "running"))
    assert refused["failed"] and "does not exist" in refused["msg"]
    assert (tmp_path / "running").read_text() == "mine"
