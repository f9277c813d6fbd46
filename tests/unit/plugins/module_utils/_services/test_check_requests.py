# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health checks in the spelling of old HAProxy send what they always sent, without a warning."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.check_requests import spelled_out

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")
SETTINGS = """\
defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s
"""

# Lines as users bring them, and what a server hears: of HAProxy 2.6.12, which reads them as they are.
REQUESTS: list[tuple[list[str], bytes]] = [
    (
        [r"option httpchk HEAD /h HTTP/1.0\r\nUser-agent:\ osa-haproxy-healthcheck"],
        b"HEAD /h HTTP/1.0\r\nuser-agent: osa-haproxy-healthcheck\r\n\r\n",
    ),
    (
        [r"option httpchk GET / HTTP/1.1\r\nHost:a.example\r\nX-A:\ b\ c", "http-check expect status 200"],
        b"GET / HTTP/1.1\r\nhost: a.example\r\nx-a: b c\r\nconnection: close\r\n\r\n",
    ),
    (
        ['option httpchk GET /a?b=c "HTTP/1.1\\r\\nHost: a.example"', "http-check disable-on-404"],
        b"GET /a?b=c HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n",
    ),
    (
        [r"option httpchk POST / HTTP/1.0\r\nX-A:\ b\r\n\r\nhello\ world"],
        b"POST / HTTP/1.0\r\nx-a: b\r\ncontent-length: 11\r\n\r\nhello world",
    ),
    (
        [r"option httpchk HEAD /h HTTP/1.0\r\nX-A:\ b", "http-check send uri /x"],
        b"HEAD /x HTTP/1.0\r\nx-a: b\r\n\r\n",
    ),
    (
        [r"option httpchk HEAD /h HTTP/1.0\r\nX-A:\ b", "http-check send hdr X-C d", "http-check expect status 200"],
        b"HEAD /h HTTP/1.0\r\nx-c: d\r\n\r\n",
    ),
    (
        [r"option httpchk HEAD /h HTTP/1.0\r\nX-A:\ b", "http-check connect", "http-check expect status 200"],
        b"HEAD /h HTTP/1.0\r\nx-a: b\r\n\r\n",
    ),
    (
        ["http-check connect", r"option httpchk HEAD /h HTTP/1.0\r\nX-A:\ b"],
        b"HEAD /h HTTP/1.0\r\nx-a: b\r\n\r\n",
    ),
    ([r"option httpchk HEAD /old HTTP/1.0\r\nX-A:\ b", "option httpchk HEAD /new"], b"HEAD /new HTTP/1.0\r\n\r\n"),
]


@pytest.fixture
def heard(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[[list[str]], tuple[bytes, str]]]:
    """What a server hears of a check in a backend with these lines, and what HAProxy says at its start."""
    if BINARY is None:
        pytest.skip("needs haproxy")
    running: list[subprocess.Popen[str]] = []

    def check(lines: list[str]) -> tuple[bytes, str]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(60)
            port = listening.getsockname()[1]
            backend = "".join(f"    {line}\n" for line in lines)
            path = tmp_path / "haproxy.cfg"
            # Without something to listen on, HAProxy ends.
            listen = f"listen a\n    bind {tmp_path}/socket\n"
            path.write_text(f"{SETTINGS}{listen}{backend}    server a 127.0.0.1:{port} check inter 60s\n")
            said = subprocess.run([BINARY, "-c", "-f", path], capture_output=True, text=True, check=False).stderr
            running.append(subprocess.Popen([BINARY, "-db", "-f", path], text=True, stderr=subprocess.DEVNULL))
            connection, _address = listening.accept()
            with connection:
                connection.settimeout(60)
                request = b""
                while not is_whole(request):
                    request += connection.recv(4096)
        return request, said

    yield check
    for process in running:
        process.kill()
        process.wait()


def is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    return bool(end) and (b"content-length: 11" not in head or len(body) == 11)


@pytest.mark.parametrize(("lines", "request_heard"), REQUESTS)
def test_a_server_hears_what_it_always_heard(
    lines: list[str], request_heard: bytes, heard: t.Callable[[list[str]], tuple[bytes, str]]
) -> None:
    request, said = heard(spelled_out(lines))
    assert request == request_heard
    assert "[WARNING]" not in said
    assert "[ALERT]" not in said
    if "version 2.6." in said:
        assert heard(lines)[0] == request_heard


def test_another_kind_of_check_sends_no_request() -> None:
    lines = [r"option httpchk HEAD / HTTP/1.0\r\nX-A:\ b", "option ssl-hello-chk"]
    assert spelled_out(lines) == ["option httpchk HEAD / HTTP/1.0", "option ssl-hello-chk"]


def test_what_hides_nothing_stays_as_it_is() -> None:
    lines = ["option httpchk HEAD /a#b", "option forwardfor", r"http-check send hdr X-A b\ c"]
    assert spelled_out(lines) == lines
