# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of servers that we know are those that HAProxy has."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.server_options import (
    ARGUMENTS,
    STATIC,
    ServerOptions,
)
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import Running

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

# What HAProxy lists differently: a format behind brackets, and an address with options of its own.
LISTED = {"set-proxy-v2-tlv-fmt": 0, "source": -1, "usesrc": 0}
# Options that 2.6 does not have, and what follows `source`.
NEWER = {
    "client-sigalgs",
    "curves",
    "guid",
    "hash-key",
    "log-bufsize",
    "pool-conn-name",
    "set-proxy-v2-tlv-fmt",
    "shard",
    "sigalgs",
}
ARGUMENT_OF_SOURCE = {"interface"}

# An argument that HAProxy takes, where it does not take a number.
EXAMPLES = {
    **dict.fromkeys(("addr", "agent-addr"), "127.0.0.1"),
    **dict.fromkeys(("alpn", "check-alpn", "npn", "check-proto", "proto"), "h2"),
    **dict.fromkeys(("ca-file", "crl-file", "crt"), "@home@/a.pem"),
    **dict.fromkeys(("client-sigalgs", "sigalgs"), "ECDSA+SHA256"),
    "agent-check": "agent-port 9",
    "check-ssl": "verify none",
    "ssl": "verify none",
    "ciphers": "HIGH",
    "ciphersuites": "TLS_AES_128_GCM_SHA256",
    "curves": "P-256",
    "init-addr": "none",
    "log-proto": "octet-count",
    "observe": "layer4",
    "on-error": "fastinter",
    "on-marked-down": "shutdown-sessions",
    "ws": "h1",
    "on-marked-up": "shutdown-backup-sessions",
    "pool-conn-name": "str(a)",
    "proxy-v2-options": "ssl",
    "set-proxy-v2-tlv-fmt": "",
    "sni": "str(a)",
    "socks4": "127.0.0.1:9",
    "source": "0.0.0.0",
    "verify": "none",
    "ssl-max-ver": "TLSv1.3",
    "ssl-min-ver": "TLSv1.2",
    "track": "other/o",
    "resolvers": "dns",
    "hash-key": "id",
    "resolve-net": "10.0.0.0/8",
    "resolve-opts": "allow-dup-ip",
    "resolve-prefer": "ipv4",
    "redir": "/x",
}


@pytest.fixture(scope="module")
def listed() -> dict[str, int]:
    """The options that HAProxy lists, with the number of their arguments."""
    if BINARY is None:
        pytest.skip("needs haproxy")
    done = subprocess.run(
        [BINARY, "-dKall", "-q", "-c", "-f", "/dev/null"], capture_output=True, text=True, check=False
    )
    found = re.findall(r"^\tserver <name> <addr> (\S+)(?: \+(-?\d+))?$", done.stdout, flags=re.MULTILINE)
    assert len(found) > 80
    return {name: int(arguments or 0) for name, arguments in found}


def test_every_option_of_haproxy_is_known(listed: dict[str, int]) -> None:
    assert {name: LISTED.get(name, ARGUMENTS.get(name)) for name in listed} == listed


def test_every_option_that_is_known_is_one_of_haproxy(listed: dict[str, int]) -> None:
    assert ARGUMENTS.keys() - listed.keys() - ARGUMENT_OF_SOURCE <= NEWER


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory: pathlib.Path = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    return (directory / "c").read_text() + (directory / "k").read_text()


def test_what_haproxy_adds_while_it_runs(haproxy: t.Callable[..., Running], listed: dict[str, int], pem: str) -> None:
    """Each option alone; those that we call static are the ones that HAProxy refuses, or does not take as it should."""
    running = haproxy(
        "backend pool\n    balance roundrobin\n"
        "backend other\n    server o 127.0.0.1:9 check inter 1h ssl ca-file @home@/a.pem crl-file @home@/a.pem\n",
        a_pem=pem,
    )
    refused = set()
    for name in listed.keys() - {"interface", "usesrc"}:
        argument = EXAMPLES.get(name, "5" if ARGUMENTS[name] else "").replace("@home@", str(running.home))
        option = f"{name} {argument}" if name != "set-proxy-v2-tlv-fmt" else "set-proxy-v2-tlv-fmt(0x20) %[src]"
        words = [word for option in ServerOptions(option.split()).addition() for word in option]
        answer = running.ask(f"add server pool/new 127.0.0.1:1 {' '.join(words)}")
        if "New server registered." not in answer:
            refused.add(name)
        running.ask("set server pool/new state maint", "del server pool/new")
    # Some HAProxy takes, and makes another server of them than the configuration does.
    may_be_taken = {"agent-check", "cookie", "enabled", "on-marked-up", "track"}
    assert refused - may_be_taken == (STATIC & listed.keys()) - may_be_taken
