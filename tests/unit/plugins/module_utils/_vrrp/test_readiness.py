# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Track files of units, by the words that systemctl(1) has for the states of a unit."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.readiness import TrackFiles

STATES = [
    ("active", "0\n"),
    ("reloading", "0\n"),
    ("inactive", "1\n"),
    ("failed", "1\n"),
    ("activating", "1\n"),
    ("deactivating", "1\n"),
    ("", "1\n"),
]


@pytest.mark.parametrize(("state", "expected"), STATES)
def test_a_track_file_follows_its_unit(state: str, expected: str, tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        asked.append(command)
        return (0 if state == "active" else 3), f"{state}\n", ""

    path = tmp_path / "haproxy"
    track_files = TrackFiles({str(path): "haproxy"}, run)
    changes = track_files.changes()
    assert changes == {str(path): ("", expected)}
    assert not path.exists()
    track_files.write(changes)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (expected, 0o644)
    assert track_files.changes() == {}
    path.write_text("7\n")
    assert track_files.changes() == {str(path): ("7\n", expected)}
    assert asked == [["systemctl", "is-active", "haproxy"]] * 3
