# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that keep their connections, as browsers and proxies do: count what they ask, and every loss.

    clients.py SITUATION

SITUATION is JSON: the addresses to ask as [scheme, address, port, clients], the name and the root of certificates, and
the least number of requests. Runs until its standard input ends and that number is reached, then prints JSON.

A request is lost when it has no complete, right answer within PATIENCE seconds, whatever the reason: refused, reset,
closed without an answer, an error of TLS or HTTP, the text of another request, of another pool. Nothing is tried again.
Only a connection that the other side has closed *before* a request is sent is replaced, as HTTP allows.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
import random
import ssl
import sys
import time

PATIENCE = 8.0
PAUSE = 0.03  # seconds that a client looks at a page, on average
VISIT = 300  # requests on one connection, at most
SHOWN = 20
# What is asked, how often, and the hundred of the ports of the pool that must answer.
PAGES = (("/", 6, "80"), ("/static/", 3, "81"), ("/legacy/", 1, "82"))


class WrongAnswer(ValueError):
    """An answer that is not the one to this request."""


@dataclasses.dataclass
class Count:
    requests: int = 0
    connections: int = 0
    closed_between_requests: int = 0
    slowest: float = 0.0
    lost: list[str] = dataclasses.field(default_factory=list)
    asked: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    answered_by: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class Connection:
    """One connection and the requests on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader, self.writer, self.host = reader, writer, host
        self.is_over = False

    async def get(self, path: str, pool: str) -> str:
        """Ask for a page, and give the place that answered."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = (await self.reader.readexactly(int(headers["content-length"]))).decode()
        self.is_over = headers.get("connection") == "close"
        if status.split()[1] != "200":
            raise WrongAnswer(status)
        place, port, answered = body.split()
        if answered != path or not port.startswith(pool):
            raise WrongAnswer(body)
        return f"{place}:{port}"


class Client:
    """Comes, asks some pages, goes, and comes again."""

    def __init__(self, scheme: str, address: str, port: int, name: str, context: ssl.SSLContext, count: Count) -> None:
        self.count, self.name = count, name
        self.url = f"{scheme}://{address}:{port}"
        self.target = {"host": address, "port": port}
        if scheme == "https":
            self.target |= {"ssl": context, "server_hostname": name}
        self.connection: Connection | None = None

    async def browse(self, stop: asyncio.Event) -> None:
        left = 0
        while not stop.is_set():
            if self.connection and (left <= 0 or self.connection.is_over):
                self.leave()
            if self.connection and self.connection.reader.at_eof():
                self.count.closed_between_requests += 1
                self.leave()
            left = left - 1 if self.connection else random.randint(1, VISIT)
            await self.ask()
            await asyncio.sleep(random.uniform(0, 2 * PAUSE))
        self.leave()

    async def ask(self) -> None:
        self.count.requests += 1
        self.count.asked[self.url] += 1
        ((page, _share, pool),) = random.choices(PAGES, [share for _page, share, _pool in PAGES])
        path = f"{page}{self.count.requests}"
        started = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                if self.connection is None:
                    self.count.connections += 1
                    self.connection = Connection(*await asyncio.open_connection(**self.target), self.name)
                self.count.answered_by[await self.connection.get(path, pool)] += 1
        except (OSError, EOFError, LookupError, ValueError) as error:
            self.count.lost.append(f"{time.strftime('%H:%M:%S')} {self.url}{path}: {error!r}")
            self.leave()
        self.count.slowest = max(self.count.slowest, time.monotonic() - started)

    def leave(self) -> None:
        if self.connection:
            self.connection.writer.transport.abort()
        self.connection = None


async def end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def browse(targets: list[tuple[str, str, int, int]], name: str, root: str, least: int) -> Count:
    context = ssl.create_default_context(cafile=root)
    count, stop = Count(), asyncio.Event()
    clients = [
        asyncio.create_task(Client(scheme, address, port, name, context, count).browse(stop))
        for scheme, address, port, clients in targets
        for _number in range(clients)
    ]
    await end_of_input()
    while count.requests < least and not count.lost:
        await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*clients)
    return count


if __name__ == "__main__":
    count = asyncio.run(browse(**json.loads(sys.argv[1])))
    print(json.dumps({**vars(count), "losses": len(count.lost), "lost": count.lost[:SHOWN]}))
