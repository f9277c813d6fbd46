# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/bench: run suites, print their rows as a table, write them as JSON if asked."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import traceback
import typing as t

import change
import config
import failover
import pki
import rehearsal
import runtime
import soak
import throughput
import tls
from row import Row

# Each takes its sizes: how much is measured.
Suite = t.Callable[[t.Any], t.Iterator[Row]]
SUITES: dict[str, tuple[Suite, t.Any, t.Any]] = {
    name: (suite.rows, suite.FULL, suite.QUICK)
    for name, suite in (
        ("config", config),
        ("pki", pki),
        ("failover", failover),
        ("change", change),
        ("runtime", runtime),
        ("throughput", throughput),
        ("tls", tls),
        ("rehearsal", rehearsal),
        ("soak", soak),
    )
}


@dataclasses.dataclass
class Report:
    """What the suites have measured, and those that did not come to their end."""

    is_quick: bool
    rows: list[Row] = dataclasses.field(default_factory=list)
    crashed: list[str] = dataclasses.field(default_factory=list)

    def measure(self, name: str, size: t.Any) -> None:
        """Run a suite; what it has measured before it crashes counts."""
        rows = SUITES[name][0]
        print(f"\n{name}", flush=True)
        try:
            for row in rows(size):
                # Few turns of small sizes say whether a suite works, not how fast anything is.
                measured = dataclasses.replace(row, goal=None, met=None) if self.is_quick else row
                print(measured, flush=True)
                self.rows.append(measured)
        except (Exception, SystemExit):  # noqa: BLE001  # whatever it was, the figures of the others stand
            traceback.print_exc()
            self.crashed.append(name)

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.met is False]

    def __str__(self) -> str:
        text = f"{len(self.rows)} figures, {len(self.missed)} of them miss their goal"
        return f"{text}; crashed: {', '.join(self.crashed)}" if self.crashed else text


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure what the collection promises.")
    parser.add_argument(
        "suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all but soak if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and no goals, to see that the suites work")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the rows here too")
    parser.add_argument("--minutes", type=float, metavar="N", help="how long soak lasts")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")

    report = Report(arguments.quick)
    for name in arguments.suites or (name for name in SUITES if name != "soak"):
        _rows, full, quick = SUITES[name]
        size = quick if arguments.quick else full
        if name == "soak" and arguments.minutes is not None:
            size = dataclasses.replace(size, minutes=arguments.minutes)
        report.measure(name, size)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in report.rows], indent=2) + "\n")
    print(f"\n{report}")
    return 1 if report.missed or report.crashed else 0


if __name__ == "__main__":
    sys.exit(main())
