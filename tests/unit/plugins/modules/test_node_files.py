# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many small files in one step."""

from __future__ import annotations

import getpass
import json
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.modules import node_files

Call = t.Callable[..., dict[str, t.Any]]
ME = {"owner": getpass.getuser(), "group": str(os.getgid())}


@pytest.fixture
def call(run_module: t.Callable[..., dict[str, t.Any]]) -> Call:
    def run(*files: dict[str, t.Any], absent: t.Sequence[pathlib.Path] = (), check: bool = False) -> dict[str, t.Any]:
        return run_module(
            node_files,
            files=[{**ME, **file} for file in files],
            absent=[str(path) for path in absent],
            _ansible_check_mode=check,
        )

    return run


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o7777


def test_files_are_written_once(call: Call, tmp_path: pathlib.Path) -> None:
    script, drop_in = tmp_path / "sbin" / "script", tmp_path / "units" / "a.service.d" / "limits.conf"
    files = [
        {"dest": str(script), "content": "#!/bin/sh\n", "mode": "0755"},
        {"dest": str(drop_in), "content": "[Service]\n"},
    ]
    missing = {str(script): "it is missing", str(drop_in): "it is missing"}
    assert call(*files, check=True)["written"] == missing
    assert list(tmp_path.iterdir()) == []
    assert call(*files)["written"] == missing
    assert (script.read_text(), mode(script)) == ("#!/bin/sh\n", 0o755)
    assert (drop_in.read_text(), mode(drop_in)) == ("[Service]\n", 0o644)
    for check in (True, False):
        unchanged = call(*files, check=check)
        assert (unchanged["changed"], unchanged["written"], unchanged["diff"]) == (False, {}, [])


def test_directories_are_open_whatever_the_umask_is(call: Call, tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        call({"dest": str(tmp_path / "a" / "b" / "c"), "content": ""})
    finally:
        os.umask(before)
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b"), mode(tmp_path / "a" / "b" / "c")) == (0o755, 0o755, 0o644)


def test_it_tells_which_file_differed_and_how(call: Call, tmp_path: pathlib.Path) -> None:
    same, text, mode_only = (tmp_path / name for name in ("same", "text", "mode"))
    files = [{"dest": str(path), "content": f"{path.name}\n"} for path in (same, text, mode_only)]
    call(*files)
    text.write_text("by hand\n")
    mode_only.chmod(0o600)
    inode = same.stat().st_ino
    result = call(*files)
    assert result["written"] == {
        str(text): "its content differs",
        str(mode_only): f"it has owner {os.getuid()}, group {os.getgid()}, mode 0600",
    }
    assert [(one["before"], one["after"]) for one in result["diff"]] == [
        ("by hand\n", "text\n"),
        (
            f"it has owner {os.getuid()}, group {os.getgid()}, mode 0600\n",
            f"owner {os.getuid()}, group {os.getgid()}, mode 0644\n",
        ),
    ]
    assert (text.read_text(), mode(mode_only), same.stat().st_ino) == ("text\n", 0o644, inode)


def test_files_and_links_are_removed_once(call: Call, tmp_path: pathlib.Path) -> None:
    file, dangling, other = tmp_path / "file", tmp_path / "timer.wants", tmp_path / "other"
    file.write_text("x\n")
    dangling.symlink_to("/nowhere/at/all")
    other.write_text("y\n")
    gone = [dangling, file, tmp_path / "never-there"]
    assert call(absent=gone, check=True)["removed"] == [str(dangling), str(file)]
    assert file.exists() and dangling.is_symlink()
    result = call(absent=gone)
    assert (result["changed"], result["removed"]) == (True, [str(dangling), str(file)])
    assert [(one["before_header"], one["after"]) for one in result["diff"]] == [
        (str(dangling), "absent\n"),
        (str(file), "absent\n"),
    ]
    assert list(tmp_path.iterdir()) == [other]
    for check in (True, False):
        unchanged = call(absent=gone, check=check)
        assert (unchanged["changed"], unchanged["removed"], unchanged["diff"]) == (False, [], [])


def test_a_file_is_wanted_or_not(call: Call, tmp_path: pathlib.Path) -> None:
    here = str(tmp_path / "here")
    result = call({"dest": here, "content": ""}, absent=[tmp_path / "here", tmp_path])
    assert [error["text"] for error in result["errors"]] == [
        f"absent[1]: '{tmp_path}' is not the absolute path of a file.",
        f"files[0].dest: '{here}' is also in absent.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_is_told_and_nothing_written(call: Call, tmp_path: pathlib.Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n"
    result = call(
        {"dest": str(tmp_path / "good"), "content": ""},
        {"dest": "relative", "content": "", "owner": "nobody-of-that-name"},
        {"dest": str(tmp_path / "good"), "content": "", "mode": "rw", "group": "nobodies"},
        {"dest": str(tmp_path / "key"), "content": key},
    )
    assert [error["text"] for error in result["errors"]] == [
        "files[1].dest: 'relative' is not the absolute path of a file.",
        "files[1].owner: there is no user 'nobody-of-that-name' on this node.",
        f"files[2].dest: '{tmp_path}/good' is listed twice.",
        "files[2].mode: 'rw' is not a mode such as '0640', in quotes.",
        "files[2].group: there is no group 'nobodies' on this node.",
        "files[3].mode: 0644 would make its private key world-readable.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_key_gets_its_owner_and_mode_and_is_not_shown(
    tmp_path: pathlib.Path, run_module: t.Callable[..., t.Any]
) -> None:
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True, text=True)
    path = tmp_path / "new" / "a.key"
    file = {"dest": str(path), "content": key.stdout, "owner": "nobody", "group": "0", "mode": "0640"}

    def install(check: bool = False, **changes: str) -> dict[str, t.Any]:
        result: dict[str, t.Any] = run_module(node_files, _ansible_check_mode=check, files=[{**file, **changes}])
        assert "PRIVATE" not in json.dumps({**result, "invocation": None})
        return result

    assert install(check=True)["written"] == {str(path): "it is missing"}
    assert not path.exists()
    assert install()["changed"]
    assert path.read_text() == key.stdout
    assert (path.owner(), path.group(), path.stat().st_mode & 0o777) == ("nobody", "root", 0o640)
    assert [install(check=check)["changed"] for check in (True, False)] == [False, False]
    path.chmod(0o644)
    assert "mode 0644" in install()["written"][str(path)]
    assert path.stat().st_mode & 0o777 == 0o640
    path.write_text("damaged")
    assert install()["written"] == {str(path): "its content differs"}
    assert list(path.parent.iterdir()) == [path]
