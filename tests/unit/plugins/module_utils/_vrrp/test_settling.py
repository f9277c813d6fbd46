# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two load balancers with a network for clients and one for a server: real keepalived, HAProxy and haproxy_settled.py.

A client asks the VIP every 20 ms. What systemd does for the unit of HAProxy is done in ``Site``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.budget import Settings, failover_budget
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Instances, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import node_from_vars
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.installed import install
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._vrrp.test_failover import (
    KEEPALIVED,
    NODES,
    SLACK,
    Lan,
    global_defs,
    run,
)
from ansible_collections.lbforge.haproxy.tests.unit.plugins.pace import Pace

REPOSITORY = Path(__file__).parents[5]
PROBER = REPOSITORY / "molecule" / "shared" / "tests" / "prober.py"
HAPROXY = os.environ.get("HAPROXY", "haproxy")
VIP, SERVER = "10.9.0.100", "10.8.0.254"
# What stands for the 60 s of the role.
SETTLE_TIME = 8.0
CONFIG = """\
global
    stats socket {home}/{name}.sock level admin
    master-worker
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend web
    bind {vip}:80
    {answer}
backend servers
    server only {server}:8080 check inter 1000 rise 2 fall 2
"""


def until(question: t.Callable[[], t.Any], seconds: float = 20) -> t.Any:
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


