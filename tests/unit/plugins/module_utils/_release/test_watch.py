# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real traffic judges a change: a real HAProxy between real servers and clients."""

from __future__ import annotations

import collections
import http.client
import http.server
import itertools
import re
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release import watch as watch_module
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.judgement import Limits
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.watch import Watch
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import BASE, Machine, killed
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

CONFIGURATION = f"""{BASE}\
frontend web-front-1
    bind 127.0.0.1:{{port}}
    default_backend pool
{{text}}
"""
# Six seconds, and on a machine with a third of its processors' time still hundreds of requests.
WATCH = Watch(6, Limits(min_timed=20))


class Server(http.server.ThreadingHTTPServer):
    """A web server that fails for one path, or is slow."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, failing: str = "", pause: float = 0) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(pause)
                self.send_response(500 if failing and self.path == failing else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", free_port()), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def line(self, options: str = "") -> str:
        return pool(self.server_address[1], options)


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Server]]:
    servers: list[Server] = []

    def start(**behaviour: t.Any) -> Server:
        servers.append(Server(**behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class Clients:
    """Clients who go on asking for a page and an API; ``got`` are the answers of all, 0 for none."""

    port: int
    pause: float
    is_over: threading.Event = field(default_factory=threading.Event)
    got: list[int] = field(default_factory=list)

    def ask(self) -> None:
        for path in itertools.cycle(["/", "/api", "/about", "/"]):
            if self.is_over.wait(self.pause):
                return
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request("GET", path)
                self.got.append(connection.getresponse().status)
            except OSError:
                self.got.append(0)
            finally:
                connection.close()

    @property
    def statuses(self) -> collections.Counter[int]:
        return collections.Counter(self.got)


@contextmanager
def clients(machine: Machine, number: int = 6, pause: float = 0.02) -> t.Iterator[Clients]:
    asking = Clients(machine.port, pause)
    threads = [threading.Thread(target=asking.ask, daemon=True) for _each in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.is_over.set()
        for thread in threads:
            thread.join(120)


def pool(port: int, options: str = "") -> str:
    return f"backend pool\n    server web1 127.0.0.1:{port} {options}"


def wanted(machine: Machine, text: str, *, reload: bool = False) -> Wanted:
    files = replace(machine, template=CONFIGURATION).files(text)
    return Wanted(Release.made_of(files), may_use_runtime=not reload)


def refused(machine: Machine, bad: Wanted, watch: Watch = WATCH) -> str:
    """Apply a bad change; afterwards HAProxy runs what it ran before. Returns the message."""
    before = machine.host().store.current
    with pytest.raises(ProblemsError, match=f"real traffic was worse off, so release {before} was restored") as caught:
        machine.apply(bad, watch=watch)
    store, worker = machine.host().store, machine.host().haproxy.worker()
    assert worker
    running = store.running(worker.pid, worker.description)
    assert running and (running.id, store.current) == (before, before)
    assert (store.journal.pending, store.journal.unjudged) == (None, None)
    assert caught.value.details["release"] == bad.release.id
    assert caught.value.details["errors"]
    return str(caught.value)


@pytest.mark.parametrize("reload", [False, True], ids=["commands", "reload"])
def test_an_answer_of_500_for_one_path(machine: Machine, serve: t.Callable[..., Server], reload: bool) -> None:
    machine.apply(wanted(machine, serve().line()))
    with clients(machine) as asking:
        said = refused(machine, wanted(machine, serve(failing="/api").line(), reload=reload))
        harmed, total = asking.statuses[500], len(asking.got)
    assert "  backend pool: 5xx responses rose from 0 % (0 of " in said
    assert "  frontend web-front-1: 5xx responses rose from 0 % (0 of " in said
    # What the clients saw: one path of four failed, for a part of the time, and no request was lost.
    assert 10 <= harmed < total / 4
    assert set(asking.statuses) == {200, 500}


def test_a_wrong_port(machine: Machine, serve: t.Callable[..., Server]) -> None:
    machine.apply(wanted(machine, serve().line()))
    # HAProxy waits a second before each repetition, so these clients wait as well: it takes many.
    with clients(machine, 30):
        said = refused(machine, wanted(machine, pool(free_port())), Watch(10))
    # Repetitions, failed connections and 503 come to light in the order in which clients meet them.
    assert re.search("backend pool: (requests with repeated|failed) connections|backend pool: 5xx responses", said)


def test_a_slow_pool(machine: Machine, serve: t.Callable[..., Server]) -> None:
    machine.apply(wanted(machine, serve().line()))
    with clients(machine, 12):
        said = refused(machine, wanted(machine, serve(pause=0.8).line()))
    assert "backend pool: the response time rose from " in said
    assert "5xx" not in said


def test_a_rule_that_catches_too_much(machine: Machine, serve: t.Callable[..., Server]) -> None:
    good = serve().line()
    machine.apply(wanted(machine, good))
    with clients(machine) as asking:
        said = refused(machine, wanted(machine, f"    http-request deny if {{ path_beg / }}\n{good}"))
    assert "frontend web-front-1: 4xx responses rose from 0 % (0 of " in said
    assert asking.statuses[403] >= 10


def test_servers_that_went_down_on_a_quiet_day(machine: Machine, serve: t.Callable[..., Server]) -> None:
    """Too few requests to judge by, but the checks tell."""
    checked = "check inter 200 fall 1 rise 1"
    machine.apply(wanted(machine, serve().line(checked)))
    with clients(machine, 1, 1):
        said = refused(machine, wanted(machine, pool(free_port(), checked)))
    assert "backend pool: 1 of the 1 servers that were up went down: web1" in said


@pytest.mark.parametrize("number", [6, 1], ids=["busy", "quiet"])
@pytest.mark.parametrize("reload", [False, True], ids=["commands", "reload"])
def test_a_good_change(machine: Machine, serve: t.Callable[..., Server], reload: bool, number: int) -> None:
    machine.apply(wanted(machine, serve(failing="/api").line()))
    with clients(machine, number, 0.3 / number**2) as asking:
        change = wanted(machine, serve(failing="/api").line(), reload=reload)
        outcome = machine.apply(change, watch=WATCH)
        assert outcome.plan.action == ("reload" if reload else "runtime")
        assert outcome.verdict.startswith("Nothing got worse: ")
        assert machine.host().store.current == change.release.id
        assert machine.host().store.journal.unjudged is None
    assert set(asking.statuses) <= {200, 500}


def test_nobody_waits_without_need(
    machine: Machine, serve: t.Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first start, nor an unchanged run, nor a release that HAProxy refuses."""
    watch, line = Watch(100_000), serve().line()
    assert machine.apply(wanted(machine, line), watch=watch).plan.action == "start"
    assert machine.apply(wanted(machine, line), watch=watch).plan.action == "nothing"
    with pytest.raises(LbforgeError, match="unknown keyword 'rubbish'"):
        machine.apply(wanted(machine, f"{line}\n    rubbish"), watch=watch)


