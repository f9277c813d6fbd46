# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers that we took out of service, so that putting them back reverts nobody else's change."""

from __future__ import annotations

import json
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import Key


class Entry(t.NamedTuple):
    """The state of a server before our change, and after it."""

    was: str
    became: str


@dataclass(frozen=True)
class Ledger:
    """The servers that are out of service because of us. Pure."""

    entries: t.Mapping[Key, Entry] = field(default_factory=dict)

    def desired(self, key: Key, asked: str, now: str) -> str:
        """The target state of a server for a request to be ready, drained or in maintenance.

        A server that was out of service before stays so; a drained one can still enter maintenance.
        """
        is_ours = self._is_ours(key, now)
        if asked == "ready":
            return self.entries[key].was if is_ours else now
        return asked if is_ours or now == "ready" or (now, asked) == ("drain", "maint") else now

    def after(self, key: Key, before: str, after: str) -> Ledger:
        """The ledger after a server changed from one state to another."""
        was = self.entries[key].was if self._is_ours(key, before) else before
        entries = {other: entry for other, entry in self.entries.items() if other != key}
        return Ledger(entries if after == was else {**entries, key: Entry(was, after)})

    def _is_ours(self, key: Key, now: str) -> bool:
        return key in self.entries and self.entries[key].became == now


class LedgerFile:
    """The file of the ledger on the host."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Ledger:
        """Read it; an empty one where there is none."""
        try:
            lines = json.loads(self._path.read_text())
            return Ledger({(backend, name): Entry(was, became) for backend, name, was, became in lines})
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValueError, TypeError) as error:
            raise LbforgeError(
                f"Cannot read {self._path}, the record of servers out of service: {error}. Remove it, and put the"
                " servers back by hand."
            ) from error

    def write(self, ledger: Ledger) -> None:
        """Replace it as a whole."""
        text = json.dumps([[*key, *entry] for key, entry in sorted(ledger.entries.items())])
        try:
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self._path.parent) as directory:
                new = Path(directory, self._path.name)
                new.write_text(text)
                new.replace(self._path)
        except OSError as error:
            raise LbforgeError(f"{self._path} cannot be written: {error}. No server was changed.") from error
