# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes under load: what clients lose over reloads and refused binds, and what a change of a large pool takes."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import subprocess
import threading
import time
import typing as t

from config import configure_services, node
from playbook import REPO, play
from row import Row, at_least, at_most, figure
from services import services
from throughput import by_role, certificate, free_port

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    Machine,
    private_machine,
)

CONNECTIONS = 20
BACKEND = """
defaults answers
    mode http
    timeout client 5s
    option idle-close-on-response
frontend answers from answers
    bind 127.0.0.1:{backend}
    http-request return status 200 content-type text/plain string "answer"
"""


@dataclasses.dataclass(frozen=True)
class Size:
    #: under load, and requests meanwhile, at least
    reloads: int
    requests: int
    #: how long clients keep their connections, seconds
    load: int
    #: changes that are refused
    refused: int
    services: int


FULL = Size(reloads=100, requests=1_000_000, load=30, refused=10, services=1000)
QUICK = Size(reloads=2, requests=1000, load=3, refused=2, services=20)


def rows(size: Size) -> t.Iterator[Row]:
    with private_machine() as machine:
        site = Site(machine)
        yield from reloads(site, size)
        yield from failed_binds(site, size.refused)
    with node() as inventory:
        yield from large_pool(inventory, size.services)


class Site:
    """The role's default configuration for one HTTP and one HTTPS service."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.ports = {"http": free_port(), "https": free_port(), "backend": free_port()}
        (machine.home / "chroot").mkdir()
        machine.home.chmod(0o755)
        certificate(machine.home / "a.pem")
        self.text = by_role("http-keep-alive")({"home": machine.home, **self.ports})
        self.text += BACKEND.format(**self.ports)

    def wanted(self, extra: str = "") -> Wanted:
        return Wanted(Release.made_of({"haproxy.cfg": self.text + extra}))


def reloads(site: Site, size: Size) -> t.Iterator[Row]:
    """Each a change that needs one, while clients keep their connections, until there were enough of both."""
    site.machine.apply(site.wanted())
    done, requests, lost = 0, 0, 0
    while done < size.reloads or requests < size.requests:
        clients = [load(f"{scheme}://127.0.0.1:{site.ports[scheme]}/", size.load) for scheme in ("http", "https")]
        while any(client.poll() is None for client in clients):
            done += 1
            plan = site.machine.apply(site.wanted(f"    timeout http-request {done}s\n")).plan
            assert plan.action == "reload", plan
        for client in clients:
            answered, failed = result(client)
            requests, lost = requests + answered, lost + failed
    yield at_least(size.reloads, "reloads under load, HTTP and HTTPS", done)
    yield at_least(size.requests, "requests of keep-alive clients meanwhile", requests)
    yield at_most(0, "requests lost", lost)


def load(url: str, seconds: int) -> subprocess.Popen[str]:
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), f"--duration={seconds}s", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(client: subprocess.Popen[str]) -> tuple[int, int]:
    """How many requests were answered, and how many not or not well."""
    said = client.communicate()[0]
    answered = re.search(r"(\d+) requests in ", said)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    if answered is None:
        raise SystemExit(f"wrk failed:\n{said}")
    return int(answered[1]), (int(wrong[1]) if wrong else 0) + sum(map(int, errors.groups() if errors else ()))


def failed_binds(site: Site, number: int) -> t.Iterator[Row]:
    """Somebody has the port of a new frontend: seconds in which clients of the others are refused."""
    machine, port = site.machine, site.ports["http"]
    machine.apply(site.wanted())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        conflict = site.wanted(f"    bind 127.0.0.1:{taken.getsockname()[1]}\n")
        with refused(port) as seconds:
            for _again in range(number):
                with contextlib.suppress(LbforgeError):
                    machine.apply(conflict)
        yield at_most(0, f"a port that is taken, {number} changes: traffic refused", sum(seconds), "s")
        configuration = machine.etc / "haproxy.cfg"
        with refused(port) as seconds:
            configuration.write_bytes(conflict.release.contents["haproxy.cfg"])
            with contextlib.suppress(LbforgeError):
                machine.host().haproxy.reload(None)
            configuration.write_bytes(site.wanted().release.contents["haproxy.cfg"])
        yield figure("the same by a plain reload, once: traffic refused", sum(seconds), "s")


@contextlib.contextmanager
def refused(port: int) -> t.Iterator[list[float]]:
    """The seconds in which a new client, one every two milliseconds, is refused."""
    seconds: list[float] = []
    end = threading.Event()

    def watch() -> None:
        before = time.monotonic()
        while not end.is_set():
            with socket.socket() as probe:
                is_refused = probe.connect_ex(("127.0.0.1", port)) != 0
            now = time.monotonic()
            if is_refused:
                seconds.append(now - before)
            before = now
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seconds
        time.sleep(0.5)
    finally:
        end.set()
        watcher.join()


def large_pool(inventory: dict[str, t.Any], number: int) -> t.Iterator[Row]:
    """A weight of one server of one in many services, by the role."""
    install = REPO / "playbooks" / "haproxy_install.yml"
    play(install, inventory, haproxy_service_configs=services(1), haproxy_ssl=False, haproxy_use_keepalived=True)
    many = services(number)
    configure_services(inventory, "ours", many)
    seconds = []
    for weight in (2, 3):
        many[number // 2]["haproxy_backend_nodes"][1]["weight"] = weight
        run = configure_services(inventory, "ours", many)
        task = "lbforge.haproxy.haproxy_server : Apply the release"
        expected = [f"set server service{number // 2}-back/server1 weight {weight}"]
        assert run.result(task, "lb1")["commands"] == expected, run.result(task, "lb1")["reason"]
        seconds.append(run.task_seconds(task))
    yield at_most(2, f"a change of one pool of {number} services, no reload: task", min(seconds), "s")
