# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that a peer's key allows here: ask for the status, and leave messages for root."""

from __future__ import annotations

import json
import os
import pathlib
import re
import sys
import tempfile
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.peers import DELIVERY
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.store import Store
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused, report

LARGEST_MESSAGE = 1 << 20
MOST_MESSAGES = 100
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def receive(peer: str) -> None:
    """Answer one request; runs as haproxy-acme, which can read no key and write to the spool alone."""
    verb = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if verb not in ("status", "put", "request") or not _NAME.fullmatch(peer):
        raise Refused("this key allows only status, put and request")
    if verb != "status":
        message = leave(peer, verb)
        deadline = time.monotonic() + DELIVERY
        # The requester must not wait: the answer arrives in its own spool.
        while verb == "put" and message.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    report(json.dumps(own_status(Settings.load())))


def own_status(settings: Settings) -> dict[str, t.Any]:
    """The public status of this node; for a certificate that was never ordered, only its names."""
    store = Store()
    return {
        "holds_vip": bool(settings.vip) and settings.holds_vip,
        "certificates": {
            wanted.name: {"name": wanted.name, "domains": sorted(wanted.domains), **store.status(wanted.name)}
            for wanted in settings.certificates
        },
    }


def leave(peer: str, verb: str) -> pathlib.Path:
    """Leave a message in the spool, for root to find."""
    content = sys.stdin.buffer.read(LARGEST_MESSAGE + 1)
    spool = places.STATE / "spool"
    if len(content) > LARGEST_MESSAGE or len(list((spool / "new").iterdir())) >= MOST_MESSAGES:
        raise Refused("this exceeds the size of the spool")
    handle, name = tempfile.mkstemp(dir=spool / "tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary = pathlib.Path(name)
    return temporary.rename(spool / "new" / f"{peer}:{verb}:{temporary.name}")
