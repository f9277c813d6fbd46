# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client misses when a node fails, on Debian 12 and 13: the matrix of molecule/failover against the goals."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import typing as t

from playbook import REPO
from row import Row, at_most, figure

RESULTS = REPO / ".cache" / "bench"
# Seconds that a busy machine and the steps of the prober may add.
TOLERANCE = 0.2


@dataclasses.dataclass(frozen=True)
class Size:
    #: releases of Debian
    releases: tuple[str, ...]
    #: whether figures that are here already will do
    reuses: bool


FULL, QUICK = Size(releases=("12", "13"), reuses=False), Size(releases=("12",), reuses=True)


def rows(size: Size) -> t.Iterator[Row]:
    for debian in size.releases:
        path = RESULTS / f"failover-lbff{debian}.json"
        if not (size.reuses and path.exists()):
            run_matrix(debian, path)
        measured = json.loads(path.read_text())
        yield from figures(f"Debian {debian}", measured["faults"])
        picture = pathlib.Path(os.path.relpath(path.with_suffix(".svg")))
        print(f"  keepalived {measured['keepalived'].lstrip('v')}; {picture}", flush=True)


def run_matrix(debian: str, path: pathlib.Path) -> None:
    """Whether its tests pass or not, here only their figures count."""
    path.unlink(missing_ok=True)
    done = molecule("test", debian)
    if not path.exists():
        raise SystemExit(done.stdout + done.stderr)


def figures(where: str, faults: list[dict[str, t.Any]]) -> t.Iterator[Row]:
    for fault in faults:
        name = f"{where}, {fault['fault'].replace('_', ' ')}"
        yield at_most(fault["goal"] + TOLERANCE, f"{name}: outage", fault["outage"], "s")
        if fault["planned"]:
            yield at_most(0, f"{name}: requests lost", fault["lost"])
        yield at_most(1, f"{name}: two holders after the repair", fault["comeback_doubled"], "s")
        if not fault["splits"]:
            yield at_most(2, f"{name}: an address is left behind", fault["doubled"], "s")
    yield figure(f"{where}: load of this machine, at most", max(fault["load"] for fault in faults))
    yield at_most(0, f"{where}: faults with more than is promised", sum(bool(fault["too_much"]) for fault in faults))


def molecule(command: str, debian: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["molecule", command, "--scenario-name", "failover"],
        cwd=REPO,
        env={**os.environ, "BENCH_DEBIAN": debian},
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def nodes(debian: str, *, reuses: bool = False) -> t.Iterator[None]:
    """The cluster of the scenario, for other measurements; one that is up already may do, and stays."""
    if reuses and (RESULTS / f"lbff{debian}" / "bench.json").exists():
        yield
        return
    for command in ("destroy", "converge"):
        done = molecule(command, debian)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
    try:
        yield
    finally:
        molecule("destroy", debian)
