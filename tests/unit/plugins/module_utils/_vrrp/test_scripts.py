# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.scripts import Scripts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which owns the files")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_new_script(tmp_path: Path) -> None:
    path = tmp_path / "conf.d" / "check.sh"
    scripts = Scripts({str(path): "new"})

    assert scripts.missing == [str(path)]
    assert scripts.changes() == {str(path): ("", "new")}
    scripts.write()
    assert (path.read_text(), path.stat().st_mode & 0o7777, path.stat().st_uid) == ("new", 0o755, 0)
    assert (scripts.missing, scripts.changes(), scripts.are_unproven) == ([], {}, False)


def test_a_new_script_leaves_when_it_is_refused(tmp_path: Path) -> None:
    scripts = Scripts({str(tmp_path / "check.sh"): "new"})
    scripts.write()
    scripts.restore()

    assert names(tmp_path) == []


def test_a_changed_script_comes_back_when_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "check.sh"
    path.write_text("old")
    path.chmod(0o700)
    scripts = Scripts({str(path): "new"})
    scripts.write()
    assert (path.read_text(), scripts.are_unproven) == ("new", True)
    scripts.restore()

    assert (path.read_text(), path.stat().st_mode & 0o777, names(tmp_path)) == ("old", 0o700, ["check.sh"])


def test_a_proven_script_stays(tmp_path: Path) -> None:
    path = tmp_path / "check.sh"
    path.write_text("old")
    scripts = Scripts({str(path): "new"})
    scripts.write()
    scripts.settle()

    assert (path.read_text(), names(tmp_path)) == ("new", ["check.sh"])


def test_a_run_that_was_cut_off_is_finished_or_undone_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "check.sh"
    path.write_text("old")
    Scripts({str(path): "new"}).write()
    again = Scripts({str(path): "newer"})
    assert again.are_unproven
    again.write()
    assert path.read_text() == "newer"
    again.restore()

    assert (path.read_text(), names(tmp_path)) == ("old", ["check.sh"])


@pytest.mark.parametrize("mode, owner, changes", [(0o755, 0, False), (0o700, 0, True), (0o755, 65534, True)])
def test_owner_and_mode_count(mode: int, owner: int, changes: bool, tmp_path: Path) -> None:
    path = tmp_path / "check.sh"
    path.write_text("same")
    path.chmod(mode)
    os.chown(path, owner, 0)
    scripts = Scripts({str(path): "same"})
    assert bool(scripts.changes()) is changes
    scripts.write()

    assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o755, 0)
