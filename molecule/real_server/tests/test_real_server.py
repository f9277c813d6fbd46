# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role leaves on a real server: now, after a boot, and when it is told to go. In the order of the file."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import time

import pytest

SCENARIO = pathlib.Path(__file__).parents[1]
CONTAINER = "lbfr-web1"
CONF = "/etc/keepalived/keepalived.conf"


def node(command: str) -> str:
    done = subprocess.run(
        ["podman", "exec", CONTAINER, "sh", "-c", command], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def play(playbook: str, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was said."""
    done = subprocess.run(
        ["ansible-playbook", "--inventory", SCENARIO / "inventory.yml", SCENARIO / playbook, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def changes(*arguments: str) -> int:
    """How many tasks changed something."""
    code, said = play("converge.yml", *arguments)
    assert code == 0, said
    return int(re.findall(r"changed=(\d+)", said)[0])


def with_vips(*vips: str) -> str:
    return f"--extra-vars={json.dumps({'keepalived_real_server_vips': vips})}"


def held() -> set[str]:
    return {
        f"{address['local']}/{address['prefixlen']}"
        for link in json.loads(node("ip -json address show dev lo"))
        for address in link["addr_info"]
    } - {"127.0.0.1/8", "::1/128"}


def arp() -> str:
    return node("cd /proc/sys/net/ipv4/conf/all && cat arp_ignore arp_announce")


BOTH = {"192.0.2.15/32", "2001:db8::15/128"}


def test_the_node_holds_the_addresses_and_is_silent_about_them() -> None:
    assert held() == BOTH
    assert arp() == "1\n2"
    # Neither is the source of what the node itself sends.
    assert "scope host" in node("ip address show to 192.0.2.15")
    assert "deprecated" in node("ip address show to 2001:db8::15")


def test_a_boot_brings_them_back() -> None:
    subprocess.run(["podman", "restart", "--time", "5", CONTAINER], check=True, capture_output=True)
    ends = time.monotonic() + 30
    while not node("systemctl is-system-running") and time.monotonic() < ends:
        time.sleep(0.2)
    node("systemctl is-system-running --wait")
    assert held() == BOTH
    assert arp() == "1\n2"


def test_what_someone_changed_is_put_back() -> None:
    node("ip address delete 192.0.2.15/32 dev lo; echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore")
    assert changes("--check") > 0
    assert (held(), arp()) == (BOTH - {"192.0.2.15/32"}, "0\n2")
    assert changes() > 0
    assert (held(), arp()) == (BOTH, "1\n2")
    assert changes() == 0


def test_an_address_that_leaves_the_list_leaves_the_node() -> None:
    node("ip monitor address >/tmp/monitor 2>&1 </dev/null & sleep 0.2")
    assert changes(with_vips("2001:db8::15")) > 0
    assert held() == {"2001:db8::15/128"}
    # The other one was never away.
    assert re.findall(r"Deleted.*(?:inet6?) (\S+)", node("pkill ip; cat /tmp/monitor")) == ["192.0.2.15/32"]
    assert changes() > 0
    assert held() == BOTH


def test_a_prefix_length_is_refused() -> None:
    code, said = play("converge.yml", with_vips("192.0.2.15/24", "192.0.2.16"))
    assert code != 0
    assert "these are not valid: 192.0.2.15/24." in said


def test_a_director_cannot_be_a_real_server() -> None:
    node(f"mkdir -p /etc/keepalived && printf 'virtual_server 192.0.2.15 80 {{\\n}}\\n' >{CONF}")
    code, said = play("converge.yml")
    node(f"rm -r {CONF}")
    assert code != 0
    assert "has 1:virtual_server 192.0.2.15 80 {" in said
    assert "distribute them again" in said


def test_a_kernel_without_ipvs_is_no_director() -> None:
    if node("ls /proc/net/ip_vs"):
        pytest.skip("this kernel has IPVS")
    code, said = play("director.yml")
    assert code != 0
    assert "The kernel of this node has no ip_vs." in said


def test_a_real_server_cannot_be_a_director() -> None:
    # As with a kernel that has IPVS.
    code, said = play("director.yml", '--extra-vars={"keepalived_lint_ignore": ["balancing-without-kernel"]}')
    assert code != 0
    assert "puts 192.0.2.15 on its loopback interface" in " ".join(said.split())


def test_an_empty_list_leaves_nothing() -> None:
    assert changes("--check", with_vips()) > 0
    assert held() == BOTH
    assert changes(with_vips()) > 0
    assert held() == set()
    assert node("find /etc/systemd /usr/local/sbin /run -name 'lvs-real-server*'") == ""
    assert changes(with_vips()) == 0
