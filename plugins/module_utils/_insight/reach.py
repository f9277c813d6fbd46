# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the virtual addresses answer on the ports that HAProxy's configuration binds."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
import typing as t
from contextlib import suppress

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind

Target = tuple[str, int]

AT_ONCE = 64
SILENCE = "no answer"


def ports(vip: str, binds: t.Iterable[Bind]) -> list[int]:
    """The TCP ports of an address, including those of matching wildcards."""
    return sorted({bind.port for bind in binds if not bind.udp and bind.takes(vip)})


def unanswered(targets: t.Iterable[Target], patience: float, limit: float) -> dict[Target, str]:
    """Connect to all targets in parallel, and return the reason for each without an answer in ``patience`` seconds.

    After ``limit`` seconds the remaining ones are skipped.
    """
    waiting, found = list(targets), {}
    end = time.monotonic() + limit
    with selectors.DefaultSelector() as selector:
        while waiting or selector.get_map():
            while waiting and len(selector.get_map()) < AT_ONCE and time.monotonic() < end:
                target = waiting.pop(0)
                reason = _begin(target, selector, time.monotonic() + patience)
                if reason:
                    found[target] = reason
            if not selector.get_map():
                break
            for key, _events in selector.select(timeout=0.1):
                target, _deadline = key.data
                code = t.cast("socket.socket", key.fileobj).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                _end(key, selector)
                if code:
                    found[target] = os.strerror(code).lower()
            for key in list(selector.get_map().values()):
                target, deadline = key.data
                if time.monotonic() > deadline:
                    _end(key, selector)
                    found[target] = SILENCE
    return {**found, **dict.fromkeys(waiting, "not tried, because others took too long")}


def _begin(target: Target, selector: selectors.BaseSelector, deadline: float) -> str:
    """Start to connect; return the reason for a failure."""
    address, port = target
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    probe.setblocking(False)
    code = probe.connect_ex((address, port))
    if code not in (0, errno.EINPROGRESS):
        probe.close()
        return os.strerror(code).lower()
    selector.register(probe, selectors.EVENT_WRITE, (target, deadline))
    return ""


def _end(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    selector.unregister(key.fileobj)
    with suppress(OSError):
        t.cast("socket.socket", key.fileobj).close()
