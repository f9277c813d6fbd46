# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse expectations of so many services in a process of its own; print seconds and megabytes.

rehearse.py SERVICES EXPECTATIONS

A quarter of the expectations each is about a header of the request, a denial by HAProxy itself, an exception from it,
and a failover.
"""

from __future__ import annotations

import json
import pathlib
import sys
import threading
import time
import typing as t

from render import rendered
from services import services

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse

CONFIGURATION = pathlib.Path("/etc/haproxy/haproxy.cfg")


def main() -> None:
    number, wanted = (int(argument) for argument in sys.argv[1:])
    text = rendered(asking(number))
    expectations = parse([expectation(place, place % number) for place in range(wanted)])
    # The directory that systemd makes for HAProxy, and the file that its unit writes.
    files = {CONFIGURATION: text.encode(), pathlib.Path("/run/haproxy/servers.state"): b"1\n"}
    trial = Trial(CONFIGURATION, files, expectations, patience=600)
    memory = Memory()
    started = time.perf_counter()
    results = rehearse(trial)["results"]
    seconds = time.perf_counter() - started
    # Nothing less than everything counts.
    assert len(results) == wanted
    assert all(result["passed"] for result in results), next(result for result in results if not result["passed"])
    print(json.dumps({"seconds": seconds, "megabytes": memory.peak}))


def asking(number: int) -> list[dict[str, t.Any]]:
    """Services by the number that keep strangers out of one path."""
    denial = ["http-request deny deny_status 403 if { path /admin } !{ src 10.0.0.0/8 }"]
    return [{**service, "haproxy_frontend_raw": denial} for service in services(number)]


def expectation(place: int, service: int) -> dict[str, t.Any]:
    name = f"service{service}"
    url = f"http://203.0.113.10:{10000 + service}"
    kinds: tuple[dict[str, t.Any], ...] = (
        {"request": {"url": f"{url}/"}, "expect": {"request_headers": {"X-Forwarded-Proto": "http"}}},
        {"request": {"url": f"{url}/admin"}, "expect": {"service": name, "status": 403}},
        {"request": {"url": f"{url}/admin", "from": "10.9.9.9"}, "expect": {"service": name, "status": 200}},
        {
            "request": {"url": f"{url}/"},
            "given": {"down": ["198.51.100.1", "198.51.100.2"]},
            "expect": {"server": f"{name}-back/server2"},
        },
    )
    return {"name": f"{place}", **kinds[place // 2 % len(kinds)]}


class Memory:
    """The largest memory of this process and all that it has started, in megabytes, while it watches."""

    def __init__(self) -> None:
        self.peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        ours = str(pathlib.Path("/proc/self").resolve().name)
        while True:
            listed = [line.split() for line in run(["ps", "-e", "-o", "pid=,ppid=,comm="]).stdout.splitlines()]
            family = {ours}
            for pid, parent, program in listed:
                if parent in family and program != "ps":
                    family.add(pid)
            self.peak = max(self.peak, sum(map(proportional, family)))
            time.sleep(0.2)


def proportional(pid: str) -> float:
    """Megabytes of a process, its share of what it shares (proc_pid_smaps(5))."""
    try:
        lines = pathlib.Path("/proc", pid, "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0  # it has ended meanwhile
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
