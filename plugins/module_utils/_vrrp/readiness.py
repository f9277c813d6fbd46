# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Track files that tell keepalived whether units of systemd are ready."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Run

# A reloading unit still serves (systemctl(1), is-active).
READY = ("active", "reloading")


class TrackFiles:
    """Files by their units: 0 is ready, anything else a failure (keepalived.conf(5), track_file)."""

    def __init__(self, units: t.Mapping[str, str], run: Run) -> None:
        self._units = units
        self._run = run

    def changes(self) -> dict[str, tuple[str, str]]:
        """The text before and after of each file that differs from the state of its unit."""
        found = {}
        for path, unit in self._units.items():
            before = Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
            wanted = "0\n" if self._run(["systemctl", "is-active", unit])[1].strip() in READY else "1\n"
            if before != wanted:
                found[path] = (before, wanted)
        return found

    def write(self, changes: t.Mapping[str, tuple[str, str]]) -> None:
        for path, (_before, wanted) in changes.items():
            disk.replace(Path(path), wanted.encode("ascii"), 0o644)
