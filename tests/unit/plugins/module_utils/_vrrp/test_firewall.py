# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packet filter for VRRP: its rules, and how they come and go. test_strangers.py sends adverts against it."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from ipaddress import ip_interface
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp import firewall
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.firewall import Firewall, FirewallFailed, ruleset
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import subject_of
from ansible_collections.lbforge.haproxy.tests.unit.plugins.namespaces import network_namespace

TEXT = """\
vrrp_instance one {
interface eth0
unicast_src_ip 192.0.2.1
unicast_peer {
192.0.2.3
192.0.2.2 min_ttl 255
203.0.113.9
}
}
vrrp_instance two {
interface eth0
virtual_ipaddress {
2001:db8::10/64
}
unicast_peer {
2001:db8::2
}
}
"""
OWN = [ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64")]


def rules(text: str = TEXT) -> str:
    return ruleset(subject_of(text).instances, OWN)


def test_peers_are_let_in_and_those_of_the_own_network_over_no_router() -> None:
    lines = [line.strip() for line in rules().splitlines()]
    assert lines[4:8] == [
        "type filter hook input priority filter - 10; policy accept;",
        "ip protocol 112 ip ttl 255 ip saddr { 192.0.2.2, 192.0.2.3 } accept",
        "ip protocol 112 ip saddr { 203.0.113.9 } accept",
        "meta l4proto 112 ip6 hoplimit 255 ip6 saddr { 2001:db8::2 } accept",
    ]
    assert lines[8] == "meta l4proto 112 counter drop"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[[list[str]], tuple[int, str, str]]]:
    """A network namespace with an nftables of its own, whose systemctl runs what the unit says."""
    if not shutil.which("nft"):
        pytest.skip("needs nft")
    monkeypatch.setattr(firewall, "RULES", tmp_path / "vrrp.nft")
    monkeypatch.setattr(firewall, "UNIT", tmp_path / "firewall.service")
    unit_text = firewall._UNIT_TEXT.replace("/etc/keepalived/vrrp.nft", str(tmp_path / "vrrp.nft"))
    monkeypatch.setattr(firewall, "_UNIT_TEXT", unit_text)

    def run(command: list[str]) -> tuple[int, str, str]:
        if command[0] == "systemctl":
            keys = {"reload-or-restart": "ExecReload=", "disable": "ExecStop=-"}
            lines = (tmp_path / "firewall.service").read_text().splitlines() if command[1] in keys else []
            command = next(
                (line[len(keys[command[1]]) :].split() for line in lines if line.startswith(keys[command[1]])), ["true"]
            )
        done = subprocess.run(["ip", "netns", "exec", name, *command], check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    with network_namespace() as name:
        yield run


Node = t.Callable[[list[str]], tuple[int, str, str]]


def tables(node: Node) -> list[str]:
    return sorted(node(["nft", "list", "tables"])[1].split("\n"))


def apply(node: Node, text: str) -> bool:
    wall = Firewall(text, node)
    changes = wall.changes()
    wall.check()
    wall.write(changes)
    assert wall.changes() == {}
    return bool(changes)


def test_it_comes_changes_heals_and_goes_beside_other_tables(node: Node, tmp_path: Path) -> None:
    node(["nft", "add", "table", "inet", "mine"])
    assert apply(node, rules())
    assert not apply(node, rules())
    assert tables(node) == ["", "table inet lbforge_vrrp", "table inet mine"]
    assert apply(node, rules(TEXT.replace("192.0.2.3\n", "")))
    assert "192.0.2.3" not in node(["nft", "list", "ruleset"])[1]
    # Another filter was loaded with "flush ruleset" at its beginning.
    node(["nft", "flush", "ruleset"])
    assert apply(node, rules(TEXT.replace("192.0.2.3\n", "")))
    assert tables(node) == ["", "table inet lbforge_vrrp"]
    assert apply(node, "")
    assert not apply(node, "")
    assert tables(node) == [""]
    assert list(tmp_path.iterdir()) == []


def test_what_nft_refuses_changes_nothing(node: Node, tmp_path: Path) -> None:
    with pytest.raises(FirewallFailed, match="syntax error"):
        apply(node, "table inet lbforge_vrrp {\n    chain input { nonsense }\n}\n")
    assert list(tmp_path.iterdir()) == []
    assert tables(node) == [""]
