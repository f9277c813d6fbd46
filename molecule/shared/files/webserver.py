# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that says who it is and what it was asked, so that a test sees the way a request came.

Every path answers with JSON; /healthz fails while the file /run/unhealthy exists.

    webserver.py PORT... [--tls PORT CERTIFICATE]
"""

from __future__ import annotations

import argparse
import http.server
import json
import pathlib
import socket
import ssl
import threading

UNHEALTHY = pathlib.Path("/run/unhealthy")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Clients of a load balancer go away without a word; so do its health checks.
    timeout = 30

    def answer(self) -> None:
        if self.path == "/healthz" and UNHEALTHY.exists():
            self.reply(503, {"server": socket.gethostname(), "healthy": False})
            return
        self.reply(
            200,
            {
                "server": socket.gethostname(),
                "port": self.server.server_address[1],
                "tls": isinstance(self.connection, ssl.SSLSocket),
                "client": self.client_address[0].removeprefix("::ffff:"),
                "method": self.command,
                "path": self.path,
                # Every value of a header that came more than once: that is how a spoofed one shows.
                "headers": {name.lower(): self.headers.get_all(name) for name in self.headers},
            },
        )

    do_GET = do_HEAD = do_POST = do_OPTIONS = answer

    def reply(self, status: int, content: dict[str, object]) -> None:
        if length := int(self.headers.get("Content-Length", 0)):
            self.rfile.read(length)
        body = f"{json.dumps(content)}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Health checks would fill the journal."""


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128
    context: ssl.SSLContext | None = None

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.context:
            # The handshake happens at the first read, in the connection's own thread.
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that resets its connection is no error of this server."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", nargs="+", type=int)
    parser.add_argument("--tls", nargs=2, metavar=("PORT", "CERTIFICATE"))
    arguments = parser.parse_args()
    servers = [Server(("::", port), Handler) for port in arguments.ports]
    if arguments.tls:
        servers.append(Server(("::", int(arguments.tls[0])), Handler))
        servers[-1].context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        servers[-1].context.load_cert_chain(arguments.tls[1])
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
