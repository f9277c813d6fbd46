# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that change a running HAProxy, beside a loop over the module that everybody has."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import typing as t

from playbook import REPO, Run, play
from row import Row, at_least, at_most, figure

PLAYBOOK = REPO / "tests" / "bench" / "runtime.yml"
TASKS = ("Weights, one task", "Weights, one at a time", "Map, as text", "Map, as a dictionary")

HEAD = """\
global
    stats socket {home}/admin.sock level admin
defaults
    mode http
    timeout client 50s
    timeout connect 10s
    timeout server 50s
frontend front
    bind abns@{home}
"""


@dataclasses.dataclass(frozen=True)
class Size:
    backends: int
    #: of each backend
    servers: int
    in_a_loop: int
    #: of the map
    entries: int
    rounds: int


FULL = Size(backends=100, servers=10, in_a_loop=20, entries=100_000, rounds=3)
QUICK = Size(backends=3, servers=2, in_a_loop=2, entries=100, rounds=1)


def rows(size: Size) -> t.Iterator[Row]:
    with haproxy(size) as home:
        runs = [change(home, number, size) for number in range(size.rounds)]
    ours, loop, text, dictionary = (min(run.task_seconds(name) for run in runs) for name in TASKS)
    number = size.backends * size.servers
    yield at_most(1.5, f"{number:,} weights in one task", ours, "s")
    yield figure(f"{size.in_a_loop} weights by community.general.haproxy in a loop", loop, "s")
    name = f"a loop over {number:,} (scaled from {size.in_a_loop}) / one task"
    # A task that takes these arguments and does nothing has two thirds of the time of ours; 500 is beyond Ansible here.
    yield at_least(300, name, loop / size.in_a_loop * number / ours)
    yield at_most(2, f"a map of exactly {size.entries:,} other entries, the text of a file", text, "s")
    yield figure("the same as a dictionary", dictionary, "s")


def change(home: pathlib.Path, number: int, size: Size) -> Run:
    """Give every server another weight and every key of the map another value."""
    servers = [
        {"backend": f"back{backend}", "name": f"server{server}", "weight": str(10 + number)}
        for backend in range(size.backends)
        for server in range(size.servers)
    ]
    run = play(
        PLAYBOOK,
        {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}},
        bench_socket=f"{home}/admin.sock",
        bench_servers=servers,
        bench_servers_of_loop=[{**server, "weight": str(100 + number)} for server in servers[: size.in_a_loop]],
        bench_map=f"{home}/paths.map",
        bench_lines="".join(f"{path} {backend}\n" for path, backend in paths(2 * number, size).items()),
        bench_entries=paths(2 * number + 1, size),
    )
    assert run.changed == [*TASKS], run.changed
    return run


def paths(number: int, size: Size) -> dict[str, str]:
    return {f"/path/{entry}": f"back{(entry + number) % size.backends}" for entry in range(size.entries)}


@contextlib.contextmanager
def haproxy(size: Size) -> t.Iterator[pathlib.Path]:
    """The directory of an HAProxy with many servers that nobody will find (RFC 5737), and an empty map."""
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        text = f"    use_backend %[path,map({home}/paths.map,back0)]\n"
        for backend in range(size.backends):
            lines = [
                f"    server server{server} 198.51.100.{server + 1}:80 weight 100" for server in range(size.servers)
            ]
            text += "\n".join([f"backend back{backend}", *lines, ""])
        (home / "paths.map").write_text("")
        with serving(home, text):
            yield home


@contextlib.contextmanager
def serving(home: pathlib.Path, text: str) -> t.Iterator[None]:
    """An HAProxy with a socket in the directory, whose only frontend the text goes on with."""
    (home / "haproxy.cfg").write_text(HEAD.format(home=home) + text)
    program = subprocess.Popen([os.environ.get("HAPROXY", "haproxy"), "-db", "-q", "-f", home / "haproxy.cfg"])
    try:
        wait_for(home / "admin.sock")
        yield
    finally:
        program.terminate()
        program.wait()


def wait_for(path: pathlib.Path) -> None:
    for _attempt in range(100):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("HAProxy does not start")
