# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that stand in for those of a configuration: they answer every request, and record it."""

from __future__ import annotations

import contextlib
import re
import resource
import selectors
import socket
import ssl
import struct
import threading
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import STAND_IN_HEADERS, Hop, Visit
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.certificates import Authority
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.surroundings import Endpoint
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

PATIENCE = 10  # seconds that a stand-in waits for the next bytes from HAProxy
_LARGEST_HEAD = 1 << 18
_REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?\n")
_TLS_HANDSHAKE = 0x16  # RFC 8446, section 5.1
_HTTP2 = b"PRI * HTTP/2.0"  # RFC 9113, section 3.4
# PROXY protocol, sections 2.1 and 2.2 of doc/proxy-protocol.txt.
_PROXY_V1, _PROXY_V2 = b"PROXY ", b"\r\n\r\n\x00\r\nQUIT\n"

#: the way of the current request, looked up while its answer is held back
Way = t.Callable[[Endpoint], tuple[Hop, ...]]


class StandIns:
    """One stand-in for each endpoint. A closed endpoint refuses connections, as that of a server that is down."""

    def __init__(
        self, endpoints: t.Collection[Endpoint], authority: Authority | None, names: t.Sequence[str], way: Way
    ) -> None:
        """Listen. ``names`` are on the certificate for clients without SNI."""
        self._authority = authority
        self._way = way
        self._names = (*names, "localhost")
        self._visits: list[Visit] = []
        self._connections: dict[socket.socket, Endpoint] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._listeners: dict[Endpoint, socket.socket] = {}
        _allow_files(len(endpoints))
        for endpoint in endpoints:
            self.open(endpoint)
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self, endpoint: Endpoint) -> None:
        """Listen at an endpoint."""
        address, port = endpoint
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        # HAProxy may listen on this port of all addresses.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind((address, port))
        except OSError as error:
            raise LbforgeError(f"No stand-in can listen on {address} port {port}: {error.strerror}.") from error
        listener.listen(128)
        listener.setblocking(False)
        self._listeners[endpoint] = listener
        self._selector.register(listener, selectors.EVENT_READ, endpoint)

    def close(self, endpoint: Endpoint) -> None:
        """Stop listening at an endpoint, and end its connections."""
        listener = self._listeners.pop(endpoint)
        self._selector.unregister(listener)
        listener.close()
        self._end(endpoint)

    def hang_up(self) -> None:
        """End all connections."""
        self._end(None)

    def visits(self) -> list[Visit]:
        """The visits since the last call, in order."""
        with self._lock:
            visits, self._visits = self._visits, []
        return visits

    def _end(self, endpoint: Endpoint | None) -> None:
        """End the connections at an endpoint, or at all endpoints."""
        with self._lock:
            ended = [one for one, place in self._connections.items() if endpoint in (place, None)]
        for connection in ended:
            with contextlib.suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            for key, _events in self._selector.select():
                try:
                    connection, _address = key.fileobj.accept()  # type: ignore[union-attr]
                except OSError:
                    continue  # it was closed meanwhile
                with self._lock:
                    self._connections[connection] = key.data
                threading.Thread(target=self._serve, args=(connection, key.data), daemon=True).start()

    def _serve(self, connection: socket.socket, endpoint: Endpoint) -> None:
        try:
            connection.settimeout(PATIENCE)
            # Send an answer without waiting for the acknowledgement of TLS tickets sent before it.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(connection, endpoint)
        except (OSError, ValueError):
            pass  # HAProxy may end a connection at any time. The client sees if a response is missing.
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _converse(self, connection: socket.socket, endpoint: Endpoint) -> None:
        source = _proxied(connection) or str(connection.getpeername()[0])
        spoken: socket.socket = connection
        asked: list[str] = []
        is_tls = _peek(connection, 1)[:1] == bytes([_TLS_HANDSHAKE])
        if is_tls:
            spoken = self._encrypted(connection, asked)
        sni = asked[0] if asked else ""
        stream = spoken.makefile("rb")
        while head := stream.readline(_LARGEST_HEAD):
            if head.startswith(_HTTP2):
                problem = "the server is spoken to in HTTP/2 without a choice, which a stand-in does not speak"
                self._note(Visit(endpoint, source, self._way(endpoint), tls=is_tls, sni=sni, problem=problem))
                return
            if not _REQUEST.fullmatch(head):
                self._note(Visit(endpoint, source, self._way(endpoint), "", (), is_tls, sni))
                spoken.sendall(b"Rehearsal\r\n")
                _drain(stream)
                return
            headers = tuple(_headers(stream))
            request = head.decode("latin-1").strip()
            _read_body(stream, {name.lower(): value for name, value in headers})
            self._note(Visit(endpoint, source, self._way(endpoint), request, headers, is_tls, sni))
            spoken.sendall(_answer(request))

    def _encrypted(self, connection: socket.socket, asked: list[str]) -> ssl.SSLSocket:
        authority = self._authority
        if authority is None:
            raise ValueError("nobody was expected to speak TLS")

        def choose(tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            asked.extend([name] if name else [])
            tls.context = authority.context(name) if name else authority.context(*self._names)

        # A context for this connection only, so that its callback knows the requested name.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        return context.wrap_socket(connection, server_side=True)

    def _note(self, visit: Visit) -> None:
        with self._lock:
            self._visits.append(visit)


def _allow_files(listeners: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = listeners + 1024
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _peek(connection: socket.socket, size: int) -> bytes:
    return connection.recv(size, socket.MSG_PEEK)


def _proxied(connection: socket.socket) -> str:
    """Read a PROXY header and return its client; empty without a header."""
    start = _peek(connection, 16)
    if start.startswith(_PROXY_V1):
        line = b""
        while not line.endswith(b"\r\n"):
            line += connection.recv(1)
        words = line.decode("ascii").split()
        return words[2] if len(words) > 2 else ""
    if not start.startswith(_PROXY_V2):
        return ""
    header = connection.recv(16, socket.MSG_WAITALL)
    rest = connection.recv(struct.unpack(">H", header[14:16])[0], socket.MSG_WAITALL)
    family = header[13] >> 4
    if family == 1:
        return socket.inet_ntop(socket.AF_INET, rest[:4])
    return socket.inet_ntop(socket.AF_INET6, rest[:16]) if family == 2 else ""


def _headers(stream: t.BinaryIO) -> t.Iterator[tuple[str, str]]:
    while line := stream.readline(_LARGEST_HEAD).rstrip(b"\r\n"):
        name, _colon, value = line.decode("latin-1").partition(":")
        yield name, value.strip()


def _read_body(stream: t.BinaryIO, headers: t.Mapping[str, str]) -> None:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while size := int(stream.readline().split(b";")[0], 16):
            stream.read(size + 2)
        while stream.readline().strip():
            pass
    else:
        stream.read(int(headers.get("content-length") or 0))


def _answer(request: str) -> bytes:
    body = b"" if request.startswith("HEAD ") else b"Rehearsal\n"
    headers = "".join(f"{name}: {value}\r\n" for name, value in (*STAND_IN_HEADERS, ("Content-Length", "10")))
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode() + body


def _drain(stream: t.BinaryIO) -> None:
    while stream.read(65536):
        pass
