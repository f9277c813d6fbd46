# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outages that a client sees while an address moves, from probes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """The time of a request in seconds, and whether it was answered in time."""

    sent: float
    answered: bool


@dataclass(frozen=True)
class Outage:
    """The time from the first lost request to the next answered one."""

    start: float
    seconds: float
    lost: int


def outages(probes: t.Iterable[Probe], end: float) -> list[Outage]:
    """The outages by their start; an ongoing one lasts until ``end``."""
    found: list[Outage] = []
    lost: list[Probe] = []
    for probe in sorted(probes, key=lambda probe: probe.sent):
        if not probe.answered:
            lost.append(probe)
        elif lost:
            found.append(Outage(lost[0].sent, probe.sent - lost[0].sent, len(lost)))
            lost = []
    if lost:
        found.append(Outage(lost[0].sent, end - lost[0].sent, len(lost)))
    return found


def summary(probes: t.Sequence[Probe], end: float) -> dict[str, t.Any]:
    """The figures of one target, in seconds and numbers of probes."""
    found = outages(probes, end)
    lost = sum(not probe.answered for probe in probes)
    return {
        "sent": len(probes),
        "answered": len(probes) - lost,
        "lost": lost,
        "longest": round(max((outage.seconds for outage in found), default=0.0), 3),
        "outages": [
            {"start": round(outage.start, 3), "seconds": round(outage.seconds, 3), "lost": outage.lost}
            for outage in found
        ],
    }
