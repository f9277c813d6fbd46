# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of sessions: the answer to ``show sess``. Pure."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields

if t.TYPE_CHECKING:
    from collections.abc import Sequence

# The CLI itself is a session of GLOBAL.
_SESSION = re.compile(r"0x[0-9a-f]+: proto=")
_FIELD = re.compile(r" (fe|be|srv|age)=(\S+)")
_AGE = re.compile(r"(\d+)([dhms])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Sessions:
    """The numbers of sessions, in total and by place; servers are named as in commands."""

    total: int = 0
    oldest_seconds: int = 0
    frontends: dict[str, int] = field(default_factory=dict)
    backends: dict[str, int] = field(default_factory=dict)
    servers: dict[str, int] = field(default_factory=dict)


def parse_sessions(text: str, backends: Sequence[str] = ()) -> Sessions:
    """Count the sessions, or those of some backends."""
    rows = [
        row
        for row in (Fields(_FIELD.findall(line)) for line in text.splitlines() if _SESSION.match(line))
        if row["fe"] != "GLOBAL" and (not backends or row["be"] in backends)
    ]
    return Sessions(
        total=len(rows),
        oldest_seconds=max((_seconds(row["age"]) for row in rows), default=0),
        frontends=dict(Counter(row["fe"] for row in rows)),
        backends=dict(Counter(row["be"] for row in rows if row["be"] != "<NONE>")),
        servers=dict(Counter(f"{row['be']}/{row['srv']}" for row in rows if row["srv"] != "<none>")),
    )


def _seconds(age: str) -> int:
    return sum(int(number) * _SECONDS[unit] for number, unit in _AGE.findall(age))
