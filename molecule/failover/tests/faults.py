# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to break a node, and what it may cost."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import time
import typing as t

from bench import Node, brackets, until
from cluster import PORT, SERVED, Cluster

Action = t.Callable[[Cluster, Node], None]
# The gateway, which is what the nodes ping, is there.
ROUTE = "eth1"
SERVERS = "eth0"
SOCKET = "/run/haproxy/admin.sock"
CONF = "/etc/keepalived/keepalived.conf"
# A text that keepalived dies of: the interface is missing. `keepalived -t` knows it.
BROKEN = r"vrrp_instance broken {\n interface nowhere\n virtual_router_id 99\n virtual_ipaddress {\n 192.0.2.9\n }\n}\n"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One row of the matrix; seconds everywhere."""

    name: str
    strike: Action
    repair: Action
    #: how long a client may miss the node that served it; the goals of the collection
    goal: float = 0
    #: whether the node goes on to serve clients until another one does
    serves: bool = False
    #: that, and no request is lost on the way
    planned: bool = False
    #: its name in what failover_budget answers, if it is in there
    budget: str = ""
    #: whether its addresses move to another node; None: systemd may be quicker
    moves: bool | None = True
    #: whose holder it strikes; without, those of all instances in turn
    instance: str = ""
    #: where clients ask
    port: int = PORT
    #: how long to go on watching once they have moved
    stays: float = 0
    #: how often they may change hands, to the end; 0: as often as they like
    most_moves: int = 0
    #: how long to watch where they need not
    watch: float = 3
    #: whether two nodes may hold an address until it is repaired: they cannot know of each other
    splits: bool = False
    #: what a client may lose when it is repaired
    comeback: float = 0
    #: whether it strikes all nodes to which an address belongs
    everywhere: bool = False
    #: how long the nodes need to believe that all is well again, at most
    heals: float = 30
    #: and at least, where nothing outside of them shows it
    rests: float = 0

    def allows(self, budget: t.Mapping[str, float]) -> float:
        """What the clients of a node may miss when it is struck."""
        if self.planned or self.serves:
            return 0
        return budget[self.budget] if self.budget else self.goal


def systemctl(command: str) -> Action:
    return lambda _cluster, node: node.systemctl(command)


def maintenance(state: t.Literal[0, 1]) -> Action:
    """Ask the node to give its address away, as an operator does before work on it."""

    def act(_cluster: Cluster, node: Node) -> None:
        node.run(f"echo {state} >/run/keepalived-track/maintenance")

    return act


def nothing(_cluster: Cluster, _node: Node) -> None:
    """systemd repairs it."""


def kill_child(_cluster: Cluster, node: Node) -> None:
    node.run("pkill --signal KILL --parent $(systemctl show --property MainPID --value keepalived)")


def kill_others(cluster: Cluster, _node: Node) -> None:
    cluster.kill(*cluster.owners)


def start_others(cluster: Cluster, _node: Node) -> None:
    cluster.start(*cluster.owners)


def lose_what_it_sends(cluster: Cluster, node: Node) -> None:
    cluster.filter(node, "netdev", f"ingress device {cluster.link(node)} priority 0; policy drop;")


def cut_off(cluster: Cluster, node: Node) -> None:
    """Clients reach all nodes, only the nodes do not reach each other."""
    link = cluster.link(node)
    cluster.filter(node, "bridge", f"forward priority 0; iifname {link} drop; oifname {link} drop;")


def lose_ip(cluster: Cluster, node: Node) -> None:
    """Both ways, as a filter does that looks at IP only: the node can still announce its addresses."""
    discovery = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
    link = cluster.link(node)
    rules = f"device {link} priority 0; {discovery} meta protocol {{ ip, ip6 }} drop;"
    cluster.filter(node, "netdev", f"ingress {rules}", f"egress {rules}")


def lose_servers(_cluster: Cluster, node: Node) -> None:
    subprocess.run(["ip", "link", "set", node.link(SERVERS), "down"], check=True)


def find_servers(_cluster: Cluster, node: Node) -> None:
    """Not before HAProxy has missed them."""
    assert until(lambda: ",DOWN," in node.run(f"echo 'show stat -1 4 -1' | nc -N -U {SOCKET}")), "still up"
    subprocess.run(["ip", "link", "set", node.link(SERVERS), "up"], check=True)


def set_down(cluster: Cluster, node: Node) -> None:
    """The node's own end, which takes its routes, and the IPv6 addresses if nothing prevents that."""
    link = cluster.interface(node)
    node.run(f"ip route save dev {link} >/run/routes && ip -6 route save dev {link} >/run/routes6")
    node.run(f"ip link set {link} down")


def set_up(cluster: Cluster, node: Node) -> None:
    node.run(f"ip link set {cluster.interface(node)} up && ip route restore </run/routes")
    node.run("ip -6 route restore </run/routes6")


