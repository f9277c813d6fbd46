# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private world: what is in it, who may have one, and that nothing is left of it."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import typing as t
import uuid

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.private_files import PrivateFiles
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.stage import StageError, perform
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY, eventually
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="needs ip")

PROGRAM = """\
import json, pathlib, sys
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse
path, expectations = pathlib.Path(sys.argv[1]), parse(json.loads(sys.argv[2]))
print(json.dumps(rehearse(Trial(path, {}, expectations, binary=sys.argv[3]))))
"""
WAITING = '[{"name": "it", "request": {"url": "http://203.0.113.10/pit", "timeout": 60}, "expect": "timeout"}]'
WORKING = '[{"name": "it", "request": {"url": "https://203.0.113.10/api/"}, "expect": {"server": "api1"}}]'


def test_every_address_is_local() -> None:
    """A client and a server with addresses of nobody's: RFC 5737 and RFC 3849."""

    def talk() -> list[str]:
        heard = []
        for family, server, client in (
            (socket.AF_INET, "203.0.113.10", "198.51.100.7"),
            (socket.AF_INET6, "2001:db8:1::10", "2001:db8:2::7"),
        ):
            with socket.socket(family) as listener:
                listener.bind((server, 80))
                listener.listen()
                with socket.create_connection((server, 80), 5, (client, 0)):
                    heard.append(listener.accept()[1][0])
        return heard

    assert perform(talk, 60) == ["198.51.100.7", "2001:db8:2::7"]


def test_what_is_put_is_seen_in_there_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "changed").write_text("old")

    def change() -> list[str]:
        files = PrivateFiles()
        files.put(tmp_path / "changed", b"new")
        files.put(tmp_path / "below" / "made", b"made")
        files.put(pathlib.Path("/etc/hosts"), b"hosts")
        files = ("kept", "changed", "below/made", "/etc/hosts", "/etc/passwd")
        return [(tmp_path / file).read_text() for file in files]

    hosts = pathlib.Path("/etc/hosts").read_text()
    assert perform(change, 60) == ["kept", "new", "made", "hosts", pathlib.Path("/etc/passwd").read_text()]
    assert (tmp_path / "changed").read_text() == "old"
    assert not (tmp_path / "below").exists()
    assert pathlib.Path("/etc/hosts").read_text() == hosts


def test_the_sockets_of_this_host_are_not_there() -> None:
    assert perform(lambda: PrivateFiles() and [path.name for path in pathlib.Path("/run").iterdir()], 60) == [
        "lbforge-rehearsal"
    ]


def test_errors_come_out() -> None:
    def fail() -> None:
        raise LbforgeError("a sentence", errors=["a fact"])

    with pytest.raises(StageError, match="a sentence") as caught:
        perform(fail, 60)
    assert caught.value.details == {"errors": ["a fact"]}
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        perform(lambda: 1 / 0, 60)


def test_a_rehearsal_that_does_not_end() -> None:
    with pytest.raises(StageError, match="did not end"):
        perform(signal.pause, 0.5)


def test_a_user_who_may_nothing(shop: pathlib.Path) -> None:
    """A user namespace will do, in which nobody else can be become."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
    done = subprocess.run(
        [*nobody, *program(shop, WORKING)], capture_output=True, text=True, check=False, cwd="/", timeout=120
    )
    if "cannot import" in done.stderr or "No module named" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("this checkout is closed to others")
    assert '"passed": true' in done.stdout, done.stderr


def test_a_place_without_namespaces(shop: pathlib.Path) -> None:
    """As in a container: root by name, without a privilege, and no more user namespaces: user_namespaces(7)."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs unshare and setpriv")
    closed = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", closed, "sh", *program(shop, WORKING)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "This system provides no private namespaces (No space left on device)" in done.stderr


@pytest.mark.parametrize("victim", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_nothing_is_left_of_one_that_is_killed(shop: pathlib.Path, victim: signal.Signals) -> None:
    started = subprocess.Popen(program(shop, WAITING), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # HAProxy has its configuration in its command line, and so have the processes of the rehearsal.
        eventually(lambda: any("-db" in words for words in commands_with(shop)))
    finally:
        started.send_signal(victim)
        started.wait(60)
    eventually(lambda: commands_with(shop) == [])


@pytest.mark.parametrize("processes", range(1, 6))
def test_nothing_is_left_whenever_it_is_killed(shop: pathlib.Path, processes: int) -> None:
    """As soon as there are so many: the module, who keeps the namespaces, who is the first in them, and others."""
    started = subprocess.Popen(program(shop, WAITING), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: len(commands_with(shop)) >= processes)
    finally:
        started.kill()
        started.wait(60)
    eventually(lambda: commands_with(shop) == [])


@pytest.fixture
def shop() -> t.Iterator[pathlib.Path]:
    """A configuration that everybody may read, with a name of its own."""
    directory = pathlib.Path("/tmp") / f"rehearsal-{uuid.uuid4().hex}"
    directory.mkdir(0o755)
    (directory / "shop.cfg").write_text(SHOP)
    yield directory / "shop.cfg"
    shutil.rmtree(directory)


def program(path: pathlib.Path, expectations: str) -> list[str]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    return [sys.executable, "-c", PROGRAM, str(path), expectations, BINARY]


def commands_with(path: pathlib.Path) -> list[list[str]]:
    """The command lines of processes that have this path in theirs."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if str(path) in words:
            found.append(words)
    return found
