# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that answers every request with its name.

website.py NAME

/halves sends half of the name, and the rest when the client has sent another line. /healthz is ill (503) as long as the
file /run/ill is there.
"""

from __future__ import annotations

import http.server
import pathlib
import socket
import sys

NAME = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ill = self.path == "/healthz" and pathlib.Path("/run/ill").exists()
        self.send_response(503 if ill else 200)
        self.end_headers()
        half = len(NAME) // 2
        self.wfile.write(NAME[:half].encode())
        if self.path == "/halves":
            self.rfile.readline()
        self.wfile.write(NAME[half:].encode())

    def log_message(self, *_unused: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 100


Server(("::", 80), Handler).serve_forever()
