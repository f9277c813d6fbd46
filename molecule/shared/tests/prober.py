# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every address every 20 ms over a new connection, and say what a client would have missed.

    prober.py PORT ADDRESS...

Says "ready" and runs until its standard input ends, then prints one JSON object: by address how many requests were
sent, how many were lost (no 2xx answer within two seconds, in which TCP repeats what went missing once), and the
outages: from the first request without an answer within 250 ms to the next one that has it, as times of the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import time
import typing as t

PERIOD = 0.020
# How long a client waits happily, and how long at all; so nothing here waits for long, whatever the other side does.
PATIENCE = 0.250
LIMIT = 2.0


@dataclasses.dataclass
class Probe:
    sent: float
    seconds: float = LIMIT
    answer: str = ""


async def ask(probe: Probe, address: str, port: int) -> None:
    writer = None
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: prober\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        if answer.startswith(b"HTTP/1.1 2"):
            probe.seconds = time.time() - probe.sent
            probe.answer = answer.rpartition(b"\r\n\r\n")[2].decode().strip()
    except OSError:  # refused, reset, unreachable, timed out
        pass
    finally:
        if writer:
            writer.transport.abort()


async def end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def probe_until_told(port: int, addresses: list[str]) -> tuple[dict[str, list[Probe]], float]:
    stop = asyncio.create_task(end_of_input())
    probes: dict[str, list[Probe]] = {address: [] for address in addresses}
    running: set[asyncio.Task[None]] = set()
    lag = 0.0
    due = time.time()
    print("ready", flush=True)
    while not stop.done():
        for address in addresses:
            # Not all at the same moment.
            await asyncio.sleep(max(0.0, due - time.time()))
            lag = max(lag, time.time() - due)
            probe = Probe(time.time())
            probes[address].append(probe)
            task = asyncio.create_task(ask(probe, address, port))
            running.add(task)
            task.add_done_callback(running.discard)
            due = max(due + PERIOD / len(addresses), time.time())
    if running:
        await asyncio.wait(running)
    return probes, lag


def outages(probes: list[Probe]) -> list[tuple[float, float]]:
    found = []
    since: float | None = None
    for probe in probes:
        if not probe.answer or probe.seconds > PATIENCE:
            since = since or probe.sent
        elif since:
            found.append((since, probe.sent))
            since = None
    if since:  # not over yet
        found.append((since, probes[-1].sent + PATIENCE))
    return found


def report(probes: list[Probe]) -> dict[str, t.Any]:
    return {
        "sent": len(probes),
        "lost": [probe.sent for probe in probes if not probe.answer],
        "outages": outages(probes),
        # What the last of them was told.
        "answer": probes[-1].answer if probes else "",
    }


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    probes, lag = asyncio.run(probe_until_told(int(sys.argv[1]), sys.argv[2:]))
    # How late the prober itself ever was: figures of a machine without breath are not about failover.
    said = {"lag": lag, "addresses": {address: report(made) for address, made in probes.items()}}
    print(json.dumps(said))
