# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talk to HAProxy over its stats socket (unix or TCP) or the CLI of its master process.

HAProxy Management Guide, section 9.3, "Unix Socket commands".
"""

from __future__ import annotations

import re
import socket
import time
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import answer_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError, refusal
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version, parse_info
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

T = t.TypeVar("T")

PAUSE = 0.05  # seconds between two attempts
PROMPT = b"\n> "
# HAProxy reads a command and its payload into one buffer, and silently cuts or drops what does not fit.
_RESERVE = 1024
_BUFFER = re.compile(r"Pool buffer \((\d+) bytes\)")
_PAYLOAD_PROMPTS = re.compile(r"\A(?:\+ )+")
_LOCKED = "Operations on certificates are currently locked!"
_SEVERAL = re.compile(r"(?<!\\)(?:\\\\)*;")
_TCP = re.compile(r"\[?(?P<host>[^/\[\]]+)\]?:(?P<port>\d+)")


class SocketError(LbforgeError):
    """The socket does not answer."""


class SocketRefusedError(SocketError):
    """The socket is missing or refuses connections, maybe only for a moment."""


class RuntimeClient:
    """Asks HAProxy, by default one command per connection.

    The client closes its half of the connection after the command: the master CLI of 2.6 keeps the connection open
    otherwise. The end of the answer is the end of the connection, which needs no guess about blank lines.
    """

    def __init__(self, address: Path | str, timeout: float) -> None:
        """Name the socket by its path, or by ``HOST:PORT``; ``timeout`` is in seconds and for each answer."""
        self.address = str(address)
        self.timeout = timeout

    def ask(self, command: str, *, patience: float = 0.0) -> str:
        """Send a command and return the whole answer.

        A socket may refuse for a moment while HAProxy reloads; a command that only reads can be repeated for
        ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with suppress(SocketRefusedError):
                return self._ask(command)
            time.sleep(PAUSE)
        return self._ask(command)

    def read(self, command: str, *, patience: float = 0.0) -> str:
        """Send a read command to a stats socket (the master has no severities); a rejection is a CommandError."""
        answer = self.ask(f"set severity-output number;{command}", patience=patience)
        answer = answer[1:]  # the empty line that answers the first of the two
        if refused := refusal(answer):
            raise CommandError(command, refused)
        return answer

    def parsed(self, command: str, parse: t.Callable[[str], T], *, patience: float = 0.0) -> T:
        """Read the answer of a stats socket, as ``Session.read`` does."""
        with answer_of(self._name, command):
            return parse(self.read(command, patience=patience))

    def _name(self) -> str:
        return f"HAProxy {parse_info(self.read('show info')).get('Version', '')}".rstrip()

    def _ask(self, command: str) -> str:
        deadline = time.monotonic() + self.timeout
        answer = bytearray()
        with self._connection(command) as connection:
            connection.sendall(f"{command}\n".encode())
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
        return answer.decode(errors="replace")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a connection for many commands. All of them reach the same worker, also while HAProxy reloads."""
        with self._connection("prompt") as connection:
            yield Session(connection, self)

    @contextmanager
    def _connection(self, command: str) -> Iterator[socket.socket]:
        try:
            with self._connected() as connection:
                yield connection
        except OSError as error:
            kind = SocketRefusedError if isinstance(error, (ConnectionError, FileNotFoundError)) else SocketError
            why = error.strerror or str(error)
            raise kind(f"Cannot send '{command}' to HAProxy on {self.address}: {why}.") from error

    def _connected(self) -> socket.socket:
        if tcp := _TCP.fullmatch(self.address):
            return socket.create_connection((tcp["host"], int(tcp["port"])), self.timeout)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self.timeout)
        try:
            connection.connect(self.address)
        except OSError:
            connection.close()
            raise
        return connection


class Session:
    """One connection to one worker, in prompt mode, with every answer judged."""

    def __init__(self, connection: socket.socket, client: RuntimeClient) -> None:
        self._connection = connection
        self._client = client
        self._bound: int | None = None
        self._converse(b"prompt\n", "prompt")
        self.run("set severity-output number")
        self.info = parse_info(self.run("show info"))

    @property
    def version(self) -> Version:
        """The version of the running HAProxy, not of the installed one."""
        return Version.parse(self._about("Version"))

    @property
    def pid(self) -> int:
        """The process id of the worker at the other end."""
        return int(self._about("Pid"))

    def _about(self, field: str) -> str:
        with answer_of(lambda: "HAProxy", "show info"):
            return self.info[field]

    @property
    def limit(self) -> int:
        """The maximum size of a command with its payload in bytes, from the buffers of the process."""
        if self._bound is None:
            buffer = _BUFFER.search(self.run("show pools"))
            self._bound = (int(buffer[1]) if buffer else 16384) - _RESERVE
        return self._bound

    def run(self, command: str, payload: str = "") -> str:
        """Send a command, and return its answer without the severity; a rejection is a CommandError.

        A payload is a text of lines; for HAProxy the first empty one is its end.
        """
        shown = command
        _require_one(command)
        text = f"{command}\n"
        if payload:
            lines = "".join(f"{line}\n" for line in payload.split("\n") if line)
            text = f"{command} <<\n{lines}\n"
        sent = text.encode()
        if len(sent) > 2048 and len(sent) > self.limit:
            raise CommandError(
                shown,
                f"it has {len(sent)} bytes and the buffer of this HAProxy takes {self.limit};"
                " raise tune.bufsize, or reload",
            )
        answer = self._retried(sent, shown)
        if refused := refusal(answer):
            raise CommandError(shown, refused)
        return re.sub(r"\A\[\d\]: ", "", answer)

    def run_all(self, commands: t.Sequence[str]) -> None:
        """Send commands, many at once; only rejections count, and the first is a CommandError.

        HAProxy reads them one by one, and answers each. Those sent at once are no larger than ``limit``.
        """
        for command in commands:
            _require_one(command)
        for batch in chunks(commands, self.limit):
            sent = "".join(f"{command}\n" for command in batch).encode()
            answers = self._converse(sent, batch[0], len(batch)).split(PROMPT.decode())
            for command, answer in zip(batch, answers):
                if refused := refusal(f"{answer}\n"):
                    raise CommandError(command, refused)

    def read(self, command: str, parse: t.Callable[[str], T]) -> T:
        """Parse the answer to a command; an error names the command and the version."""
        with answer_of(lambda: f"HAProxy {self.version}", command):
            return parse(self.run(command))

    def _retried(self, sent: bytes, command: str) -> str:
        """Repeat while HAProxy is busy with another client's certificate."""
        deadline = time.monotonic() + self._client.timeout
        while _LOCKED in (answer := self._converse(sent, command)) and refusal(answer) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        return answer

    def _converse(self, sent: bytes, command: str, number: int = 1) -> str:
        deadline = time.monotonic() + self._client.timeout
        answer = bytearray()
        try:
            self._connection.settimeout(self._client.timeout)
            self._connection.sendall(sent)
            while not answer.endswith(PROMPT) or (number > 1 and answer.count(PROMPT) < number):
                part = self._connection.recv(65536)
                if not part:
                    raise CommandError(command, "HAProxy closed the connection without an answer")
                answer += part
                self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
        except OSError as error:
            why = error.strerror or str(error)
            raise SocketError(f"Cannot send '{command}' to HAProxy on {self._client.address}: {why}.") from error
        text = answer[: -len(PROMPT)].decode(errors="replace")
        return _PAYLOAD_PROMPTS.sub("", text) + "\n"


def _require_one(command: str) -> None:
    if any(character in command for character in "\n\r\0") or _SEVERAL.search(command):
        raise CommandError(command, "a command must be one line without control characters or unescaped semicolons")


def escaped(value: str) -> str:
    """A value as one word of a command, with backslashes before characters that would end the word or the command.

    An open ``<<`` at an edge of the last word would make it wait for a payload.
    """
    return re.sub(r"([\\ ;\t<])", r"\\\1", value)


def chunks(lines: t.Iterable[str], room: int) -> Iterator[list[str]]:
    """The lines in parts of at most this many bytes, or of one line."""
    chunk: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 1
        if chunk and size + length > room:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += length
    if chunk:
        yield chunk