def kill_again_and_again(_cluster: Cluster, node: Node) -> None:
    """Eight times in seventeen seconds; more often than that systemd would not start it again."""
    for _time in range(8):
        node.systemctl("kill --signal=KILL haproxy")
        time.sleep(2.2)


def lose_pings(cluster: Cluster, node: Node) -> None:
    cluster.filter(node, "netdev", f"ingress device {node.link(ROUTE)} priority 0; icmp type echo-request drop;")


def unfilter(cluster: Cluster, node: Node) -> None:
    cluster.unfilter(node)


def on_all(action: Action) -> Action:
    def act(cluster: Cluster, _node: Node) -> None:
        for node in cluster.nodes.values():
            action(cluster, node)

    return act


def reload_broken(_cluster: Cluster, node: Node) -> None:
    node.run(f"cp --preserve {CONF} /root/kept && printf '{BROKEN}' >>{CONF} && systemctl reload keepalived")


def reload_kept(_cluster: Cluster, node: Node) -> None:
    node.run(f"mv /root/kept {CONF} && systemctl reload keepalived")


def reload_under_load(cluster: Cluster, _node: Node) -> None:
    with contextlib.ExitStack() as stack:
        for address in cluster.addresses:
            stack.enter_context(load(address))
        for _again in range(2):
            for node in cluster.nodes.values():
                node.systemctl("reload haproxy keepalived")


@contextlib.contextmanager
def load(address: str) -> t.Iterator[None]:
    """Clients that keep their connections meanwhile, every one of which gets its answers."""
    url = f"http://{brackets(address)}:{PORT}/"
    command = ["wrk", "--threads=1", "--connections=4", "--duration=4s", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients:
        time.sleep(0.5)
        yield
        assert clients.stdout
        said = clients.stdout.read()
    assert "requests in" in said and "errors" not in said and "Non-2xx" not in said, said


FAULTS = [
    Fault(
        "planned_stop", systemctl("stop keepalived"), systemctl("start keepalived"), planned=True, budget="planned_stop"
    ),
    Fault("maintenance", maintenance(1), maintenance(0), planned=True),
    Fault(
        "daemon_killed",
        systemctl("kill --kill-whom=main --signal=KILL keepalived"),
        nothing,
        goal=1,
        budget="daemon_killed",
        moves=None,
    ),
    Fault("vrrp_killed", kill_child, nothing, goal=1, budget="vrrp_killed", moves=None),
    Fault("node_dead", Cluster.kill, Cluster.start, goal=1, budget="node_dead"),
    Fault("node_frozen", Cluster.freeze, Cluster.thaw, goal=1, budget="node_frozen", comeback=1),
    Fault(
        "link_down",
        lambda cluster, node: cluster.cable(node, "down"),
        lambda cluster, node: cluster.cable(node, "up"),
        goal=1,
        budget="link_down",
    ),
    # Comes back to a HAProxy that holds its servers for down.
    Fault(
        "server_link_down",
        lose_servers,
        find_servers,
        goal=1,
        budget="server_link_down",
        instance="external",
        port=SERVED,
    ),
    Fault("interface_down", set_down, set_up, goal=1, budget="link_down", instance="external"),
    # Announcements that come late would take the clients back: keepalived's refresh was set to 30 s.
    Fault("ip_lost", lose_ip, unfilter, goal=1, budget="node_dead", splits=True, comeback=1, stays=32),
    Fault("loss_one_way", lose_what_it_sends, unfilter, goal=1, budget="node_dead", splits=True, comeback=1),
    Fault("partition", cut_off, unfilter, moves=False, splits=True, comeback=1),
    Fault("haproxy_stopped", systemctl("stop haproxy"), systemctl("start haproxy"), goal=0.3, budget="haproxy_stopped"),
    Fault(
        "haproxy_killed",
        systemctl("kill --signal=KILL haproxy"),
        nothing,
        goal=0.3,
        budget="haproxy_killed",
        moves=None,
    ),
    # Away, back, away, back, away; back after a while.
    Fault(
        "haproxy_flapping",
        kill_again_and_again,
        nothing,
        goal=0.3,
        budget="haproxy_killed",
        moves=None,
        most_moves=6,
        heals=60,
    ),
    Fault(
        "haproxy_hung",
        systemctl("kill --signal=STOP haproxy"),
        systemctl("kill --signal=CONT haproxy"),
        goal=3,
        budget="haproxy_hung",
    ),
    Fault("reload_broken", reload_broken, reload_kept, planned=True, moves=False),
    Fault("reload_under_load", reload_under_load, nothing, planned=True, moves=False),
    Fault("all_but_one", kill_others, start_others, goal=1, budget="node_dead", everywhere=True),
    Fault("ping_lost", lose_pings, unfilter, serves=True, budget="ping_lost", heals=60),
    Fault(
        "ping_lost_by_all",
        on_all(lose_pings),
        on_all(unfilter),
        serves=True,
        everywhere=True,
        moves=False,
        watch=22,
        heals=60,
        rests=42,
    ),
]
