# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic that HAProxy counted between two moments. Pure.

HAProxy Management Guide, section 9.1, "CSV format". Each worker begins to count at 0, also after a reload.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row

COUNTERS = (
    *("stot", "req_tot", "econ", "wretr"),
    *("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"),
)
AVERAGES = ("qtime", "ctime", "rtime")  # milliseconds
WINDOW = 512  # requests


class Key(t.NamedTuple):
    """A row of ``show stat``: a frontend, a backend or a server."""

    kind: str
    proxy: str
    name: str

    @property
    def shown(self) -> str:
        """The frontend or backend, for a message."""
        return f"{self.kind} {self.proxy}"


@dataclass(frozen=True)
class Sample:
    """The counters of a worker at one moment; ``moment`` and ``uptime`` are in seconds."""

    worker: int
    moment: float
    uptime: float
    rows: t.Mapping[Key, Row]

    @classmethod
    def of(cls, worker: int, moment: float, uptime: float, rows: t.Iterable[Row]) -> Sample:
        """Index the rows of ``show stat``."""
        indexed = {Key(str(row["type"]), str(row["pxname"]), str(row["svname"])): row for row in rows}
        return cls(worker, moment, uptime, indexed)


@dataclass(frozen=True)
class Traffic:
    """A period: what was counted in it, and the averages of it, and the states at its end."""

    seconds: float
    rows: t.Mapping[Key, Row]

    def count(self, key: Key, *columns: str) -> int:
        """The sum of counters of a row; a counter that its mode lacks is 0."""
        return sum(_number(self.rows[key], column) for column in columns)

    def served(self, key: Key) -> int:
        """The requests of a frontend or backend in HTTP mode, the connections of one in TCP mode."""
        return self.count(key, "req_tot" if self.rows[key]["mode"] == "http" else "stot")

    @property
    def requests(self) -> int:
        """The requests and connections of all frontends."""
        return sum(self.served(key) for key in self.rows if key.kind == "frontend")


def between(earlier: Sample, later: Sample) -> Traffic:
    """The traffic between two samples; of another worker, the traffic since its start."""
    if earlier.worker != later.worker:
        return Traffic(max(later.uptime, 1), later.rows)  # whole seconds
    rows = {key: _difference(earlier.rows.get(key, Row()), row) for key, row in later.rows.items()}
    return Traffic(later.moment - earlier.moment, rows)


def _difference(earlier: Row, later: Row) -> Row:
    counts = {column: (_number(earlier, column), _number(later, column)) for column in COUNTERS if column in later}
    if any(now < before for before, now in counts.values()):  # somebody has cleared the counters
        return later
    weight = _weight_of_old(*counts["req_tot" if later.get("mode") == "http" else "stot"])
    averages = {
        column: round(max(0.0, (_number(later, column) - weight * _number(earlier, column)) / (1 - weight)))
        for column in AVERAGES
        if column in later and weight < 1
    }
    return Row({**later, **averages, **{column: now - before for column, (before, now) in counts.items()}})


def _weight_of_old(before: int, now: int) -> float:
    """The part that the first requests still have in an average, after ``now - before`` further ones.

    By the manual, averages are over the last 1,024 requests. Measured with 2.6 and 3.0, they are exponential with a
    window of 512 requests, and plain until then (TIME_STATS_SAMPLES in HAProxy's defaults.h).
    """
    weight = before / min(now, WINDOW) if before < WINDOW and now else 1.0
    return weight * (1 - 1 / WINDOW) ** max(0, now - max(before, WINDOW))


def _number(row: Row, column: str) -> int:
    return int(row.get(column) or 0)
