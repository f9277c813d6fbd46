# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rules say, asked of a real keepalived: does its own check keep silent, and does it then go wrong?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import lint
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Host, subject_of

KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")
ADDRESSES = ("192.0.2.1", "192.0.2.2")
VIP = "192.0.2.10"
# Long enough for keepalived to start and to elect with adverts every 0.1 s.
ELECTION = 2.0

GLOBAL = "global_defs {\nvrrp_version 3\nenable_script_security\nscript_user root\n}\n"
WORKS = GLOBAL.replace(
    "}",
    "reload_check_config /run/lint-reality.log\nreload_file /run/lint-reality.reload\n"
    "vrrp_check_unicast_src\nvrrp_lower_prio_no_advert true\n}",
)
FAILING = 'vrrp_script s {\nscript "/usr/bin/test -e %s"\ninterval 1\nfall 1\nrise 1\nweight %d\n}\n'


def instance(
    extra: str = "",
    vip: str = VIP,
    name: str = "one",
    router_id: int = 51,
    priority: int = 100,
    advert: str = "0.1",
    unicast: tuple[str, str] | None = None,
) -> str:
    peers = f"unicast_src_ip {unicast[0]}\nunicast_peer {{\n{unicast[1]}\n}}" if unicast else ""
    return f"""\
vrrp_instance {name} {{
interface eth0
virtual_router_id {router_id}
priority {priority}
advert_int {advert}
{peers}
virtual_ipaddress {{
{vip}/24
}}
{extra}
}}
"""


def rules(text: str, **nodes: t.Any) -> set[str]:
    return {finding.rule for finding in lint(subject_of(text, nodes, "lb1"), Host(version=(2, 2, 7)), text)}


SCRIPT = 'vrrp_script s {\nscript "/usr/bin/true"\n%s\n}\n'
TRACK = "track_script {\ns\n}"


# What all versions of keepalived call valid.
@pytest.mark.parametrize(
    "rule, text",
    [
        ("unicast-without-source", instance("unicast_peer {\n192.0.2.2\n}")),
        ("unicast-peer-is-self", instance(unicast=("192.0.2.1", "192.0.2.1"))),
        ("unicast-over-virtual-address", instance(unicast=("192.0.2.1", VIP))),
        ("unicast-from-anyone", instance(unicast=("192.0.2.1", "192.0.2.2"))),
        ("unicast-silenced", instance(unicast=("192.0.2.1", "192.0.2.2"))),
        ("address-reserved", instance(vip="192.0.2.0")),
        ("address-reserved", instance(vip="192.0.2.255")),
        ("address-twice", instance() + instance(name="two", router_id=52)),
        ("priority-of-owner", instance(priority=255)),
        ("nopreempt-with-weight", SCRIPT % "weight -50" + instance(f"nopreempt\n{TRACK}")),
        ("weights-out-of-range", SCRIPT % "weight -150" + instance(TRACK)),
        ("script-outlasts-interval", SCRIPT % "interval 1\ntimeout 5" + instance(TRACK)),
        ("script-without-quotes", SCRIPT.replace('"/usr/bin/true"', "/usr/bin/test -e /usr") % "" + instance(TRACK)),
        ("script-needs-shell", SCRIPT.replace("true", "true | grep x") % "" + instance(TRACK)),
        ("script-never-finishes", SCRIPT.replace("true", "sleep 5") % "interval 2" + instance(TRACK)),
        ("name-twice", SCRIPT % "" + SCRIPT % "" + instance(TRACK)),
        ("strict-mode", instance("strict_mode", unicast=("192.0.2.1", "192.0.2.2"))),
        ("sync-daemon-without-instance", "global_defs {\nlvs_sync_daemon eth0 two\n}\n" + instance()),
        ("garp-refresh", instance("garp_master_refresh 30")),
        ("reload-check-missing", instance()),
        ("nothing-to-do", ""),
    ],
)
def test_keepalived_calls_it_valid(rule: str, text: str, keepalived_says: t.Callable[[str], tuple[int, str]]) -> None:
    rc, said = keepalived_says(GLOBAL + text)

    assert rc == 0, said
    assert rule in rules(GLOBAL + text)


def test_a_good_text_is_good_for_both(keepalived_says: t.Callable[[str], tuple[int, str]]) -> None:
    text = WORKS + instance(unicast=("192.0.2.1", "192.0.2.2"), advert="0.25")

    assert keepalived_says(text)[0] == 0
    assert rules(text) == set()


class Pair:
    """Two nodes on one wire, and the keepalived processes on them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.names = [f"lbforge-lint{number}-{os.getpid()}" for number in (1, 2)]
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Pair:
        first, second = self.names
        for name in self.names:
            _run(f"ip netns add {name}")
        _run(f"ip -n {first} link add eth0 type veth peer name eth0 netns {second}")
        for name, address in zip(self.names, ADDRESSES):
            _run(f"ip -n {name} address add {address}/24 dev eth0")
            _run(f"ip -n {name} link set lo up")
            _run(f"ip -n {name} link set eth0 up")
        return self

    def __exit__(self, *_exception: object) -> None:
        for daemon in self.daemons:
            # Its children end with it.
            daemon.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            daemon.wait(60)
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def start(self, *texts: str) -> None:
        """Start a keepalived on each of the next nodes."""
        for name, text in zip(self.names[len(self.daemons) :], texts):
            config = self.home / f"{name}.conf"
            config.write_text(text, encoding="utf-8")
            files = ["-p", f"{config}.pid", "-r", f"{config}.vrrp", "-c", f"{config}.checkers"]
            command = ["ip", "netns", "exec", name, KEEPALIVED, "-n", "-l", "-D", "-f", str(config), *files]
            with (self.home / f"{name}.log").open("wb") as log:
                self.daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
        time.sleep(ELECTION)

    def log(self, number: int = 0) -> str:
        return (self.home / f"{self.names[number]}.log").read_text(encoding="utf-8")

    def holders(self, vip: str = VIP) -> list[int]:
        """The nodes, by number, that have the address."""
        return [
            number
            for number, name in enumerate(self.names)
            if f" {vip}/" in _run(f"ip -n {name} -4 -brief address show dev eth0")
        ]


def until(condition: t.Callable[[], bool]) -> bool:
    """Whether something comes true within the time that two checks of a script and an election take."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def _run(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


