# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The running worker: change it without a reload, and save what a reload must not lose."""

from __future__ import annotations

import shutil
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import (
    Configuration,
    socket_files,
    state_file,
    stats_sockets,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.changes import Change, execute
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Loaded
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.states import NO_STATES, carried
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.certificates import parse_listing
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, Session
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.patterns import loaded as loaded_patterns
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Kind
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import Key


class Live:
    """Talks to the worker over a stats socket of its configuration."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def loaded(self, sections: Configuration, pid: int) -> Loaded:
        """Ask the worker for its loaded files and their names."""
        with self._session(sections, pid) as session:
            # A map is also in the list of ACLs.
            kinds: tuple[Kind, ...] = ("acl", "map")
            return Loaded(
                version=session.version,
                patterns={path: kind for kind in kinds for path in loaded_patterns(session.run(f"show {kind}"))},
                certificates=parse_listing(session.run("show ssl cert")).paths,
                crt_lists=session.run("show ssl crt-list").split("\n"),
            )

    def execute(self, changes: t.Sequence[Change], sections: Configuration, pid: int) -> None:
        """Make changes in the worker and prove them; the first failure is an error."""
        if not changes:
            return
        with self._session(sections, pid) as session:
            execute(changes, session)

    def hand_over_states(
        self, before: t.Sequence[Configuration], new: Configuration, without: t.Collection[Key] = ()
    ) -> None:
        """Write the server states for the next worker, if it reads them."""
        if (path := state_file(new)) is None:
            return
        states = ""
        for address in dict.fromkeys(address for sections in before for address in stats_sockets(sections)):
            # Without an answer the new worker relies on its checks.
            with suppress(LbforgeError):
                known = RuntimeClient(address, self._timeout).read("show servers state")
                states = carried(known, before, new, without)
                break
        _write(Path(path), states)

    def forget_states(self, sections: Configuration) -> None:
        """Empty the state file, so that no later start reads old states."""
        if (path := state_file(sections)) is not None:
            _write(Path(path), NO_STATES)

    def grant(self, sections: Configuration) -> None:
        """Set the access rights of the sockets: HAProxy sets them only on new sockets.

        After a reload it keeps the old worker's sockets with their mode and owner.
        """
        for socket in socket_files(sections):
            path = Path(socket.path)
            if not path.is_socket():
                continue  # it is below a prefix, for example
            if socket.user or socket.group:
                shutil.chown(path, _number(socket.user), _number(socket.group))
            if socket.mode is not None:
                path.chmod(socket.mode)

    @contextmanager
    def _session(self, sections: Configuration, pid: int) -> Iterator[Session]:
        addresses = stats_sockets(sections)
        if not addresses:
            raise LbforgeError("the configuration has no 'stats socket' of 'level admin'")
        client = RuntimeClient(addresses[0], self._timeout)
        with locked(addresses[0], self._timeout), client.session() as session:
            if session.pid != pid:
                raise LbforgeError(f"the worker on {addresses[0]} is {session.pid}, not {pid}")
            yield session


def _number(owner: str) -> t.Any:
    return int(owner) if owner.isdecimal() else owner or None


def _write(path: Path, states: str) -> None:
    if path.parent.is_dir():
        disk.replace(path, (states or NO_STATES).encode(), 0o600)
