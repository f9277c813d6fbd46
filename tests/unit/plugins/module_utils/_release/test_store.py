# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store on a real file system."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import Journal, ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import fingerprint
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

A, B = "a" * 12, "b" * 12
OLD = {"haproxy.cfg": b"old\n", "old.map": b"1 2\n"}
NEW = {"haproxy.cfg": b"new\n", "new.map": b"3 4\n"}


@pytest.fixture
def careless_umask() -> t.Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path)


def put(store: ReleaseStore, name: str, files: dict[str, bytes]) -> None:
    store.commit(store.stage(files), name)
    store.add_links(files)
    store.switch(name)
    store.remove_links()


def seen(directory: Path) -> dict[str, bytes]:
    """What HAProxy would read."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_an_empty_host(store: ReleaseStore) -> None:
    assert store.current is None
    assert store.names() == []
    assert store.read(None) == {}
    assert store.linked() == set()
    assert store.journal == Journal()
    assert store.journal.before is None


def test_switching(store: ReleaseStore, tmp_path: Path) -> None:
    put(store, A, OLD)
    assert seen(tmp_path) == OLD
    put(store, B, NEW)
    assert (seen(tmp_path), store.current, store.names()) == (NEW, B, [B, A])
    assert store.linked() == set(NEW)
    put(store, A, OLD)
    assert seen(tmp_path) == OLD


def test_no_secret_is_readable_by_others(store: ReleaseStore, tmp_path: Path, careless_umask: None) -> None:
    put(store, A, OLD)
    paths = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in paths}
    assert modes == {
        "releases": "0o750",
        A: "0o750",
        "haproxy.cfg": "0o640",
        "old.map": "0o640",
        ".secrets": "0o600",
    }


def test_only_links_into_the_release_are_removed(store: ReleaseStore, tmp_path: Path) -> None:
    put(store, A, OLD)
    (tmp_path / "dangling").symlink_to("elsewhere")
    (tmp_path / "alias").symlink_to("current/gone.map")
    (tmp_path / "mine").write_text("x")
    put(store, B, NEW)
    assert {path.name for path in tmp_path.iterdir()} == {
        *NEW,
        "alias",
        "current",
        "dangling",
        "mine",
        "releases",
    }


def test_garbage_is_left_alone_and_left_overs_go(store: ReleaseStore, tmp_path: Path) -> None:
    put(store, A, OLD)
    (tmp_path / "releases" / "notes.txt").write_text("x")
    (tmp_path / "releases" / "backup").mkdir()
    (tmp_path / "releases" / "0123456789ab").symlink_to("nowhere")
    store.stage(NEW)
    (tmp_path / f"{disk.NEW}x").mkdir()
    assert store.names() == [A]
    store.tidy()
    store.prune(1, (A,))
    left = {path.name for path in (tmp_path / "releases").iterdir()}
    assert left == {A, "notes.txt", "backup", "0123456789ab"}
    assert not (tmp_path / f"{disk.NEW}x").exists()


@pytest.mark.parametrize("target", ["nowhere", "releases/nowhere", "/etc", "releases"])
def test_a_broken_pointer_is_no_release(store: ReleaseStore, tmp_path: Path, target: str) -> None:
    (tmp_path / "current").symlink_to(target)
    assert store.current is None
    put(store, A, OLD)
    assert (store.current, seen(tmp_path)) == (A, OLD)


def test_directories_in_the_way(store: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    (tmp_path / "a.map").mkdir()
    assert [problem.path for problem in store.obstacles(["a.map", "b.map"])] == [
        str(tmp_path / "a.map"),
        str(tmp_path / "current"),
    ]


class TestAdoption:
    def test_the_first_configuration_can_come_back(self, store: ReleaseStore, tmp_path: Path) -> None:
        (tmp_path / "haproxy.cfg").write_bytes(b"\xff mine\n")
        names = {"haproxy.cfg", "new.map"}
        assert store.adopted_name(names, B, NEW) == "original"
        store.adopt(names, "original")
        assert (store.current, seen(tmp_path)) == ("original", {"haproxy.cfg": b"\xff mine\n"})
        put(store, B, NEW)
        for number in range(8):
            put(store, f"{number:012}", NEW)
            store.prune(3, (store.current,))
        assert "original" in store.names()
        put(store, "original", store.read("original"))
        assert seen(tmp_path) == {"haproxy.cfg": b"\xff mine\n"}

    def test_cut_off_between_the_switch_and_the_links(self, store: ReleaseStore, tmp_path: Path) -> None:
        (tmp_path / "haproxy.cfg").write_bytes(b"mine\n")
        store.commit(store.stage({"haproxy.cfg": b"mine\n"}), "original")
        store.switch("original")
        assert store.adopted_name({"haproxy.cfg"}, B, NEW) is None

    def test_a_release_edited_by_hand(self, store: ReleaseStore, tmp_path: Path) -> None:
        put(store, A, OLD)
        assert store.adopted_name(OLD, A, OLD) is None
        (tmp_path / "old.map").write_bytes(b"5 6\n")  # through the link, into the release
        name = store.adopted_name(OLD, A, OLD)
        assert name is not None
        assert name.startswith("edited-")
        store.adopt(set(OLD), name)
        put(store, A, OLD)
        assert seen(tmp_path) == OLD
        assert store.read(name)["old.map"] == b"5 6\n"

    def test_a_file_in_the_place_of_a_link(self, store: ReleaseStore, tmp_path: Path) -> None:
        put(store, A, OLD)
        disk.replace(tmp_path / "old.map", b"7 8\n", 0o644)
        name = store.adopted_name(OLD, B, NEW)
        assert name is not None
        store.adopt(set(OLD), name)
        assert store.read(name) == {**OLD, "old.map": b"7 8\n"}
        assert store.linked() == set(OLD)

    def test_a_copy_in_the_place_of_a_link_is_nothing_new(self, store: ReleaseStore, tmp_path: Path) -> None:
        put(store, A, OLD)
        disk.replace(tmp_path / "old.map", OLD["old.map"], 0o644)
        assert store.adopted_name(OLD, A, OLD) is None
        assert store.loose(OLD) == ["old.map"]


def test_one_apply_at_a_time(store: ReleaseStore, tmp_path: Path) -> None:
    code = (
        "import fcntl,os,sys,time; fcntl.flock(os.open(sys.argv[1], 0), 2); print(); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(LbforgeError, match="Another run"), store.lock(0.3):
            pass
        other.kill()
    with store.lock(0.3):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_current_release_is_never_replaced(store: ReleaseStore) -> None:
    put(store, A, OLD)
    with pytest.raises(ValueError, match="is current"):
        store.commit(store.stage(NEW), A)


def test_no_room_leaves_nothing(store: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File name too long"):
        store.stage({"haproxy.cfg": b"x", "n" * 300: b"x"})
    assert list((tmp_path / "releases").iterdir()) == []


class TestCertificates:
    PEM = b"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"

    def test_write_and_put_back(self, tmp_path: Path, careless_umask: None) -> None:
        directory = tmp_path / "ssl"
        store = CertificateStore(directory)
        assert store.differing({"a.pem": b"1"}) == {"a.pem": None}
        store.write({"a.pem": b"1", "b.pem": b"2"})
        assert directory.stat().st_mode & 0o777 == 0o700
        assert (directory / "a.pem").stat().st_mode & 0o777 == 0o600
        (directory / "letsencrypt.pem").write_bytes(b"3")
        before = store.differing({"a.pem": b"one", "b.pem": b"2", "c.pem": b"4"})
        assert before == {"a.pem": b"1", "c.pem": None}
        store.write({"a.pem": b"one", "c.pem": b"4"})
        store.restore(before)
        assert seen(directory) == {"a.pem": b"1", "b.pem": b"2", "letsencrypt.pem": b"3"}

    def test_a_key_open_to_others_is_written_again(self, tmp_path: Path) -> None:
        (tmp_path / "a.pem").write_bytes(b"1")
        (tmp_path / "a.pem").chmod(0o644)
        store = CertificateStore(tmp_path)
        assert store.differing({"a.pem": b"1"}) == {"a.pem": b"1"}
        store.write({"a.pem": b"1"})
        assert store.differing({"a.pem": b"1"}) == {}

    def test_a_link_is_replaced_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"not ours")
        (tmp_path / "a.pem").symlink_to("target")
        CertificateStore(tmp_path).write({"a.pem": b"1"})
        assert seen(tmp_path) == {"target": b"not ours", "a.pem": b"1"}

    def test_a_file_is_there_or_not(self, tmp_path: Path) -> None:
        (tmp_path / "a.pem").write_bytes(b"")
        store = CertificateStore(tmp_path)
        assert (store.holds("a.pem"), store.holds("b.pem")) == (True, False)

    def test_the_fingerprint_is_openssl_s(self, tmp_path: Path) -> None:
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        asked = ["openssl", "x509", "-in", "c", "-noout", "-fingerprint", "-sha256"]
        openssl = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        bundle = (tmp_path / "k").read_bytes() + (tmp_path / "c").read_bytes()
        shown = fingerprint(bundle)
        assert openssl.strip().split("=")[1].replace(":", "").lower() in shown
        assert "BEGIN" not in shown

    def test_fingerprints_of_anything(self) -> None:
        assert fingerprint(None) == ""
        assert fingerprint(self.PEM).startswith("no readable certificate\nfile SHA-256 ")
        assert fingerprint(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----").startswith("no readable")
