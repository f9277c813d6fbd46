# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""scripts/test without arguments leaves nothing out."""

from __future__ import annotations

import pathlib
import re

REPO = pathlib.Path(__file__).parents[2]


def test_every_scenario_is_part_of_everything() -> None:
    text = (REPO / "scripts" / "test").read_text()
    listed = re.findall(r"\bpart_molecule ([a-z0-9_ ]+)|--scenario-name ([a-z0-9_]+)", text)
    there = {path.parent.name for path in (REPO / "molecule").glob("*/molecule.yml")}
    assert {name for names in listed for word in names for name in word.split()} == there


def test_every_suite_of_the_bench_is_part_of_everything() -> None:
    text = (REPO / "scripts" / "test").read_text()
    listed = re.findall(r"\bbench_alone ([a-z ]+)", text)
    suites = re.search(r"for name, suite in \((.*?)\n    \)", (REPO / "tests/bench/__main__.py").read_text(), re.DOTALL)
    assert suites
    assert {name for names in listed for name in names.split()} == set(re.findall(r'\("(\w+)"', suites[1]))
