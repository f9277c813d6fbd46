# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two nodes with a real keepalived each, on one cable: what they tell, and what they leave behind when they die."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.filter.vip_holders import vip_holders_filter
from ansible_collections.lbforge.haproxy.tests.unit.plugins.installed import install

REPOSITORY = Path(__file__).parents[3]
KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")

CONF = """\
global_defs {{
    vrrp_version 3
}}
track_file maintenance {{
    file {home}/maintenance
    weight -100
    init_file 0
}}
vrrp_instance external {{
    interface eth0
    state BACKUP
    virtual_router_id 10
    priority {priority}
    advert_int 0.1
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
        192.0.2.100/24 dev eth0
    }}
    virtual_ipaddress_excluded {{
        2001:db8::100/64 dev eth0
    }}
    track_file {{
        maintenance
    }}
}}
"""
VIPS = {"192.0.2.100", "2001:db8::100"}

RUN_MODULE = """\
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lbforge.haproxy.plugins.modules import keepalived_info
with patch_module_args(json.loads(sys.argv[1])):
    keepalived_info.main()
"""


def until(question: t.Callable[[], t.Any], seconds: float = 60) -> t.Any:
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def is_alive(pid: int) -> bool:
    """Whether a process still does anything; one that is dead stays in the list until its parent asks."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


@dataclasses.dataclass
class Node:
    """A network namespace with a directory."""

    namespace: str
    home: Path
    number: int
    process: subprocess.Popen[bytes] | None = None

    def exec(self, *command: str, **more: t.Any) -> subprocess.CompletedProcess[str]:
        inside = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(inside, check=True, capture_output=True, text=True, **more)

    def ip(self, *words: str) -> str:
        return subprocess.run(["ip", "-n", self.namespace, *words], check=True, capture_output=True, text=True).stdout

    @property
    def conf(self) -> Path:
        return self.home / "keepalived.conf"

    def write(self, **changes: t.Any) -> None:
        values = {"priority": 200 - self.number, "own": f"192.0.2.{self.number}", "peer": f"192.0.2.{3 - self.number}"}
        self.conf.write_text(CONF.format(home=self.home, **{**values, **changes}), encoding="utf-8")

    def start(self, *options: str, environment: t.Mapping[str, str] | None = None) -> None:
        pids = [f"--{name}={self.home / name}" for name in ("pid", "vrrp_pid", "checkers_pid")]
        command = [KEEPALIVED, "--dont-fork", "--log-console", f"--use-file={self.conf}", *pids, *options]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *command],
            env={**os.environ, "TMPDIR": str(self.home), **(environment or {})},
            stdout=(self.home / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def kill(self, *names: str) -> None:
        """End processes, the parent first named, so that none sees another one's end: it would clean up.

        A child hears of the end of its parent, so it goes first, and the parent is held still meanwhile.
        """
        pids = [int((self.home / name).read_text()) for name in names]
        os.kill(pids[0], signal.SIGSTOP)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGKILL)
        assert until(lambda: not any(is_alive(pid) for pid in pids))

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def holds(self) -> set[str]:
        return {
            entry["local"]
            for link in json.loads(self.ip("-json", "address", "show"))
            for entry in link["addr_info"]
            if entry["local"] in VIPS
        }

    def has_all(self) -> bool:
        return self.holds() == VIPS

    def info(self, **arguments: t.Any) -> dict[str, t.Any]:
        private = {"path": str(self.conf), "pid_file": str(self.home / "pid"), "binary": KEEPALIVED}
        done = self.exec(sys.executable, "-c", RUN_MODULE, json.dumps({**private, "timeout": 5, **arguments}))
        result: dict[str, t.Any] = json.loads(done.stdout)
        return result

    def script(self, what: str) -> None:
        """The program of the unit, run as the unit does."""
        installed = install("addresses", self.home / "addresses.py")
        self.exec("/usr/bin/python3", "-ESs", installed, what, str(self.conf), str(self.home / "record"), cwd="/")


@pytest.fixture
def nodes(tmp_path: Path) -> t.Iterator[list[Node]]:
    if os.geteuid() or not shutil.which(KEEPALIVED) or not shutil.which("ip"):
        pytest.skip("needs root, keepalived and ip")
    pair = [Node(f"lbforge-{os.getpid()}-{number}", tmp_path / str(number), number) for number in (1, 2)]
    try:
        for node in pair:
            node.home.mkdir()
            subprocess.run(["ip", "netns", "add", node.namespace], check=True)
        pair[0].ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pair[1].namespace)
        for node in pair:
            node.ip("address", "add", f"192.0.2.{node.number}/24", "dev", "eth0")
            node.ip("address", "add", f"2001:db8::{node.number}/64", "dev", "eth0", "nodad")
            node.ip("link", "set", "lo", "up")
            node.ip("link", "set", "eth0", "addrgenmode", "eui64")
            node.ip("link", "set", "eth0", "up")
            node.write()
        yield pair
    finally:
        for node in pair:
            node.stop()
            pids = subprocess.run(["ip", "netns", "pids", node.namespace], check=False, capture_output=True, text=True)
            for pid in map(int, pids.stdout.split()):
                os.kill(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", node.namespace], check=False)


@pytest.fixture
def cluster(nodes: list[Node]) -> list[Node]:
    """Both run, and the first one holds the addresses."""
    for node in nodes:
        node.start()
    assert until(nodes[0].has_all)
    time.sleep(0.5)
    return nodes


def views(nodes: list[Node], **arguments: t.Any) -> dict[str, dict[str, t.Any]]:
    return {f"lb{node.number}": node.info(**arguments) for node in nodes}


def states(nodes: list[Node], **arguments: t.Any) -> set[str]:
    return {holding["state"] for holding in vip_holders_filter(views(nodes, **arguments))}


# What a node tells.


def test_a_healthy_cluster(cluster: list[Node]) -> None:
    first, second = views(cluster, probe=True).values()
    mac = {view["links"][0]["mac"] for view in (first,)}.pop()

    assert first["problems"] == second["problems"] == []
    assert first["daemon"]["running"] and first["daemon"]["pid"] == int((cluster[0].home / "pid").read_text())
    assert first["instances"] == {
        "external": {
            "state": "MASTER",
            "interface": "eth0",
            "virtual_router_id": 10,
            "priority": 199,
            "effective_priority": 199,
            "version": 3,
            "addresses": ["192.0.2.100/24", "2001:db8::100/64"],
        }
    }
    assert second["instances"]["external"]["state"] == "BACKUP"
    assert [(item["address"], item["held"], item["answered_by"]) for item in first["addresses"]] == [
        ("192.0.2.100", True, []),
        ("2001:db8::100", True, []),
    ]
    assert [(item["address"], item["held"], item["answered_by"]) for item in second["addresses"]] == [
        ("192.0.2.100", False, [mac]),
        ("2001:db8::100", False, [mac]),
    ]
    holders = vip_holders_filter({"lb1": first, "lb2": second})
    assert [(row["state"], row["holders"], row["wanted"], row["strangers"]) for row in holders] == [
        ("ok", ["lb1"], "lb1", []),
        ("ok", ["lb1"], "lb1", []),
    ]


def test_maintenance_moves_the_addresses_and_shows(cluster: list[Node]) -> None:
    (cluster[0].home / "maintenance").write_text("1\n")
    assert until(cluster[1].has_all)
    assert until(lambda: not cluster[0].holds())
    found = cluster[0].info()
    instance = found["instances"]["external"]
    assert (instance["priority"], instance["effective_priority"]) == (199, 99)
    assert [problem[:48] for problem in found["problems"]] == ["Instance external has priority 99 instead of 199"]
    (row, _other) = vip_holders_filter(views(cluster))
    assert (row["state"], row["holders"], row["wanted"]) == ("ok", ["lb2"], "lb1")


def test_a_daemon_without_json_is_understood_too(cluster: list[Node]) -> None:
    old = cluster[0].home / "old-keepalived"
    old.write_text(f'#!/bin/sh\ncase "$1" in --signum=JSON) exit 1;; esac\nexec {shutil.which(KEEPALIVED)} "$@"\n')
    old.chmod(0o755)
    by_json = cluster[0].info()
    by_data = cluster[0].info(binary=str(old))
    assert (cluster[0].home / "keepalived.data").exists()
    assert by_data["instances"] == by_json["instances"]
    assert by_data["addresses"] == by_json["addresses"]


def test_files_of_others_are_not_believed(cluster: list[Node]) -> None:
    """Who may write into the temporary directory puts a file there before keepalived does."""
    lie = '[{"data": {"iname": "external"}}]'
    dump = cluster[0].home / "keepalived.json"
    elsewhere = cluster[0].home / "elsewhere"
    elsewhere.write_text(lie)
    dump.symlink_to(elsewhere)
    assert cluster[0].info()["instances"]["external"]["state"] == "MASTER"
    assert elsewhere.read_text() == lie
    dump.unlink()
    os.mkfifo(dump)
    assert cluster[0].info()["instances"]["external"]["state"] == "MASTER"


def test_two_questions_at_once(cluster: list[Node]) -> None:
    command = ["ip", "netns", "exec", cluster[0].namespace, sys.executable, "-c", RUN_MODULE]
    arguments = {"path": str(cluster[0].conf), "pid_file": str(cluster[0].home / "pid")}
    asking = [subprocess.Popen([*command, json.dumps(arguments)], stdout=subprocess.PIPE) for _number in range(4)]
    answers = [json.loads(one.communicate()[0]) for one in asking]
    assert [answer["instances"]["external"]["state"] for answer in answers] == ["MASTER"] * 4


def test_a_node_without_keepalived(nodes: list[Node]) -> None:
    nodes[0].conf.unlink()
    nothing = nodes[0].info(binary="no-such-keepalived", probe=True)
    assert nothing["daemon"] == {"installed": False, "running": False, "pid": None, "version": None}
    assert nothing["problems"] == ["keepalived is not installed."]
    stopped = nodes[1].info()
    assert stopped["problems"] == ["keepalived does not run."]
    assert stopped["instances"]["external"]["state"] is None
    assert states(nodes) == {"absent"}


def test_a_holder_outside_the_inventory_is_found(cluster: list[Node]) -> None:
    """Somebody took the address of the cluster: here the second node, of which nobody asks."""
    cluster[1].kill("pid", "vrrp_pid")
    for address in ("192.0.2.100/24", "2001:db8::100/64"):
        cluster[1].ip("address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    mac = json.loads(cluster[1].ip("-json", "link", "show", "eth0"))[0]["address"]
    alone = cluster[:1]
    assert states(alone) == {"ok"}
    rows = vip_holders_filter(views(alone, probe=True))
    assert [(row["state"], row["strangers"]) for row in rows] == [("doubled", [mac])] * 2
    assert f"192.0.2.100 is on this node, but {mac} has it as well." in alone[0].info(probe=True)["problems"]
    # To somebody who knows both it is a node that should not have it.
    rows = vip_holders_filter(views(cluster, probe=True))
    assert [(row["state"], row["holders"], row["orphans"], row["strangers"]) for row in rows] == [
        ("doubled", ["lb1", "lb2"], ["lb2"], [])
    ] * 2


# What a node leaves behind.

KILLED: dict[str, tuple[str, ...]] = {
    "the parent": ("pid",),
    "the VRRP process": ("vrrp_pid",),
    "both": ("pid", "vrrp_pid"),
}


@pytest.mark.parametrize("names", KILLED.values(), ids=KILLED)
def test_a_dead_keepalived_leaves_nothing_behind(nodes: list[Node], names: tuple[str, ...]) -> None:
    node = nodes[0]
    node.script("start")
    node.start("--dont-respawn")
    assert until(node.has_all)
    node.kill(*names)
    since = time.monotonic()
    assert node.process
    node.process.wait(60)
    node.script("stop")
    assert node.holds() == set()
    assert time.monotonic() - since < 20
    assert "192.0.2.1/24" in node.ip("address")


def test_an_orphan_is_seen_until_it_is_removed(nodes: list[Node]) -> None:
    nodes[0].script("start")
    nodes[0].start("--dont-respawn")
    assert until(nodes[0].has_all)
    nodes[0].kill("pid", "vrrp_pid")
    assert states(nodes) == {"orphan"}
    assert "192.0.2.100 is on this node, although keepalived does not run." in nodes[0].info()["problems"]
    nodes[0].script("stop")
    assert states(nodes) == {"absent"}


def orphaned(node: Node) -> None:
    node.ip("address", "add", "192.0.2.100/24", "dev", "eth0")
    node.ip("address", "add", "2001:db8::100/64", "dev", "eth0", "nodad")


def test_own_addresses_stay(nodes: list[Node]) -> None:
    node = nodes[0]
    node.ip("address", "add", "192.0.2.100/24", "dev", "eth0")
    node.script("start")
    node.ip("address", "add", "2001:db8::100/64", "dev", "eth0", "nodad")
    node.script("stop")
    assert node.holds() == {"192.0.2.100"}


def test_what_the_owner_of_an_address_has_stays(nodes: list[Node]) -> None:
    nodes[0].write(priority=255)
    nodes[0].script("start")
    orphaned(nodes[0])
    nodes[0].script("stop")
    assert nodes[0].has_all()


def test_nothing_is_known_of_a_node_that_just_booted(nodes: list[Node]) -> None:
    orphaned(nodes[0])
    nodes[0].script("stop")
    assert nodes[0].has_all()


def test_a_running_keepalived_is_adopted(nodes: list[Node]) -> None:
    orphaned(nodes[0])
    nodes[0].script("adopt")
    nodes[0].script("adopt")
    assert nodes[0].has_all()
    nodes[0].script("stop")
    assert nodes[0].holds() == set()
    assert {"192.0.2.1/24", "2001:db8::1/64"} <= set(nodes[0].ip("address").split())


def test_other_addresses_of_the_network_stay(nodes: list[Node]) -> None:
    """Where the virtual address came first, Linux takes the others for its followers, and removes them with it."""
    node = nodes[0]
    node.script("start")
    node.ip("address", "flush", "dev", "eth0")
    orphaned(node)
    node.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
    node.script("stop")
    assert node.holds() == set()
    assert "192.0.2.1/24" in node.ip("address")


def test_a_configuration_that_is_being_replaced_counts(nodes: list[Node]) -> None:
    node = nodes[0]
    node.script("start")
    orphaned(node)
    shutil.copy(node.conf, f"{node.conf}.previous")
    node.conf.write_text("include more/*.conf\n")
    node.script("stop")
    assert node.holds() == set()


def test_included_files_count(nodes: list[Node]) -> None:
    node = nodes[0]
    node.script("start")
    orphaned(node)
    (node.home / "more").mkdir()
    node.conf.rename(node.home / "more" / "one.conf")
    node.conf.write_text("include more/*.conf\n")
    node.script("stop")
    assert node.holds() == set()


def test_the_address_of_a_vmac_goes_too(nodes: list[Node]) -> None:
    node = nodes[0]
    text = CONF.format(home=node.home, priority=100, own="192.0.2.1", peer="192.0.2.2")
    # The interface of the VMAC is in no line of the addresses.
    text = text.replace("    advert_int", "    use_vmac vrrp.10\n    vmac_xmit_base\n    advert_int")
    node.conf.write_text(text.replace(" dev eth0\n", "\n", 1))
    node.script("start")
    node.start("--dont-respawn")
    assert until(lambda: "192.0.2.100" in node.holds())
    (item,) = [item for item in node.info()["addresses"] if item["address"] == "192.0.2.100"]
    assert (item["interface"], item["held"]) == ("eth0", True)
    node.kill("pid", "vrrp_pid")
    assert "192.0.2.100" in node.ip("address", "show", "dev", "vrrp.10")
    node.script("stop")
    assert node.holds() == set()
