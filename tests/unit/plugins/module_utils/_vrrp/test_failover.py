# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does a real keepalived keep the budget?

Two nodes and a client, network namespaces on a bridge, run what ``vrrp_instances`` makes of two VIPs. A fault strikes
the node that holds them, while the client pings one of them every 20 ms. A node is not there for its VIPs before the
other one has them and answers.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.budget import Bound, Settings, failover_budget
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved
from ansible_collections.lbforge.haproxy.tests.unit.plugins.pace import Pace

KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")
# What a busy machine may add.
SLACK = 0.2
VIPS = {"external": "10.9.0.100", "internal": "10.9.0.101"}
CLIENT, TARGET = "10.9.0.254", "10.9.0.253"
NODES = {"lb1": "10.9.0.1", "lb2": "10.9.0.2"}
ROLE = Path(__file__).parents[5] / "roles" / "keepalived" / "defaults" / "main.yml"


def global_defs() -> list[str]:
    """Those of the role, without the files outside of the test."""
    lines: list[str] = yaml.safe_load(ROLE.read_text(encoding="utf-8"))["keepalived_global_defs"]
    return [line for line in lines if not line.startswith(("reload_", "notify_fifo"))]


def run(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Lan:
    """Namespaces for the client and two nodes, which keep their files in ``home``."""

    prefix: str
    home: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Lan:
        return self

    def build(self) -> None:
        for name in ("lan", *NODES):
            run(f"ip netns add {self.prefix}{name}")
            run(f"ip -n {self.prefix}{name} link set lo up")
        self.on("lan", "link add br0 type bridge")
        for name, address in NODES.items():
            self.on("lan", f"link add {name} type veth peer name eth0 netns {self.prefix}{name}")
            self.on("lan", f"link set {name} master br0 up")
            self.on(name, f"address add {address}/24 dev eth0")
            self.on(name, "link set eth0 up")
        self.on("lan", f"address add {CLIENT}/24 dev br0")
        self.on("lan", f"address add {TARGET}/24 dev br0")
        self.on("lan", "link set br0 up")
        for address in NODES.values():
            # A bridge forwards some time after its ports are up.
            run(f"ip netns exec {self.prefix}lan ping -n -q -c 1 -i 0.1 -w 10 {address}")

    def __exit__(self, *_exception: object) -> None:
        for daemon in self.daemons.values():
            daemon.terminate()
        for daemon in self.daemons.values():
            daemon.wait(60)
        for name in ("lan", *NODES):
            subprocess.run(["ip", "netns", "delete", self.prefix + name], check=False, capture_output=True)

    def on(self, name: str, command: str) -> str:
        return run(f"ip -n {self.prefix}{name} {command}")

    def start(self, name: str, text: str) -> None:
        (self.home / f"{name}.conf").write_text(text, encoding="utf-8")
        with (self.home / f"{name}.log").open("wb") as log:
            self.daemons[name] = subprocess.Popen(
                f"ip netns exec {self.prefix}{name} {KEEPALIVED} --dont-fork --vrrp --log-console --log-detail"
                f" --use-file {self.home}/{name}.conf --pid {self.home}/{name}.pid --vrrp_pid {self.home}/{name}.vrrp"
                f" --checkers_pid {self.home}/{name}.checkers --bfd_pid {self.home}/{name}.bfd".split(),
                stdout=log,
                stderr=log,
            )

    def kill(self, what: str, number: int = signal.SIGKILL) -> None:
        os.kill(int((self.home / what).read_text()), number)

    def says(self, name: str, words: str, times: int = 1) -> bool:
        """Whether the log of a node comes to hold these words."""
        for _again in range(1200):
            if (self.home / f"{name}.log").read_text().count(words) >= times:
                return True
            time.sleep(0.05)
        return False

    def watch(self, name: str, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            f"ip netns exec {self.prefix}{name} {command}".split(),
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TZ": "UTC"},
        )

    def served_again(self, strike: t.Callable[[Lan], None], patience: float) -> float | None:
        """Seconds from the strike until the other node has the VIPs and the client misses no answer any more.

        Both are told by programs that stamp the time, for this one may be late itself.
        """
        client = self.watch("lan", f"ping -n -D -i 0.02 {VIPS['external']}")
        monitor = self.watch("lb2", "ip -ts -4 monitor address")
        time.sleep(0.5)
        struck = time.time()
        strike(self)
        time.sleep(patience)
        monitor.terminate()
        client.send_signal(signal.SIGINT)
        changes, replies = monitor.communicate()[0], client.communicate()[0]
        taken = [
            datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp()
            for stamp in re.findall(r"^\[(\S+)\] \d+: eth0 +inet 10", changes, re.M)
        ]
        answers = re.findall(r"^\[([\d.]+)\] .* icmp_seq=(\d+) ttl", replies, re.M)
        losses = [
            (float(late) - float(early), float(late))
            for (early, before), (late, number) in zip(answers, answers[1:])
            if int(number) > int(before) + 1 and float(late) > struck
        ]
        assert float(answers[-1][0]) > struck + patience - 0.5, "the client has lost it for good"
        if len(taken) < len(VIPS):
            return None
        return max(*taken[: len(VIPS)], *max(losses, default=())[1:]) - struck


def vanish(lan: Lan) -> None:
    """The node is dead: its link is up, and nobody is there."""
    lan.on("lan", "link set lb1 nomaster")
    lan.kill("lb1.pid")
    lan.kill("lb1.vrrp")


def lose_target(lan: Lan) -> None:
    lan.on("lb1", f"route add blackhole {TARGET}")


def end_haproxy(lan: Lan) -> None:
    """As the unit of HAProxy does."""
    (lan.home / "lb1.ready").write_text("1\n")


def hang_haproxy(lan: Lan) -> None:
    (lan.home / "lb1.hung").touch()


@dataclass(frozen=True)
class Case:
    fault: str
    strike: t.Callable[[Lan], None]
    vip: dict[str, t.Any] = field(default_factory=dict)
    instance: dict[str, t.Any] = field(default_factory=dict)
    trackers: tuple[str, ...] = ()


CASES = {
    "planned_stop": Case("planned_stop", lambda lan: lan.daemons["lb1"].terminate()),
    "daemon_killed": Case("daemon_killed", lambda lan: lan.kill("lb1.pid")),
    "vrrp_killed": Case("vrrp_killed", lambda lan: lan.kill("lb1.vrrp")),
    "node_dead": Case("node_dead", vanish),
    "node_dead, slow": Case("node_dead", vanish, vip={"advert_int": 0.5}, instance={"down_timer_adverts": 2}),
    "link_down": Case("link_down", lambda lan: lan.on("lan", "link set lb1 down") and None),
    "haproxy_stopped": Case("haproxy_stopped", end_haproxy, trackers=("haproxy_ready",)),
    "haproxy_hung": Case("haproxy_hung", hang_haproxy, trackers=("haproxy_check_script",)),
    "haproxy_hung, nopreempt": Case(
        "haproxy_hung", hang_haproxy, trackers=("haproxy_check_script",), instance={"nopreempt": True}
    ),
    "ping_lost": Case("ping_lost", lose_target, trackers=("ping",)),
    "ping_lost, nopreempt": Case("ping_lost", lose_target, trackers=("ping",), instance={"nopreempt": True}),
    "ping_lost, preempt_delay": Case("ping_lost", lose_target, trackers=("ping",), instance={"preempt_delay": 2}),
    "ping_lost, sync group": Case("ping_lost", lose_target, trackers=("ping of external",), vip={"sync_group": "g"}),
}


@dataclass(frozen=True)
class Measured:
    seconds: float | None
    bound: Bound
    #: what everything may have been late for this machine's sake, and a little more
    slack: float


def measure(case: Case, lan: Lan, rendered: t.Callable[..., str]) -> Measured:
    vips = moved(
        [{"name": name, "cidr": f"{address}/24", "interface": "eth0", **case.vip} for name, address in VIPS.items()]
    )
    nodes = [Node(name, chosen_addresses=(address,)) for name, address in NODES.items()]

    def cluster(name: str) -> tuple[Cluster, Settings]:
        check = {"interval": 1, "fall": 2, "rise": 2, "user": "root"}
        ping = check | {"check_script": f"/usr/bin/ping -n -q -c 1 -W 1 {TARGET}", "timeout": 2, "weight": -100}
        hung = f"/usr/bin/timeout 0.5 /usr/bin/test ! -e {lan.home}/{name}.hung"
        scripts = {
            "haproxy_check_script": check | {"check_script": hung, "weight": 0},
            "ping": ping,
            "ping of external": ping | {"instance": "external"},
        }
        files = {"haproxy_ready": {"file": f"{lan.home}/{name}.ready", "weight": 0}}
        tracked = Trackers(
            {key.replace(" ", "_"): script for key, script in scripts.items() if key in case.trackers},
            {key: file for key, file in files.items() if key in case.trackers},
        )
        made = Cluster(vips, nodes, tracked)
        return made, Settings(tracked.scripts, tracked.track_files, sync_groups=made.sync_groups())

    instances = {}
    with lan:
        lan.build()
        for name in NODES:
            made, settings = cluster(name)
            (lan.home / f"{name}.ready").write_text("0\n")
            instances[name] = {key: entry | case.instance for key, entry in made.instances(name).items()}
            text = rendered(
                global_defs=global_defs(),
                instances=instances[name],
                scripts=settings.scripts,
                track_files=settings.track_files,
                sync_groups=settings.sync_groups,
            )
            lan.start(name, text)
            # With nopreempt, who is first stays.
            state = f"Entering {'MASTER' if name == 'lb1' else 'BACKUP'} STATE"
            assert lan.says(name, state, len(VIPS)), (lan.home / f"{name}.log").read_text()
        time.sleep(0.5)
        bound = failover_budget(instances, settings)["external"][case.fault]
        with Pace() as pace:
            seconds = lan.served_again(case.strike, (bound.seconds or 5) + 1)
        return Measured(seconds, bound, SLACK + pace.lag)


@pytest.fixture(scope="module")
def measured(
    rendered: t.Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[dict[str, Future[Measured]]]:
    """All cases, several at once."""
    if os.geteuid() or not all(map(shutil.which, (KEEPALIVED, "ip", "ping"))):
        pytest.skip("needs root, keepalived, ip and ping")
    probe = f"lbf{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us make network namespaces")
    run(f"ip netns delete {probe}")
    with ThreadPoolExecutor(5) as pool:
        yield {
            name: pool.submit(measure, case, Lan(f"{probe}-{n}-", tmp_path_factory.mktemp("failover")), rendered)
            for n, (name, case) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("name", CASES)
def test_the_budget_holds(measured: dict[str, Future[Measured]], name: str) -> None:
    found = measured[name].result()

    if found.bound.seconds is None:
        assert found.seconds is None, "it moved, although the budget says never"
    else:
        assert found.seconds is not None, f"it never moved; the budget is {found.bound}"
        assert found.seconds <= found.bound.seconds + found.slack, found.bound.why
