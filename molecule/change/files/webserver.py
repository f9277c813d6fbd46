# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that costs next to nothing, so that its clients can ask much: says who it is and what it was asked.

webserver.py PORT...
"""

from __future__ import annotations

import asyncio
import socket
import sys


class Connection(asyncio.Protocol):
    """Answers GET requests, each of which comes whole: all that health checks and the clients of the test send."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.place = f"{socket.gethostname()} {transport.get_extra_info('sockname')[1]}"
        self.received = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.received = (self.received + data).split(b"\r\n\r\n")
        for request in requests:
            body = f"{self.place} {request.split(b' ', 2)[1].decode()}\n".encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def main() -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Connection, port=int(port), backlog=512) for port in sys.argv[1:]]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
