# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of a load balancer, from any address."""

from __future__ import annotations

import functools
import http.client
import re
import shutil
import socket
import ssl
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal import certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import ANSWERED, Reply
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import (
    CLIENT_IPV4,
    CLIENT_IPV6,
    Certificate,
    Request,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

# Exit codes of curl(1).
_CURL = {7: "refused", 28: "timeout", 35: "reset", 52: "reset", 55: "reset", 56: "reset", 16: "reset", 92: "reset"}
_STATUS_LINE = re.compile(r"HTTP/(\S+) (\d{3})")
_LARGEST_BODY = 1 << 20


def ask(request: Request, address: str, own: Path | None = None) -> Reply:
    """Send a request to an address, as a client does, and return the reply.

    ``own`` is a file with the certificate that the client shows, and its key.
    """
    if request.http == "2":
        return _by_curl(request, address, own)
    certificate = None
    try:
        with socket.create_connection(
            (address, request.port), request.timeout, (request.source or _public(address), 0)
        ) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection: socket.socket = plain
            if request.is_tls:
                connection, certificate = _encrypted(plain, request, own)
            reply = _connected(connection, request) if request.connect else _answered(connection, request)
    except ConnectionRefusedError:
        return Reply("refused", address)
    except socket.timeout:
        return Reply("timeout", address, certificate=certificate)
    except (ConnectionError, ssl.SSLError, http.client.HTTPException):
        # For a client, every end without an answer is a reset.
        return Reply("reset", address, certificate=certificate)
    except OSError as error:
        raise LbforgeError(f"No client can do this: {request.words}: {error.strerror}.") from error
    return Reply(ANSWERED, address, *reply, certificate)


@functools.cache
def has_http2() -> bool:
    """Whether a client here speaks HTTP/2."""
    curl = shutil.which("curl")
    return curl is not None and "HTTP2" in run([curl, "--version"]).stdout


def _public(address: str) -> str:
    return CLIENT_IPV6 if ":" in address else CLIENT_IPV4


def _encrypted(plain: socket.socket, request: Request, own: Path | None) -> tuple[ssl.SSLSocket, Certificate]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The expectation judges the certificate.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if own:
        context.load_cert_chain(own)
    if request.url:
        context.set_alpn_protocols(["http/1.1"])
    name = request.sni or request.host
    connection = context.wrap_socket(plain, server_hostname=None if is_ip(name) else name)
    return connection, certificates.read(connection.getpeercert(True) or b"")


Got = tuple[int, str, tuple[tuple[str, str], ...], str]


def _connected(connection: socket.socket, request: Request) -> Got:
    connection.sendall((request.body or "Rehearsal").encode() + b"\r\n")
    said = connection.recv(4096)
    if not said:
        raise ConnectionResetError
    return 0, "", (), said.decode(errors="replace")


def _answered(connection: socket.socket, request: Request) -> Got:
    client = http.client.HTTPConnection(request.host, request.port)
    client.sock = connection
    headers = dict(request.headers)
    client.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": request.authority, **headers}.items():
        client.putheader(name, value)
    body = request.body.encode()
    if body or request.method in ("POST", "PUT", "PATCH"):
        client.putheader("Content-Length", str(len(body)))
    client.endheaders(body or None)
    response = client.getresponse()
    text = response.read(_LARGEST_BODY).decode(errors="replace")
    return response.status, "1", tuple(response.getheaders()), text


def _by_curl(request: Request, address: str, own: Path | None) -> Reply:
    if not has_http2():
        raise LbforgeError("HTTP/2 needs curl with HTTP/2 on the host that rehearses: install it, or ask by HTTP/1.")
    place = f"[{address}]" if ":" in address else address
    words = ["curl", "--silent", "--include", "--insecure", "--max-time", str(request.timeout), "--noproxy", "*"]
    words += ["--interface", request.source or _public(address), "--request", request.method]
    words += ["--connect-to", f"::{place}:{request.port}"]
    words.append("--http2" if request.is_tls else "--http2-prior-knowledge")
    for name, value in request.headers:
        words += ["--header", f"{name}: {value}"]
    if own:
        words += ["--cert", str(own)]
    if request.body:
        words += ["--data-binary", request.body]
    if request.method == "HEAD":
        words.append("--head")
    done = run([*words, request.url])
    if done.code:
        if done.code not in _CURL:
            raise LbforgeError(f"curl ended with {done.code} for {request.words}: {done.stderr.strip()}")
        return Reply(_CURL[done.code], address)
    head, _blank, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.split("\n")
    found = _STATUS_LINE.match(status)
    if not found:
        raise LbforgeError(f"curl answered {status!r} for {request.words}.")
    pairs = tuple((name.strip(), value.strip()) for name, _colon, value in (line.partition(":") for line in lines))
    return Reply(ANSWERED, address, int(found[2]), found[1].partition(".")[0], pairs, body)
