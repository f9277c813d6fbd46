# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client misses when the node that holds the VIP fails: the outages that molecule's tests measure."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

from playbook import REPO
from row import Row, at_most, figure

TABLE = REPO / ".cache" / "bench" / "outage-lbf12.json"
TESTS = REPO / "molecule" / "shared" / "tests" / "test_outage.py"


def rows() -> t.Iterator[Row]:
    TABLE.unlink(missing_ok=True)
    was_up = subprocess.run(["podman", "container", "exists", "lbf12-lb1"], check=False).returncode == 0
    molecule("converge")
    # Whether the tests pass or not, here only their figures count.
    subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", str(TESTS)], cwd=REPO, stdout=subprocess.DEVNULL, check=False
    )
    if not was_up:
        molecule("destroy")
    for fault, measured in json.loads(TABLE.read_text()).items():
        yield at_most(measured["limit_ms"], f"{fault}: outage", measured["outage"]["outage_ms"], "ms")
        yield figure(f"{fault}: requests lost", measured["outage"]["lost"])
        yield figure(f"{fault}, comes back: outage", measured["comeback"]["outage_ms"], "ms")


def molecule(command: str) -> None:
    result = subprocess.run(
        ["molecule", command, "--scenario-name", "default"], cwd=REPO, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
