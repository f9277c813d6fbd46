# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that tells what it got, a service for it, and clients from any address."""

from __future__ import annotations

import http.client
import http.server
import json
import ssl
import typing as t

from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import Running
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

Serve = t.Callable[..., Running]
Headers = dict[str, list[str]]


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers with the headers of the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers: Headers = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        body = json.dumps(headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


class MirrorServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """HAProxy resets connections that it does not need."""


def mirrored(mirror: int, **keys: t.Any) -> dict[str, t.Any]:
    """A service of that server, for clients who say where they come from."""
    return {
        "haproxy_service_name": "web",
        "haproxy_port": free_port(),
        "haproxy_bind": ["127.0.0.1"],
        "haproxy_bind_options": ["accept-proxy"],
        "haproxy_backend_port": mirror,
        "haproxy_backend_nodes": [{"name": "w1", "ip_addr": "127.0.0.1"}],
        "haproxy_backend_server_options": ["no-check"],
        **keys,
    }


class Client(http.client.HTTPConnection):
    """One that comes from some address, or through a proxy that has it."""

    def __init__(self, port: int, source: str, *, tls: bool = False, address: str = "127.0.0.1") -> None:
        super().__init__(address, port, timeout=30)
        self.source, self.tls = source, tls

    def connect(self) -> None:
        super().connect()
        family = "TCP6" if ":" in self.source else "TCP4"
        own = "::1" if ":" in self.source else "127.0.0.1"
        self.sock.sendall(f"PROXY {family} {self.source} {own} 5000 {self.port}\r\n".encode())
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)

    def ask(self, headers: dict[str, str], path: str = "/") -> tuple[int, Headers]:
        self.request("GET", path, headers=headers)
        answer = self.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else {}
