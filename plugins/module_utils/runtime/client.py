# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One question and one answer over a unix socket of HAProxy (stats socket or master CLI)."""

from __future__ import annotations

import socket
import time
import typing as t
from contextlib import suppress

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from pathlib import Path

PAUSE = 0.05  # seconds between two attempts


class SocketError(LbforgeError):
    """The socket does not answer."""


class SocketRefusedError(SocketError):
    """The socket is not there or refuses, which may last for a moment only."""


class RuntimeClient:
    """Asks one command per connection.

    The client closes its half of the connection after the command: the master CLI of 2.6 keeps the connection open
    otherwise. The end of the answer is the end of the connection, which needs no guess about blank lines.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self.timeout = timeout

    def ask(self, command: str, *, patience: float = 0.0) -> str:
        """Send a command and return the whole answer.

        A socket may refuse for a moment while HAProxy reloads; a command that only reads can be repeated for
        ``patience`` seconds.
        """
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            with suppress(SocketRefusedError):
                return self._ask(command)
            time.sleep(PAUSE)
        return self._ask(command)

    def _ask(self, command: str) -> str:
        deadline = time.monotonic() + self.timeout
        answer = bytearray()
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(self.timeout)
                connection.connect(str(self.path))
                connection.sendall(f"{command}\n".encode())
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
                    connection.settimeout(max(deadline - time.monotonic(), 0.001))
        except OSError as error:
            kind = SocketRefusedError if isinstance(error, (ConnectionError, FileNotFoundError)) else SocketError
            why = error.strerror or str(error)
            raise kind(f"Cannot ask HAProxy '{command}' on {self.path}: {why}.") from error
        return answer.decode(errors="replace")
