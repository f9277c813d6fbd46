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
    listed = re.findall(r"^ *(?:\w+\(\) \{ )?part_molecule ([a-z0-9_ ]+)", text, re.MULTILINE)
    there = {path.parent.name for path in (REPO / "molecule").glob("*/molecule.yml")}
    assert sorted(" ".join(listed).split()) == sorted(there)