@pytest.fixture
def pair(tmp_path: Path) -> t.Iterator[Pair]:
    if os.geteuid() or not shutil.which(KEEPALIVED) or not shutil.which("ip"):
        pytest.skip("needs root, keepalived and ip")
    with Pair(tmp_path) as nodes:
        yield nodes


def test_two_nodes_agree(pair: Pair) -> None:
    pair.start(GLOBAL + instance(priority=150), GLOBAL + instance())

    assert pair.holders() == [0]


OTHER: dict[str, t.Any] = {
    "interface": "eth0",
    "virtual_router_id": 51,
    "priority": 100,
    "advert_int": 0.1,
    "vips": [f"{VIP}/24"],
}


@pytest.mark.parametrize(
    "rule, own, other, data",
    [
        ("addresses-unequal", instance(), instance(vip="192.0.2.11"), {"vips": ["192.0.2.11/24"]}),
        ("router-ids-unequal", instance(), instance(router_id=52), {"virtual_router_id": 52}),
        ("versions-unequal", instance(), instance("version 2", advert="1"), {"version": 2, "advert_int": 1}),
        (
            "peers-incomplete",
            instance(unicast=("192.0.2.1", "192.0.2.3")),
            instance(unicast=("192.0.2.2", "192.0.2.1")),
            {"unicast_src_ip": "192.0.2.2", "unicast_peers": ["192.0.2.1"]},
        ),
    ],
)
def test_nodes_that_differ_are_both_master(rule: str, own: str, other: str, data: dict[str, t.Any], pair: Pair) -> None:
    assert rule in rules(GLOBAL + own, lb2={"one": {**OTHER, **data}})
    pair.start(GLOBAL + own.replace("priority 100", "priority 150"), GLOBAL + other)

    assert until(lambda: pair.holders() + pair.holders("192.0.2.11") == [0, 1])


def test_one_router_id_of_two_instances(pair: Pair) -> None:
    own, other = instance(priority=90), instance(vip="192.0.2.11", name="two")
    assert "router-id-of-another" in rules(GLOBAL + own, lb2={"two": {**OTHER, "vips": ["192.0.2.11/24"]}})
    pair.start(GLOBAL + own, GLOBAL + other)

    # Which of both mistakes the nodes make depends on whether they mind the addresses in an advert.
    complaint = "ip address associated with VRID 51 not present"
    assert until(lambda: complaint in pair.log() + pair.log(1) or pair.holders() == [])


@pytest.mark.parametrize("weight, breaks", [(-60, True), (0, False)])
def test_nopreempt_and_weight(weight: int, breaks: bool, pair: Pair, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    alive.touch()
    alive.parent.chmod(0o755)
    scripts = FAILING % (alive, weight)
    texts = [GLOBAL + scripts + instance(f"nopreempt\n{TRACK}", priority=priority) for priority in (150, 100)]
    texts[1] = texts[1].replace(str(alive), "/usr")
    assert ("nopreempt-with-weight" in rules(texts[0])) is breaks
    # The first node is master before there is a second one, which nopreempt would leave it to.
    for text in texts:
        pair.start(text)
        assert until(lambda: pair.holders() == [0]), pair.log()
    alive.unlink()

    assert until(lambda: pair.holders() == [1]) is not breaks
    assert pair.holders() == ([0] if breaks else [1])
    # The tracker did its part.
    assert "from 150 to 90" in pair.log() if breaks else "FAULT" in pair.log()


def test_a_virtual_address_that_was_static(pair: Pair) -> None:
    """keepalived takes it off the interface before anything else."""
    pair.start(GLOBAL + instance(vip=ADDRESSES[0]))

    assert pair.holders(ADDRESSES[0]) == []
    assert "no IPv4 address for interface" in pair.log()


def test_an_interface_without_address(pair: Pair) -> None:
    _run(f"ip -n {pair.names[0]} address flush dev eth0")
    pair.start(GLOBAL + instance())

    assert "no IPv4 address for interface" in pair.log()


def test_strict_mode_drops_what_comes_for_the_address(pair: Pair) -> None:
    ping = f"ip netns exec {pair.names[1]} ping -c 1 -W 1 {VIP}"
    pair.start(GLOBAL + instance("strict_mode"))

    assert until(lambda: pair.holders() == [0])
    with pytest.raises(subprocess.CalledProcessError):
        _run(ping)


def test_a_script_that_nothing_tracks(pair: Pair, keepalived_version: tuple[int, ...]) -> None:
    text = WORKS + SCRIPT % "" + instance()
    assert "script-unused" in rules(text)
    pair.start(text)

    assert "script s is not used" in pair.log()
    if keepalived_version < (2, 3):
        assert "permanent error CONFIG" in pair.log()
        assert pair.holders() == []


def test_a_node_that_is_its_own_peer(pair: Pair) -> None:
    pair.start(GLOBAL + instance(unicast=(ADDRESSES[0], ADDRESSES[0])))

    complaint = "equal priority advert received from remote host with our IP address"
    assert until(lambda: complaint in pair.log())
