# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a URL's host every 20 ms over a new connection, and say what a client would have missed.

    prober.py ADDRESS PORT [PATIENCE]

Runs until its standard input ends, then prints one JSON object: how many requests were sent and lost, and the longest
outage: from the first lost request to the first one answered again. A request is lost without a status line of a 2xx
answer within PATIENCE seconds, 0.25 by default; so nothing here can wait for long, whatever the other side does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys

PERIOD = 0.020
PATIENCE = 0.250


@dataclasses.dataclass
class Probe:
    sent: float
    answered: bool = False


async def ask(probe: Probe, address: str, port: int, patience: float) -> None:
    writer = None
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: prober\r\nConnection: close\r\n\r\n")
            probe.answered = (await reader.readline()).startswith(b"HTTP/1.1 2")
    except OSError:  # refused, reset, unreachable, timed out
        pass
    finally:
        if writer:
            writer.transport.abort()


async def end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def probe_until_told(address: str, port: int, patience: float) -> tuple[list[Probe], float]:
    loop = asyncio.get_running_loop()
    stop = asyncio.create_task(end_of_input())
    probes: list[Probe] = []
    running: set[asyncio.Task[None]] = set()
    lag = 0.0
    due = loop.time()
    while not stop.done():
        await asyncio.sleep(max(0.0, due - loop.time()))
        lag = max(lag, loop.time() - due)
        probe = Probe(loop.time())
        probes.append(probe)
        task = asyncio.create_task(ask(probe, address, port, patience))
        running.add(task)
        task.add_done_callback(running.discard)
        due = max(due + PERIOD, loop.time())
    if running:
        await asyncio.wait(running)
    return probes, lag


def report(probes: list[Probe], lag: float) -> dict[str, int]:
    outage = 0.0
    since: float | None = None
    for probe in probes:
        if not probe.answered:
            since = since or probe.sent
        elif since:
            outage = max(outage, probe.sent - since)
            since = None
    if since:  # not over yet
        outage = max(outage, probes[-1].sent + PATIENCE - since)
    return {
        "sent": len(probes),
        "lost": sum(not probe.answered for probe in probes),
        "outage_ms": round(outage * 1000),
        # How late the prober itself ever was: figures of a machine without breath are not about failover.
        "lag_ms": round(lag * 1000),
    }


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    patience = float(sys.argv[3]) if len(sys.argv) > 3 else PATIENCE
    print(json.dumps(report(*asyncio.run(probe_until_told(sys.argv[1], int(sys.argv[2]), patience)))))
