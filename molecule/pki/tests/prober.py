# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that shakes hands all the time, verifies chain and name, asks for a page, and counts.

    prober.py ADDRESS NAME CAFILE KIND

KIND is ECDSA or RSA, the kind of certificate that the client can verify. CAFILE is read anew for each handshake, as by
a program that starts. Says "ready", runs until its standard input ends, then prints one JSON object: the serial numbers
in the order in which they were first seen, each with how often, and every failure with its time.
"""

from __future__ import annotations

import collections
import json
import select
import socket
import ssl
import sys
import time

PERIOD = 0.1
PATIENCE = 3


def context(cafile: str, kind: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cafile)
    # In TLS 1.2 the kind of key is part of the cipher suite.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
    return context


def shake_hands(address: str, name: str, trusted: ssl.SSLContext) -> str:
    """Return the serial number of what was shown."""
    with (
        socket.create_connection((address, 443), timeout=PATIENCE) as connection,
        trusted.wrap_socket(connection, server_hostname=name) as secured,
    ):
        secured.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = secured.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise OSError(f"not what was asked for: {answer[:40]!r}")
        return str(secured.getpeercert()["serialNumber"])


def probe(address: str, name: str, cafile: str, kind: str) -> tuple[dict[str, int], list[tuple[float, str]]]:
    serials: collections.Counter[str] = collections.Counter()
    failures = []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PERIOD)[0]:
        started = time.time()
        try:
            serials[shake_hands(address, name, context(cafile, kind))] += 1
        except OSError as error:
            failures.append((started, repr(error)))
    return serials, failures


if __name__ == "__main__":
    serials, failures = probe(*sys.argv[1:])
    print(json.dumps({"serials": serials, "failures": failures}))
