# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in all forms in which they might get out, what is written down meanwhile, and the search through it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import typing as t

from bench import Node
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SEARCHER = pathlib.Path(__file__).with_name("searcher.py")
PEM = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n(.*?)-----END \1PRIVATE KEY-----\n?", re.DOTALL)
# So many bytes of a secret number in a row are no accident.
TELLING = 8


@dataclasses.dataclass(frozen=True, order=True)
class Leak:
    """Which secret is where. The secret itself is not in it, so that a failing test does not tell it."""

    secret: str
    where: str
    readers: tuple[str, ...] = ()


class Secrets:
    """What nobody may find: the kind of each secret by the texts that give it away."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"{len(self._kinds)} texts"

    @property
    def texts(self) -> bytes:
        return "\n".join(self._kinds).encode()

    def kind(self, text: str) -> str:
        return self._kinds[text]

    def add(self, kind: str, value: str) -> None:
        """A password, a token: as it is, as JSON has it, and in base64."""
        assert value
        for text in (value, json.dumps(value)[1:-1], *encoded(value.encode())):
            self._kinds[text] = kind

    def add_keys(self, where: str, text: str) -> None:
        """All private keys of a file: their secret numbers, and the lines that hold a part of one."""
        for match in PEM.finditer(text):
            numbers = secret_numbers(match[0])
            for number in numbers:
                self._add_number(where, number)
            for line in secret_lines(match[2], numbers):
                self._kinds[line] = f"private key of {where}"
        if where.endswith(".json"):
            key = json.loads(text)
            for name in {"d", "p", "q"} & {*key}:
                self._add_number(where, base64.urlsafe_b64decode(key[name] + "=="))

    def _add_number(self, where: str, number: bytes) -> None:
        for text in (number.hex(), *encoded(number)):
            self._kinds[text] = f"private key of {where}"


def encoded(value: bytes) -> t.Iterator[str]:
    """What is left of it in base64, wherever it begins in what is encoded."""
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + value).decode()
        inside = text[-(-offset * 4 // 3) : (offset + len(value)) * 4 // 3]
        yield from {inside, inside.translate(str.maketrans("+/", "-_"))}


def secret_numbers(pem: str) -> list[bytes]:
    """What of a key is secret; nothing of one with a passphrase, which has nothing that is not."""
    data = pem.encode()
    load = serialization.load_ssh_private_key if "OPENSSH" in pem else serialization.load_pem_private_key
    try:
        key = load(data, password=None)
    except TypeError:
        return []
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")]
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        return [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.d, numbers.p, numbers.q)]
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return [key.private_bytes_raw()]


def secret_lines(body: str, numbers: t.Sequence[bytes]) -> t.Iterator[str]:
    """The lines of a PEM that hold a part of these numbers: others tell of the public key. Without any, all."""
    lines = body.split()
    content = base64.b64decode("".join(lines))
    parts = {number[start : start + TELLING] for number in numbers for start in range(len(number) - TELLING + 1)}
    begin = 0
    for line in lines:
        end = begin + len(line)
        held = content[begin * 3 // 4 : end * 3 // 4]
        if not numbers or any(part in held for part in parts):
            yield line
        begin = end


def found_here(secrets: Secrets, areas: t.Iterable[pathlib.Path], since: float = 0) -> list[Leak]:
    command = [sys.executable, str(SEARCHER), str(since), *map(str, areas)]
    return _found("here", command, secrets)


def found_on(node: Node, secrets: Secrets, areas: t.Iterable[str]) -> list[Leak]:
    command = ["podman", "exec", "--interactive", node.container, "python3", "-c", SEARCHER.read_text(), "0", *areas]
    return _found(node.name, command, secrets)


def _found(place: str, command: list[str], secrets: Secrets) -> list[Leak]:
    answer = subprocess.run(command, input=secrets.texts, stdout=subprocess.PIPE, check=True)
    return sorted(
        {
            Leak(secrets.kind(text), f"{place}:{path}:{line}", tuple(readers))
            for path, line, text, readers in json.loads(answer.stdout)
        }
    )


def private_keys(place: Node | None, areas: t.Sequence[str]) -> dict[str, str]:
    """The texts of all files with private keys, by their paths: on a node, or here."""
    python = ["podman", "exec", "--interactive", place.container, "python3", "-c"] if place else [sys.executable, "-c"]
    marks = b'PRIVATE KEY-----\n"kty"'
    answer = subprocess.run(
        [*python, SEARCHER.read_text(), "0", *areas], input=marks, stdout=subprocess.PIPE, check=True
    )
    paths = {path for path, _line, _text, _readers in json.loads(answer.stdout)}
    read = "import json, sys; print(json.dumps({path: open(path, errors='replace').read() for path in sys.argv[1:]}))"
    texts: dict[str, str] = json.loads(subprocess.check_output([*python, read, *paths]))
    return texts


class Watcher(threading.Thread):
    """Something that is looked at all the time while the block runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.watching, self.done = threading.Event(), threading.Event()

    def __enter__(self) -> t.Self:
        self.start()
        assert self.watching.wait(30)
        return self

    def __exit__(self, *exception: object) -> None:
        self.done.set()
        self.join()


class Processes(Watcher):
    """Command lines and environments of all processes, also of those on the nodes, which run on this kernel.

    A process may become another program while it is young, so young ones are looked at every time.
    """

    INTERVAL, YOUNG = 0.02, 0.5

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.path = path
        self.seen: set[bytes] = set()

    def run(self) -> None:
        born: dict[str, float] = {}
        with self.path.open("wb") as file:
            while not self.done.wait(self.INTERVAL):
                now = time.monotonic()
                pids = [entry.name for entry in os.scandir("/proc") if entry.name.isdecimal()]
                born = {pid: born.get(pid, now) for pid in pids}
                for pid, birth in born.items():
                    if now - birth < self.YOUNG:
                        self._look(pid, file)
                self.watching.set()

    def _look(self, pid: str, file: t.BinaryIO) -> None:
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                text = pathlib.Path("/proc", pid, name).read_bytes().replace(b"\0", b" ")
                if text not in self.seen:
                    self.seen.add(text)
                    file.write(text + b"\n")


class SystemLog(Watcher):
    """What programs here tell the system's log, where nobody else takes it."""

    def __init__(self, path: pathlib.Path, address: pathlib.Path = pathlib.Path("/dev/log")) -> None:
        super().__init__()
        self.path, self.address = path, address
        self.is_ours = not address.exists() and os.access(address.parent, os.W_OK)
        self.since = time.time()

    def run(self) -> None:
        if not self.is_ours:
            self.watching.set()
            return
        with self.path.open("wb") as file, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(self.address))
            log.settimeout(0.1)
            self.watching.set()
            while not self.done.is_set():
                with contextlib.suppress(TimeoutError):
                    file.write(log.recv(1 << 20) + b"\n")
            self.address.unlink()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if not self.is_ours:
            command = ["journalctl", "--all", "--output=export", f"--since=@{self.since:.0f}"]
            with self.path.open("wb") as file:
                subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=False)
