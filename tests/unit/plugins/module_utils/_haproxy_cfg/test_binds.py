# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration listens on; what HAProxy really listens on says ``ss``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind, binds, new_binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_ports

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

DEFAULTS = "defaults\n    mode http\n    timeout client 5s\n    timeout connect 5s\n    timeout server 5s\n"
BINDS = """\
global
    localpeer here
frontend forms
    bind 127.0.0.1:{0}
    bind "127.0.0.1:{1}"          # a comment :99
    bind :{2}
    bind *:{3} interface lo
    bind [::1]:{4},127.0.0.1:{4}
    bind ::1:{5}
    bind ipv4@:{6}
    bind ipv4@127.0.0.1:{7}
    bind tcp@127.0.0.1:{8}
listen both
    bind :::{9} v6only
    bind [::]:{10} v4v6
    bind ipv6@:{11} v6only
    bind ipv6@*:{12} v6only
    bind tcp6@::1:{13}-{14}
    bind {home}/socket
    bind unix@{home}/socket2
    bind abns@{home}
frontend off
    disabled
    bind 127.0.0.1:1
peers ring
    peer here 127.0.0.1:{15}
    peer there 127.0.0.1:2
peers sphere
    bind 127.0.0.1:{16}
    server here
    server there 127.0.0.1:3
log-forward syslog
    bind 127.0.0.1:{17}
    dgram-bind 127.0.0.1:{18}
    log 127.0.0.1:514 daemon
"""


def section(*lines: str) -> str:
    return "frontend f\n" + "".join(f"{line}\n" for line in lines)


def found(text: str) -> list[str]:
    return [str(bind) for bind in binds(parse(text))]


def of(bind: str) -> list[Bind]:
    return binds(parse(section(bind)))


def test_binds_are_what_haproxy_listens_on(tmp_path: Path) -> None:
    if BINARY is None:
        pytest.skip("needs haproxy")
    text = BINDS.format(*free_ports(19), home=tmp_path)
    (tmp_path / "haproxy.cfg").write_text(DEFAULTS + text)
    process = subprocess.Popen([BINARY, "-db", "-f", tmp_path / "haproxy.cfg"])
    try:
        listening = wait_for(lambda: listens(process.pid), 20)
    finally:
        process.terminate()
        process.wait()
    assert sorted(found(text)) == sorted(listening)


def wait_for(look: t.Callable[[], list[str]], count: int) -> list[str]:
    deadline = time.monotonic() + 60
    while len(look()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return look()


def listens(pid: int) -> list[str]:
    """By ss, which calls the two wildcards of a dual stack *."""
    rows = subprocess.run(["ss", "-Htunlp"], capture_output=True, text=True, check=True).stdout.splitlines()
    words = [row.split() for row in rows if f"pid={pid}," in row]
    return [row[4].replace("*:", "[::]:").replace("%lo", "") + (" (UDP)" if row[0] == "udp" else "") for row in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (section("bind 10.0.0.1:80,[2001:db8::1]:443"), ["10.0.0.1:80", "[2001:db8::1]:443"]),
        (section("bind quic4@10.0.0.1:443 ssl", "bind quic6@:443"), ["10.0.0.1:443 (UDP)", "[::]:443 (UDP)"]),
        (section("bind udp@:53", "bind quic+ipv4@:443"), ["0.0.0.0:53 (UDP)", "0.0.0.0:443 (UDP)"]),
        (section("bind :8000-8002"), ["0.0.0.0:8000", "0.0.0.0:8001", "0.0.0.0:8002"]),
        (section("bind :80", "bind :80"), ["0.0.0.0:80"]),
        (section("bind www.example.com:80", "bind ${VIP}:80", "bind 10.0.0.1:$PORT"), []),
        (
            section("bind fd@3", "bind sockpair@4", "bind rhttp@back/server", "bind /run/a:80", "bind unix@/run/a:80"),
            [],
        ),
        (section("bind 10.0.0.1:80 namespace blue"), []),
        ("backend b\n    bind 10.0.0.1:80\n    server s 10.0.0.1:81\n", []),
        (section(".if feature(OPENSSL)", "bind :1", ".else", "bind :2", ".endif", "bind :3"), ["0.0.0.0:3"]),
        (section(".if a", "frontend g", "bind :1", ".if b", ".endif", "bind :2", ".endif", "bind :3"), []),
        ("peers p\n    peer node-1 10.0.0.1:1024\n    peer node-2 10.0.0.2:1024\n", ["10.0.0.1:1024"]),
        ("global\n    localpeer node-2\npeers p\n    server node-1 :1\n    server node-2 :2\n", ["0.0.0.0:2"]),
        ("peers p\n    bind :1024 ssl crt a.pem\n    server node-1\n", ["0.0.0.0:1024"]),
    ],
)
def test_forms(text: str, expected: list[str]) -> None:
    assert [str(bind) for bind in binds(parse(text), "node-1")] == expected


def test_the_name_of_the_node_is_the_name_of_its_peer() -> None:
    text = f"peers p\n    peer {socket.gethostname()} 10.0.0.1:1024\n    peer of-another-node 10.0.0.2:1024\n"
    assert found(text) == ["10.0.0.1:1024"]


def test_a_bind_knows_its_options_and_its_line() -> None:
    (bind,) = of("bind [::]:80 interface eth1 transparent v4v6 name n")
    assert bind == Bind("::", 80, interface="eth1", transparent=True, v6only=False)
    assert bind.section == "frontend f"
    assert " ".join(bind.line) == "bind [::]:80 interface eth1 transparent v4v6 name n"


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (None, ["10.0.0.1:80", "10.0.0.1:443"]),
        (section("bind :80"), ["10.0.0.1:80", "10.0.0.1:443"]),
        (section("bind 10.0.0.1:80 name other", "bind 10.0.0.1:444"), ["10.0.0.1:443"]),
        ("listen l\n    bind ipv4@10.0.0.1:443\n    bind 10.0.0.1:80\n", []),
        (section("bind 10.0.0.1:80,10.0.0.1:443 transparent"), ["10.0.0.1:80", "10.0.0.1:443"]),
    ],
)
def test_new_is_what_does_not_run(running: str | None, expected: list[str]) -> None:
    wanted = parse(section("bind 10.0.0.1:80", "bind 10.0.0.1:443 ssl crt a.pem"))
    new = new_binds(wanted, None if running is None else parse(running))
    assert [str(bind) for bind in new] == expected
