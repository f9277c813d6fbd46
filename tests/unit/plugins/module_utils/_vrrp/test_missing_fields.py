# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the real keepalived and of the real ip from which a field is taken away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import MissingFieldError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.dump import Dump
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.links import links
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.state import from_data, from_json

KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")
TEXT = """\
global_defs {
    vrrp_version 3
}
vrrp_instance one {
    interface eth0
    virtual_router_id 7
    priority 120
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""


def run(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def dump(namespace: str, tmp_path: Path) -> t.Iterator[tuple[Dump, int]]:
    """A daemon that writes its state below a directory of its own, and its process."""
    (tmp_path / "conf").write_text(TEXT)
    pid_files = (f"--{name}={tmp_path}/{name}" for name in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid"))
    command = ["ip", "netns", "exec", namespace, KEEPALIVED, "--dont-fork", "--vrrp", f"--use-file={tmp_path}/conf"]
    with subprocess.Popen([*command, *pid_files], env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        try:
            deadline = time.monotonic() + 120
            while not (tmp_path / "vrrp_pid").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            pid = int((tmp_path / "pid").read_text())
            yield Dump(Keepalived(KEEPALIVED, "none", tmp_path / "pid", run, 60)), pid
        finally:
            process.terminate()


def without(text: str, field: str) -> str:
    """The text dump without a line of the instance."""
    found, count = re.subn(rf"^ +{field} = .*\n", "", text, flags=re.MULTILINE)
    assert count
    return found


def test_the_dump_of_keepalived(dump: tuple[Dump, int]) -> None:
    daemon, pid = dump
    version = run([KEEPALIVED, "--version"])[2].split()[1].removeprefix("v")
    for field in ("Interface", "State", "Virtual Router ID", "Priority", "Effective priority", "VRRP Version"):
        with pytest.raises(MissingFieldError) as caught:
            daemon._ask(
                pid, signal.SIGUSR1, "keepalived.data", lambda text, field=field: from_data(without(text, field))
            )
        said = f"keepalived {version} answers 'signal {signal.SIGUSR1:d} (keepalived.data)' without '{field}', so"
        assert str(caught.value).startswith(said)


def test_the_json_of_keepalived(dump: tuple[Dump, int]) -> None:
    daemon, pid = dump
    code, number, _err = run([KEEPALIVED, "--signum=JSON"])
    if code:
        pytest.skip("this keepalived is built without JSON")
    whole: list[str] = []

    def keep(text: str) -> t.Any:
        whole.append(text)
        return from_json(text)

    (instance,) = daemon._ask(pid, int(number), "keepalived.json", keep)
    assert (instance.name, instance.priority) == ("one", 120)
    for field in ("iname", "state", "ifp_ifname", "vrid", "base_priority", "effective_priority", "version"):
        (entry,) = json.loads(whole[-1])
        del entry["data"][field]
        with pytest.raises(MissingFieldError, match=f"without '{field}'"):
            from_json(json.dumps([entry]))
    with pytest.raises(MissingFieldError, match="without 'data'"):
        from_json("[{}]")


def test_the_links_of_ip(namespace: str) -> None:
    code, text, _err = run(["ip", "-n", namespace, "-json", "address"])
    assert not code and {link.interface for link in links(text)} >= {"eth0", "eth1"}
    for field in ("ifname", "flags", "addr_info"):
        shown = [{name: value for name, value in link.items() if name != field} for link in json.loads(text)]
        with pytest.raises(MissingFieldError, match=f"^iproute2 answers 'ip -json address' without '{field}'"):
            links(json.dumps(shown))
    shown = json.loads(text)
    for link in shown:
        for entry in link.get("addr_info", []):
            del entry["prefixlen"]
    with pytest.raises(MissingFieldError, match="without 'prefixlen'"):
        links(json.dumps(shown))
