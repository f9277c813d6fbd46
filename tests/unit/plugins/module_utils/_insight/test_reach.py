# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connecting to many ports at once, for a bounded time."""

from __future__ import annotations

import socket
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.reach import SILENCE, ports, unanswered


@pytest.mark.parametrize(
    ("bind", "takes"),
    [
        ("192.0.2.10:80", True),
        ("192.0.2.11:80", False),
        ("*:80", True),
        (":80", True),
        (":::80", True),
        (":::80 v6only", False),
        ("quic4@192.0.2.10:80", False),
        ("192.0.2.10:79-81", True),
    ],
)
def test_ports_of_an_address(bind: str, takes: bool) -> None:
    found = ports("192.0.2.10", binds(parse(f"frontend f\n bind {bind}\n")))
    assert (80 in found) == takes


@pytest.fixture
def deaf() -> t.Iterator[tuple[str, int]]:
    """A port whose queue is full, so that the kernel answers nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        clients = []
        for _client in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            clients.append(client)
        yield listener.getsockname()
        for client in clients:
            client.close()


def test_many_ports_and_a_silent_one(deaf: tuple[str, int]) -> None:
    with socket.socket() as closed, socket.socket() as open_:
        closed.bind(("127.0.0.1", 0))
        open_.bind(("127.0.0.1", 0))
        open_.listen(512)
        refused, good = closed.getsockname(), open_.getsockname()
        found = unanswered([good] * 150 + [refused, deaf], 1, 30)
    assert found == {refused: "connection refused", deaf: SILENCE}


def test_the_whole_is_bounded(deaf: tuple[str, int]) -> None:
    begun = time.monotonic()
    found = unanswered([("127.0.0.1", deaf[1])] * 64 + [("127.0.0.2", 9)], 1, 0.1)
    assert time.monotonic() - begun < 20
    assert found[deaf] == SILENCE
    assert found["127.0.0.2", 9] == "not tried, because others took too long"