@dataclass
class Site:
    """The nodes of ``Lan``, each with a second interface to the server."""

    lan: Lan
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.lan.home

    def build(self) -> None:
        self.lan.build()
        self.lan.on("lan", "link add br1 type bridge")
        self.lan.on("lan", f"address add {SERVER}/24 dev br1")
        self.lan.on("lan", "link set br1 up")
        for number, name in enumerate(NODES, 1):
            self.lan.on("lan", f"link add s{name} type veth peer name eth1 netns {self.lan.prefix}{name}")
            self.lan.on("lan", f"link set s{name} master br1 up")
            self.lan.on(name, f"address add 10.8.0.{number}/24 dev eth1")
            self.lan.on(name, "link set eth1 up")
            self.inside(name, "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1").wait(10)
        for number in (1, 2):
            run(f"ip netns exec {self.lan.prefix}lan ping -n -q -c 1 -i 0.1 -w 10 10.8.0.{number}")

    def inside(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}-{Path(command[0]).name}.out").open("ab") as out:
            inside = ["ip", "netns", "exec", f"{self.lan.prefix}{name}", *command]
            return subprocess.Popen(inside, stdout=out, stderr=out)

    def start_server(self) -> None:
        (self.home / "www").mkdir(exist_ok=True)
        (self.home / "www" / "index.html").write_text("served\n")
        options = f"--protocol HTTP/1.1 --bind {SERVER} --directory {self.home}/www"
        self.processes["server"] = self.inside("lan", sys.executable, "-m", "http.server", "8080", *options.split())

    def start_haproxy(self, name: str) -> None:
        """As systemd does: ExecStartPost comes when HAProxy is ready."""
        self.processes[name] = self.inside(name, HAPROXY, "-f", f"{self.home}/{name}.cfg")
        assert until(lambda: self.tells(name, "show info")), (self.home / f"{name}-haproxy.out").read_text()
        (self.home / f"{name}.settled").write_text("1\n")
        (self.home / f"{name}.ready").write_text("0\n")

    def kill_haproxy(self, name: str) -> None:
        """All of its processes at once, and ExecStopPost."""
        master = self.processes[name]
        children = subprocess.run(["pgrep", "-P", str(master.pid)], check=False, capture_output=True, text=True).stdout
        for pid in (master.pid, *map(int, children.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        master.wait(10)
        (self.home / f"{name}.ready").write_text("1\n")

    def tells(self, name: str, command: str) -> str:
        try:
            return RuntimeClient(f"{self.home}/{name}.sock", timeout=5).ask(command)
        except (LbforgeError, OSError):
            return ""

    def is_up(self, name: str) -> bool:
        """Whether this node has checked the server and found it well."""
        # `UP 1/2` is a server that missed a check, as happens on a busy machine.
        return ",UP" in (stats := self.tells(name, "show stat -1 4 -1")) and "INI" not in stats

    def start_all(
        self, rendered: t.Callable[..., str], answer: str = "default_backend servers", settle_time: float = SETTLE_TIME
    ) -> float:
        """Both nodes; the seconds that the budget allows for the loss of the link to the server."""
        vips = moved([{"name": "external", "cidr": f"{VIP}/24", "interface": "eth0"}])
        facts = {
            name: {
                "ansible_host": address,
                "ansible_facts": {
                    link: {"device": link, "ipv4": {"address": f"{net}.{number}", "netmask": "255.255.255.0"}}
                    for link, net in (("eth0", "10.9.0"), ("eth1", "10.8.0"))
                },
            }
            for number, (name, address) in enumerate(NODES.items(), 1)
        }
        nodes = [node_from_vars(name, variables) for name, variables in facts.items()]
        instances: dict[str, Instances] = {}
        library = self.home / "library"
        library.mkdir(exist_ok=True)
        install("haproxy_settled", library / "haproxy_settled.py")
        settings = Settings()
        for name in NODES:
            files = {"haproxy_ready": {"file": f"{self.home}/{name}.ready", "weight": 0}}
            files |= {"haproxy_settled": {"file": f"{self.home}/{name}.settled", "soft": True}}
            cluster = Cluster(vips, nodes, Trackers(track_files=files), servers=[SERVER])
            settings = Settings(track_files=files)
            instances[name] = cluster.instances(name)
            text = rendered(global_defs=global_defs(), instances=instances[name], track_files=files)
            (self.home / f"{name}.ready").write_text("1\n")
            (self.home / f"{name}.settled").write_text("0\n")
            config = CONFIG.format(home=self.home, name=name, vip=VIP, answer=answer, server=SERVER)
            (self.home / f"{name}.cfg").write_text(config)
            self.lan.start(name, text)
            words = (
                f"{self.home}/{name}.sock",
                str(settle_time),
                f"{self.home}/{name}.conf",
                f"{self.home}/{name}.settled",
            )
            program = ("/usr/bin/python3", "-ESs", f"{library}/haproxy_settled.py", *words)
            self.processes[f"{name} settled"] = self.inside(name, *program)
        for name in NODES:
            self.start_haproxy(name)
        bound = failover_budget(instances, settings)["external"]["server_link_down"]
        assert bound.seconds, bound
        return bound.seconds

    def has_vip(self, name: str) -> bool:
        return f" {VIP}/" in self.lan.on(name, "-4 -brief address show dev eth0")

    def moves(self, name: str) -> int:
        """How often the node became the holder."""
        return (self.home / f"{name}.log").read_text().count("Entering MASTER STATE")

    @contextlib.contextmanager
    def client(self) -> t.Iterator[dict[str, t.Any]]:
        command = ["ip", "netns", "exec", f"{self.lan.prefix}lan", sys.executable, str(PROBER), "80", VIP]
        said: dict[str, t.Any] = {}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as prober:
            assert prober.stdout and prober.stdout.readline() == "ready\n"
            time.sleep(0.3)
            with Pace() as pace:
                yield said
            output, _nothing = prober.communicate()
        said.update(json.loads(output)["addresses"][VIP], slack=SLACK + pace.lag)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        for name in ("lan", *NODES):
            pids = subprocess.run(
                ["ip", "netns", "pids", self.lan.prefix + name], check=False, capture_output=True, text=True
            ).stdout
            for pid in map(int, pids.split()):
                if all(daemon.pid != pid for daemon in self.lan.daemons.values()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)


@pytest.fixture
def site(tmp_path: Path) -> t.Iterator[Site]:
    if os.geteuid() or not all(map(shutil.which, (KEEPALIVED, HAPROXY, "ip", "ping"))):
        pytest.skip("needs root, keepalived, haproxy, ip and ping")
    with Lan(f"lbs{os.getpid()}-", tmp_path) as lan:
        site = Site(lan)
        try:
            site.build()
            yield site
        finally:
            site.stop()


def test_the_vip_goes_where_the_server_is_reached_and_returns_when_it_is_up(
    site: Site, rendered: t.Callable[..., str]
) -> None:
    site.start_server()
    # Longer than any delay of this machine: the server has to be what it waits for.
    allowed = site.start_all(rendered, settle_time=60)
    assert until(lambda: site.has_vip("lb1") and site.is_up("lb1") and site.is_up("lb2"))
    assert until(lambda: (site.home / "lb1.settled").read_text() == "0\n")
    with site.client() as said:
        site.lan.on("lan", "link set slb1 down")
        assert until(lambda: site.has_vip("lb2") and not site.has_vip("lb1"))
        # HAProxy calls a server down that it does not reach: two checks.
        assert until(lambda: ",DOWN," in site.tells("lb1", "show stat -1 4 -1"))
        time.sleep(0.5)
        repaired = time.time()
        site.lan.on("lan", "link set slb1 up")
        assert until(lambda: site.has_vip("lb1") and not site.has_vip("lb2"))
        assert site.is_up("lb1")
        time.sleep(0.5)
    before = [end - start for start, end in said["outages"] if start < repaired]
    assert max(before, default=0) <= allowed + said["slack"]
    # A request that is on its way while the address moves may be lost; nobody waits for the checks of the server.
    after = [end - start for start, end in said["outages"] if start >= repaired]
    assert max(after, default=0) <= said["slack"]


def test_nodes_that_start_without_a_server_hold_the_vip_all_the_same(
    site: Site, rendered: t.Callable[..., str]
) -> None:
    site.start_all(rendered)
    # The master-down timer of keepalived is below one second.
    assert until(lambda: site.has_vip("lb1"), 5)
    assert {(site.home / f"{name}.settled").read_text() for name in NODES} == {"1\n"}
    # A server that is down for all keeps no node back for longer than this.
    assert until(lambda: {(site.home / f"{name}.settled").read_text() for name in NODES} == {"0\n"}, SETTLE_TIME + 10)
    site.kill_haproxy("lb1")
    assert until(lambda: site.has_vip("lb2"))
    site.start_haproxy("lb1")
    since = time.monotonic()
    assert until(lambda: site.has_vip("lb1"), SETTLE_TIME + 10)
    assert time.monotonic() - since > SETTLE_TIME - 1


def test_a_reload_moves_nothing(site: Site, rendered: t.Callable[..., str]) -> None:
    """The new worker has checked nothing yet."""
    site.start_server()
    site.start_all(rendered)
    assert until(lambda: site.has_vip("lb1") and site.is_up("lb1"))
    assert until(lambda: (site.home / "lb1.settled").read_text() == "0\n")
    moves = site.moves("lb1"), site.moves("lb2")
    before = site.tells("lb1", "show info").partition("Pid: ")[2].split()[0]
    site.processes["lb1"].send_signal(signal.SIGUSR2)
    assert until(
        lambda: before not in site.tells("lb1", "show info").partition("Pid: ")[2].split()[:1] and site.is_up("lb1")
    )
    assert (site.home / "lb1.settled").read_text() == "0\n"
    assert (site.moves("lb1"), site.moves("lb2")) == moves


def test_a_haproxy_that_dies_again_and_again_moves_the_vip_no_more(site: Site, rendered: t.Callable[..., str]) -> None:
    """Without a server to wait for, which is the worst case: it is ready at once."""
    site.start_server()
    settle_time = 20.0
    site.start_all(rendered, "http-request return status 200", settle_time)
    assert until(lambda: site.has_vip("lb1") and site.is_up("lb1"))
    before = site.moves("lb1")
    for _time in range(6):
        site.kill_haproxy("lb1")
        assert until(lambda: site.has_vip("lb2"), 2), "the first failures have to move it as fast as ever"
        site.start_haproxy("lb1")
        time.sleep(1.7)
    assert site.moves("lb1") - before <= 2
    assert until(lambda: site.has_vip("lb1"), settle_time + 10), "it is good for a while now"
    assert site.moves("lb1") - before <= 3
