# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Send requests over kept connections until the file STOP appears (or its directory goes), then print the count."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from pathlib import Path

CLIENTS = 8


class Client(threading.Thread):
    """Keeps its connection, as a browser or a proxy does, and opens a new one when the server says so."""

    def __init__(self, port: int, stop: Path) -> None:
        super().__init__()
        self.port, self.stop = port, stop
        self.answered = self.connections = 0
        self.lost: list[str] = []

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while self.stop.parent.exists() and not self.stop.exists():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                    self.connections += 1
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.lost.append(f"status {answer.status}")
                self.answered += 1
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection = None


def main() -> None:
    port, stop = int(sys.argv[1]), Path(sys.argv[2])
    clients = [Client(port, stop) for _number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(
        json.dumps(
            {
                "answered": sum(client.answered for client in clients),
                "connections": sum(client.connections for client in clients),
                "lost": [loss for client in clients for loss in client.lost],
            }
        )
    )


main()
