# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the states of servers where HAProxy's next process reads them: drains and weights set by hand survive.

haproxy-server-states save     before a reload: the states that the running process knows
haproxy-server-states reset    before a start: none
"""

from __future__ import annotations

import pathlib
import sys

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.states import NO_STATES, carried
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION, Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import parse_info
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

SOCKET = "/run/haproxy/admin.sock"
STATES = pathlib.Path("/run/haproxy/servers.state")
CONFIG_DIR = pathlib.Path("/etc/haproxy")
PATIENCE = 5.0  # seconds
WITHOUT = "the new process starts without server states."


class NoStates(Exception):
    """The reason why the new process starts without states: none is better than wrong ones."""


def states_to_carry(client: RuntimeClient, store: ReleaseStore) -> str:
    """The server states of the running process that its successor needs."""
    try:
        known, info = client.read("show servers state"), parse_info(client.ask("show info"))
    except LbforgeError as error:
        raise NoStates(
            f"HAProxy does not report server states; the new process starts without them. {error}"
        ) from error
    current = store.current
    release = Release(current or "", store.read(current))
    if CONFIGURATION not in release.contents:
        raise NoStates(f"{store.pointer / CONFIGURATION} cannot be read: {WITHOUT}")
    # A port or maintenance of another configuration would override the new one.
    running = store.running(int(info["Pid"]), info.get("description", ""))
    if running is None or running.id != release.id or store.is_edited(release.id):
        raise NoStates(f"The configuration changed after HAProxy read it: {WITHOUT}")
    return carried(known, [release.sections], release.sections)


def main(what: str = "", *more: str) -> None:
    """Run by the unit of HAProxy."""
    if what not in ("save", "reset") or more:
        sys.stderr.write("usage: haproxy-server-states save|reset\n")
        raise SystemExit(2)
    states = NO_STATES
    if what == "save":
        try:
            states = states_to_carry(RuntimeClient(SOCKET, PATIENCE), ReleaseStore(CONFIG_DIR))
        except NoStates as reason:
            sys.stderr.write(f"{reason}\n")
    disk.replace(STATES, states.encode(), 0o600)
