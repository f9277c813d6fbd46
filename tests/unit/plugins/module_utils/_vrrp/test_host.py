# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.host import HostFacts, look_at
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import File, subject_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which owns the files")

ADDRESSES = '[{"ifname": "eth0", "flags": [], "addr_info": [{"local": "192.0.2.1", "prefixlen": 24}]}]'


def answer(command: list[str]) -> tuple[int, str, str]:
    """What the programs of a host say."""
    return (0, ADDRESSES, "") if command[0] == "ip" else (0, "", "Keepalived v2.2.7 (01/16,2022)\n")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    # pytest makes its directories below one that everybody may write to, and which is sticky.
    tmp_path.chmod(0o755)
    return tmp_path


def script(directory: Path, mode: int = 0o755) -> Path:
    path = directory / "check.sh"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(mode)
    return path


@needs_root
def test_a_safe_script(directory: Path) -> None:
    assert look_at(str(script(directory))) == File()


def test_a_missing_script(directory: Path) -> None:
    assert not look_at(str(directory / "none")).is_found


@needs_root
def test_a_script_that_is_not_executable(directory: Path) -> None:
    assert look_at(str(script(directory, 0o644))) == File(is_executable=False)


# What 2.2.7 was seen to accept and to disable ("Unsafe permissions found").
@needs_root
@pytest.mark.parametrize(
    "mode, owner, group, flaw",
    [
        (0o755, 0, 100, ""),
        (0o775, 0, 0, ""),
        (0o775, 0, 100, "is writable by group 100"),
        (0o757, 0, 0, "is world-writable"),
        (0o755, 65534, 0, "belongs to user 65534"),
        (0o1777, 0, 0, ""),
    ],
)
def test_the_directory_of_a_script(mode: int, owner: int, group: int, flaw: str, directory: Path) -> None:
    home = directory / "home"
    home.mkdir()
    path = script(home)
    os.chown(home, owner, group)
    home.chmod(mode)

    assert look_at(str(path)).flaw == (f"{home} {flaw}" if flaw else "")


@needs_root
def test_a_script_that_everybody_may_write(directory: Path) -> None:
    path = script(directory, 0o757)

    assert look_at(str(path)).flaw == f"{path} is world-writable"


@needs_root
def test_only_links_to_directories_count(directory: Path) -> None:
    (directory / "real").mkdir()
    path = script(directory / "real")
    (directory / "link").symlink_to("real")
    (directory / "other.sh").symlink_to(path)

    assert look_at(str(directory / "link" / "check.sh")).link == str(directory / "link")
    assert look_at(str(directory / "other.sh")) == File()


TEXT = """\
vrrp_script s {
script "%(home)s/none x"
}
track_file f {
file %(home)s/missing/f
}
include none.conf
"""


@pytest.mark.parametrize("is_ready", [True, False])
def test_what_is_missing_is_unknown_until_all_is_ready(is_ready: bool, directory: Path) -> None:
    daemon = Keepalived("true", "keepalived", directory / "pid", answer, 1)
    subject = subject_of(TEXT % {"home": directory})
    host = HostFacts(daemon, directory / "keepalived.conf", is_ready).gather(subject)

    expected = {f"{directory}/none", f"{directory}/missing", "none.conf"} if is_ready else set()
    assert {name for name, file in host.files.items() if not file.is_found} == expected
    assert host.version == (2, 2, 7)
    assert [str(address) for address in host.links["eth0"]] == ["192.0.2.1/24"]
    assert host.cpus >= 1


def test_what_is_coming_is_unknown(directory: Path) -> None:
    daemon = Keepalived("none-such", "keepalived", directory / "pid", answer, 1)
    subject = subject_of(TEXT % {"home": directory})
    host = HostFacts(daemon, directory / "keepalived.conf", is_ready=True).gather(subject, [f"{directory}/none"])

    assert f"{directory}/none" not in host.files
    assert host.version == ()


def test_virtual_addresses_of_the_text_in_service(directory: Path) -> None:
    texts = {
        "keepalived.conf": "vrrp_instance a {\nvirtual_ipaddress {\n192.0.2.10/24 dev eth0\n}\n}\ninclude d/*.conf",
        "keepalived.conf.previous": "vrrp_instance a {\nvirtual_ipaddress_excluded {\n192.0.2.11\n}\n}\n",
        "d/b.conf": "vrrp_instance b {\nvirtual_ipaddress {\n2001:db8::10/64\n}\n}\n",
        "other.conf": "vrrp_instance c {\nvirtual_ipaddress {\n192.0.2.12\n}\n}\n",
    }
    for name, text in texts.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    daemon = Keepalived("none-such", "keepalived", directory / "pid", answer, 1)
    host = HostFacts(daemon, directory / "keepalived.conf", is_ready=True).gather(subject_of(""))

    assert host.virtual == {ip_address(text) for text in ("192.0.2.10", "192.0.2.11", "2001:db8::10")}
