# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/bench: run suites, print their rows as a table, write them as JSON if asked."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import pathlib
import sys

import change
import config
import failover
import pki
import runtime
import soak
import throughput
import tls
from row import Row

SUITES = {
    "config": config.rows,
    "pki": pki.rows,
    "failover": failover.rows,
    "change": change.rows,
    "runtime": runtime.rows,
    "throughput": throughput.rows,
    "tls": tls.rows,
    "soak": soak.rows,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure what the collection promises.")
    parser.add_argument(
        "suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all but soak if none is named"
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the rows here too")
    parser.add_argument("--minutes", type=float, default=soak.MINUTES, help="how long soak lasts (%(default)g)")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(SUITES):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")

    suites = SUITES | {"soak": functools.partial(soak.rows, arguments.minutes)}
    measured: list[Row] = []
    for name in arguments.suites or (name for name in SUITES if name != "soak"):
        print(f"\n{name}", flush=True)
        for row in suites[name]():
            print(row, flush=True)
            measured.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in measured], indent=2) + "\n")
    missed = [row for row in measured if row.met is False]
    print(f"\n{len(measured)} figures, {len(missed)} of them miss their goal")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
