# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes for a second of HAProxy's time: the key of the role's certificates beside RSA keys, all else the same.

HAProxy has the first CPU for itself, the client the second. All take turns, and ratios are of one turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import typing as t

import yaml
from playbook import REPO
from row import Row, at_least, figure
from throughput import cpu_seconds, free_port, listens, start, until

KEYS = {
    "ECDSA P-256, the default": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "RSA-2048": ("rsa:2048",),
    "RSA-4096": ("rsa:4096",),
}
OURS, RSA_2048, RSA_4096 = KEYS
CONFIGURATION = """\
global
    ssl-default-bind-options ssl-min-ver TLSv1.2 prefer-client-ciphers
    ssl-default-bind-ciphers {ciphers}
    ssl-default-bind-ciphersuites {suites}
    ssl-default-bind-curves {curves}
defaults
    mode http
    timeout client 9s
frontend tls
    bind 127.0.0.1:{port} ssl crt {pem}
    http-request return status 200
"""


@dataclasses.dataclass(frozen=True)
class Size:
    rounds: int
    #: of a turn
    seconds: int


FULL, QUICK = Size(rounds=5, seconds=2), Size(rounds=1, seconds=1)


@dataclasses.dataclass
class Contender:
    """A HAProxy with one kind of key, and its handshakes for a second of its CPU in each turn."""

    pid: int
    port: int
    turns: list[float] = dataclasses.field(default_factory=list)

    def take_turn(self, seconds: int) -> None:
        before = cpu_seconds(self.pid)
        handshakes = shake_hands(self.port, seconds)
        self.turns.append(handshakes / (cpu_seconds(self.pid) - before))


def rows(size: Size) -> t.Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        home = pathlib.Path(name)
        contenders = {key: contender(stack, home, key) for key in KEYS}
        for _round in range(size.rounds):
            for each in contenders.values():
                each.take_turn(size.seconds)
    for key, each in contenders.items():
        yield figure(f"{key}: handshakes per CPU second", statistics.median(each.turns))
    for key, gain in ((RSA_2048, 1.4), (RSA_4096, 9)):
        ratios = [mine / other for mine, other in zip(contenders[OURS].turns, contenders[key].turns, strict=True)]
        yield at_least(gain, f"{OURS} / {key}", statistics.median(ratios))


def contender(stack: contextlib.ExitStack, home: pathlib.Path, key: str) -> Contender:
    name, port = key.split(",")[0].replace(" ", "-"), free_port()
    pem = home / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", *KEYS[key], "-nodes", "-days", "2", "-subj", "/CN=bench"]
    done = subprocess.run([*command, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    pem.write_bytes(done.stdout)
    role = yaml.safe_load((REPO / "roles" / "haproxy_server" / "vars" / "main.yml").read_text())
    lists = {"ciphers": "tls12_ciphers", "suites": "tls13_suites", "curves": "tls_curves"}
    tls = {word: ":".join(role[f"__haproxy_server_{variable}"]) for word, variable in lists.items()}
    pid = start(stack, home, name, CONFIGURATION.format(port=port, pem=pem, **tls), cpu=0)
    until(lambda: listens(port))
    return Contender(pid, port)


def shake_hands(port: int, seconds: int) -> int:
    """How many handshakes a client made in a turn, each without a session to resume."""
    command = ["nice", "--adjustment=-20", "taskset", "--cpu-list", "1"]
    said = subprocess.run(
        [*command, "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    found = re.search(r"^(\d+) connections in \d+ real seconds", said, re.MULTILINE)
    if found is None:
        raise SystemExit(f"openssl s_time failed:\n{said}")
    return int(found[1])
