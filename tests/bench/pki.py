# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module pki_certificates: two authorities, a leaf for each of two VIPs."""

from __future__ import annotations

import statistics
import sys
import tempfile
import typing as t

from playbook import REPO, play
from row import Row, at_most

TASK = "Issue two authorities and two leaves"
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
LOCALHOST = {"ungrouped": {"hosts": {"localhost": HERE}}}


def rows() -> t.Iterator[Row]:
    issued, unchanged = [], []
    for _run in range(3):
        with tempfile.TemporaryDirectory() as directory:
            for seconds in (issued, unchanged):
                run = play(REPO / "tests" / "bench" / "pki.yml", LOCALHOST, directory=directory)
                assert bool(run.changed) == (seconds is issued)
                seconds.append(run.task_seconds(TASK))
    yield at_most(2, "pki_certificates, 2 authorities and 2 leaves: issued", statistics.median(issued), "s")
    yield at_most(1.5, "pki_certificates, 2 authorities and 2 leaves: unchanged", statistics.median(unchanged), "s")
