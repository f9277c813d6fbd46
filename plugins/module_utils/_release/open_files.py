# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of files that HAProxy needs open, and its limit.

``haproxy -c`` does not check them. With too low a limit HAProxy does not start.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section

_HARD_LIMIT = re.compile(r"^Max open files\s+\S+\s+(\d+)", re.MULTILINE)
_CAP_SYS_RESOURCE = 1 << 24  # <linux/capability.h>: may exceed the limit, up to fs.nr_open


def needed(sections: Iterable[Section]) -> int:
    """The minimum number of files: two for each connection, one for each bind. 0 if HAProxy chooses itself."""
    sections = list(sections)
    limits = [
        int(line[1])
        for section in sections
        if section.kind == "global"
        for line in section.lines_with("maxconn")
        if len(line) > 1 and line[1].isdecimal()
    ]
    return 2 * limits[-1] + sum(len(section.lines_with("bind")) for section in sections) if limits else 0


def allowed(pid: int) -> int | None:
    """The number of files that a process may open once it has raised its limit. None if unknown."""
    try:
        found = _HARD_LIMIT.search(Path(f"/proc/{pid}/limits").read_text(encoding="ascii"))
        if _has(pid, "CapEff", _CAP_SYS_RESOURCE):
            return int(Path("/proc/sys/fs/nr_open").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) if found else None


def allowed_to_unit(limit: str) -> int | None:
    """The same for a stopped unit, from its LimitNOFILE, within the limits of systemd itself."""
    try:
        if _has(1, "CapBnd", _CAP_SYS_RESOURCE):
            return int(Path("/proc/sys/fs/nr_open").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(limit) if limit.isdecimal() else None


def _has(pid: int, which: str, capability: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    found = re.search(rf"^{which}:\s*([0-9a-f]+)", status, re.MULTILINE)
    return bool(found and int(found[1], 16) & capability)