def test_a_node_without_clients_is_not_judged(machine: Machine, serve: t.Callable[..., Server]) -> None:
    machine.apply(wanted(machine, serve().line()))
    outcome = machine.apply(wanted(machine, pool(free_port())), watch=Watch(0.2))
    assert outcome.verdict == "Not judged: no request came in the 0.2 s before the change."
    assert machine.host().store.journal.unjudged is None


def test_killed_during_the_watch(machine: Machine, serve: t.Callable[..., Server]) -> None:
    """What it leaves serves as a whole, the next run reports it once, and the way back is open."""
    machine.apply(wanted(machine, serve().line()))
    change = wanted(machine, serve().line())
    with clients(machine) as asking:
        # The first two samples are of the time before the change.
        killed(machine, change, HAProxy, "sample", 4, late=True, watch=Watch(1))
        store = machine.host().store
        assert (store.current, store.journal.pending) == (change.release.id, None)
        predicted = machine.apply(change, check_mode=True)
        again = machine.apply(change)
        for outcome in (predicted, again):
            assert outcome.plan.action == "nothing"
            (warning,) = outcome.warnings
            assert f"applied release {change.release.id} was interrupted before real traffic had judged it" in str(
                warning
            )
        assert machine.apply(change).warnings == []
        assert store.journal.before != change.release.id
    assert set(asking.statuses) == {200}


def test_haproxy_dies_during_the_watch(
    machine: Machine, serve: t.Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.apply(wanted(machine, serve().line()))
    before = machine.host().store.current
    real, samples = HAProxy.sample, itertools.count(1)

    def dying(haproxy: HAProxy) -> t.Any:
        if next(samples) == 4:
            raise LbforgeError("HAProxy does not run.")
        return real(haproxy)

    monkeypatch.setattr(HAProxy, "sample", dying)
    with clients(machine), pytest.raises(ProblemsError, match="was restored") as caught:
        machine.apply(wanted(machine, serve().line()), watch=Watch(1))
    assert "HAProxy does not run." in str(caught.value)
    assert machine.host().store.current == before


def test_what_another_run_has_applied_meanwhile_stays(
    machine: Machine, serve: t.Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.apply(wanted(machine, serve().line()))
    other = wanted(machine, serve().line())
    real, calls = watch_module.apply, itertools.count(1)

    def late(*args: t.Any, **options: t.Any) -> t.Any:
        if next(calls) == 3:  # the first predicts, the second applies, the third goes back
            machine.apply(other)
        return real(*args, **options)

    monkeypatch.setattr(watch_module, "apply", late)
    with clients(machine), pytest.raises(ProblemsError, match=f"has applied release {other.release.id} meanwhile"):
        machine.apply(wanted(machine, serve(failing="/").line()), watch=WATCH)
    assert machine.host().store.current == other.release.id
