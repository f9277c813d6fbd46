# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trust store with the system's own command, in directories of its own."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.modules import pki_trust

COMMAND = shutil.which("update-ca-certificates") or "/usr/sbin/update-ca-certificates"
pytestmark = pytest.mark.skipif(not pathlib.Path(COMMAND).exists(), reason="needs update-ca-certificates")


def certificate(directory: pathlib.Path, name: str) -> pathlib.Path:
    path = directory / f"{name}.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", "/dev/null", "-subj", f"/CN={name}", "-days", "9", "-out", path),
        ],
        check=True,
        capture_output=True,
    )
    return path


class Node:
    def __init__(self, root: pathlib.Path, run_module: t.Callable[..., dict[str, t.Any]]) -> None:
        self.local, self.etc = root / "local", root / "etc"
        self.etc.mkdir()
        self.bundle = self.etc / "ca-certificates.crt"
        self._run_module = run_module

    def call(self, *paths: pathlib.Path, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
        command = [
            COMMAND,
            "--localcertsdir",
            self.local,
            "--etccertsdir",
            self.etc,
            "--hooksdir",
            "/nowhere",
        ]
        arguments: dict[str, t.Any] = {
            "anchors": [{"name": path.stem, "content": path.read_text()} for path in paths],
            "directory": str(self.local),
            "bundle": str(self.bundle),
            "command": [str(word) for word in command],
            **params,
        }
        return self._run_module(pki_trust, _ansible_check_mode=check, **arguments)

    def trusts(self, path: pathlib.Path) -> bool:
        arguments = ["openssl", "verify", "-CAfile", self.bundle, path]
        return subprocess.run(arguments, check=False, capture_output=True).returncode == 0


@pytest.fixture
def node(tmp_path: pathlib.Path, run_module: t.Callable[..., dict[str, t.Any]]) -> Node:
    return Node(tmp_path, run_module)


def test_a_root_is_trusted_from_the_first_run_on(node: Node, tmp_path: pathlib.Path) -> None:
    one, two = certificate(tmp_path, "One"), certificate(tmp_path, "Two")
    assert node.call(one, two, check=True)["installed"] == ["One", "Two"]
    assert not node.local.exists()
    assert node.call(one, two)["installed"] == ["One", "Two"]
    assert node.trusts(one)
    assert node.trusts(two)
    assert (node.local / "One.crt").read_text() == one.read_text()
    assert (node.local / "One.crt").stat().st_mode & 0o777 == 0o644
    for check in (True, False):
        unchanged = node.call(one, two, check=check)
        assert not unchanged["changed"]
        assert unchanged["diff"] == []


def test_a_new_root_replaces_the_old_one(node: Node, tmp_path: pathlib.Path) -> None:
    path = certificate(tmp_path, "Root")
    old = path.rename(tmp_path / "old.pem")
    node.call(certificate(tmp_path, "Root"))
    old_text = (node.local / "Root.crt").read_text()
    result = node.call(certificate(tmp_path, "Root"))
    assert result["changed"]
    assert result["diff"][0]["before"] == old_text
    assert node.trusts(path)
    assert not node.trusts(old)


def test_an_old_root_goes_when_it_is_named_no_more(node: Node, tmp_path: pathlib.Path) -> None:
    old, new = certificate(tmp_path, "Root-20260102T030405Z"), certificate(tmp_path, "Root")
    other = certificate(tmp_path, "Others-20260102T030405Z")
    node.call(old, new, other)
    assert node.trusts(old)
    assert node.call(new, check=True)["removed"] == ["Root-20260102T030405Z"]
    assert node.trusts(old)
    assert node.call(new)["removed"] == ["Root-20260102T030405Z"]
    assert not node.trusts(old)
    assert node.trusts(new)
    assert node.trusts(other)
    assert not node.call(new)["changed"]


def test_a_run_cut_off_before_the_bundle_is_finished(node: Node, tmp_path: pathlib.Path) -> None:
    root = certificate(tmp_path, "Root")
    node.local.mkdir()
    (node.local / "Root.crt").write_text(root.read_text())
    assert not node.trusts(root)
    assert node.call(root)["installed"] == ["Root"]
    assert node.trusts(root)


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        ([{"name": "../x", "content": "{pem}"}], "anchors[0].name"),
        ([{"name": "x", "content": "none"}], "anchors[0].content: must contain exactly one"),
        ([{"name": "x", "content": "{pem}{pem}"}], "anchors[0].content: must contain exactly one"),
        (
            [{"name": "x", "content": "{pem}"}, {"name": "x", "content": "{pem}"}],
            "anchors[1].name: 'x' is listed twice",
        ),
    ],
)
def test_bad_anchors_are_refused(node: Node, tmp_path: pathlib.Path, anchors: list[dict[str, str]], words: str) -> None:
    pem = certificate(tmp_path, "Root").read_text()
    anchors = [{**anchor, "content": anchor["content"].replace("{pem}", pem)} for anchor in anchors]
    assert words in node.call(anchors=anchors)["msg"]
    assert not node.local.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [("nowhere-to-be-found", "nowhere-to-be-found"), ("true", "true succeeded, but"), ("false", "")],
)
def test_a_command_that_does_not_do_it_is_an_error(
    node: Node, tmp_path: pathlib.Path, command: str, words: str
) -> None:
    failed = node.call(certificate(tmp_path, "Root"), command=[command])
    assert failed["failed"]
    assert words in failed["msg"]
