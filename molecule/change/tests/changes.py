# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty random changes, the same in every run: what is wanted after each, and what it may cost. Pure.

The first half has every kind in it.
"""

from __future__ import annotations

import copy
import dataclasses
import pathlib
import random
import typing as t

import yaml

SEED = 3
SERVICES = pathlib.Path(__file__).resolve().parents[1] / "group_vars" / "haproxy.yml"
WEBS = ("10.215.1.21", "10.215.1.22")
# The ports of the web servers that each pool takes its servers from.
PORTS = {
    "shop": range(8080, 8084),
    "plain": range(8080, 8084),
    "static": range(8180, 8184),
    "legacy": range(8280, 8284),
}
NEW_PORTS = range(8380, 8382)
# Whose server is drained by hand; it may change, but not go away or move.
DRAINED = ("shop", "s1")
# A word that HAProxy does not know, in a line that looks like one.
BROKEN = "timeout serve 5s"

Outcome = t.Literal["runtime", "reload", "nothing", "failure"]
Data = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """What is wanted from now on, and what it may cost on each node in the end."""

    number: int
    kind: str
    what: str
    outcome: Outcome
    wanted: Data
    is_killed: bool = False

    def __str__(self) -> str:
        return f"{self.number:02}-{self.kind.replace(' ', '-')}"


class Impossible(Exception):
    """This kind of change has nothing to work on yet."""


class Desired:
    """The variables of the load balancers, changed at random."""

    def __init__(self, variables: Data, dice: random.Random) -> None:
        self.variables = {name: variables[name] for name in ("haproxy_service_configs", "haproxy_static_files_extra")}
        self.dice = dice
        self.made = 0

    @property
    def services(self) -> dict[str, Data]:
        return {service["haproxy_service_name"]: service for service in self.variables["haproxy_service_configs"]}

    def nodes(self, pool: str) -> list[Data]:
        nodes: list[Data] = self.services[pool]["haproxy_backend_nodes"]
        return nodes

    def free_place(self, pool: str) -> Data:
        taken = [(node["ip_addr"], node["backend_port"]) for node in self.nodes(pool)]
        free = [(web, port) for web in WEBS for port in PORTS[pool] if (web, port) not in taken]
        if not free:
            raise Impossible
        web, port = self.dice.choice(free)
        return {"ip_addr": web, "backend_port": port}

    def any_server(self, *, may_be_drained: bool) -> tuple[str, Data]:
        servers = [
            (pool, node)
            for pool in ("shop", "plain", "static")
            for node in self.nodes(pool)
            if may_be_drained or (pool, node["name"]) != DRAINED
        ]
        return self.dice.choice(servers)

    # Kinds of changes; each says what it did.

    def add_server(self, pool: str = "") -> str:
        pool = pool or self.dice.choice(("shop", "plain", "static"))
        names = {node["name"] for node in self.nodes(pool)}
        # The lowest free name, so that names of servers that went come back.
        name = next(name for number in range(1, 20) if (name := f"s{number}") not in names)
        place = self.free_place(pool)
        self.nodes(pool).append({"name": name, **place})
        return f"{pool}/{name} at {place['ip_addr']}:{place['backend_port']}"

    def add_server_by_place(self) -> str:
        return self.add_server("legacy")

    def remove_server(self) -> str:
        pool, node = self.any_server(may_be_drained=False)
        if len(self.nodes(pool)) < 3:
            raise Impossible
        self.nodes(pool).remove(node)
        return f"{pool}/{node['name']}"

    def move_server(self) -> str:
        pool, node = self.any_server(may_be_drained=False)
        node.update(self.free_place(pool))
        return f"{pool}/{node['name']} to {node['ip_addr']}:{node['backend_port']}"

    def weigh_server(self) -> str:
        pool, node = self.any_server(may_be_drained=True)
        node["weight"] = self.dice.choice([weight for weight in range(10, 101, 10) if weight != node.get("weight")])
        return f"{pool}/{node['name']} {node['weight']}"

    def limit_server(self) -> str:
        pool, node = self.any_server(may_be_drained=True)
        if "maxconn" in node and self.dice.random() < 0.3:
            del node["maxconn"]
        else:
            node["maxconn"] = self.dice.choice([limit for limit in range(50, 501, 50) if limit != node.get("maxconn")])
        return f"{pool}/{node['name']} {node.get('maxconn', 'no limit')}"

    def edit_map(self) -> str:
        (routes,) = self.services["shop"]["haproxy_map_entries"]
        _static, *others = routes["entries"]
        if others and self.dice.random() < 0.3:
            routes["entries"].remove(gone := self.dice.choice(others))
            return f"without {gone}"
        self.made += 1
        routes["entries"].append(entry := f"/route{self.made} {self.dice.choice(('static', 'plain'))}-back")
        return f"with {entry}"

    def edit_acl(self) -> str:
        (file,) = self.variables["haproxy_static_files_extra"]
        _legacy, *others = file["content"].split()
        if others and self.dice.random() < 0.3:
            others.remove(gone := self.dice.choice(others))
            what = f"without {gone}"
        else:
            self.made += 1
            others.append(f"/old{self.made}")
            what = f"with {others[-1]}"
        file["content"] = "".join(f"{line}\n" for line in ("/legacy", *others))
        return what

    def certificate(self) -> str:
        return "new leaves"

    def add_service(self) -> str:
        self.made += 1
        name, port = f"new{self.made}", 9000 + self.made
        self.variables["haproxy_service_configs"].append(
            {
                "haproxy_service_name": name,
                "haproxy_port": port,
                "haproxy_balance_alg": "roundrobin",
                "haproxy_backend_nodes": [
                    {"name": f"s{number}", "ip_addr": web, "backend_port": self.dice.choice(NEW_PORTS)}
                    for number, web in enumerate(WEBS, start=1)
                ],
            }
        )
        return f"{name} on port {port}"

    def remove_service(self) -> str:
        new = [service for name, service in self.services.items() if name.startswith("new")]
        if not new:
            raise Impossible
        gone = self.dice.choice(new)
        self.variables["haproxy_service_configs"].remove(gone)
        return f"{gone['haproxy_service_name']} on port {gone['haproxy_port']}"

    def tune_service(self) -> str:
        pool = self.dice.choice(("shop", "plain", "static"))
        self.services[pool]["haproxy_timeout_server"] = timeout = f"{self.dice.randrange(30, 50)}s"
        return f"{pool} timeout server {timeout}"

    def again(self) -> str:
        return "nothing new"

    def broken_line(self) -> str:
        pool = self.dice.choice(("shop", "plain", "static"))
        self.services[pool]["haproxy_backend_arguments"] = [BROKEN]
        return f"'{BROKEN}' in {pool}-back"

    def taken_port(self) -> str:
        return self.add_service()


# So many changes are made in every run, the others in a long one.
HALF = 29

# Kind, how often, what it costs
KINDS: list[tuple[t.Callable[[Desired], str], int, Outcome]] = [
    (Desired.add_server, 6, "runtime"),
    (Desired.remove_server, 5, "runtime"),
    (Desired.move_server, 6, "runtime"),
    (Desired.weigh_server, 5, "runtime"),
    (Desired.limit_server, 4, "runtime"),
    (Desired.edit_map, 5, "runtime"),
    (Desired.edit_acl, 4, "runtime"),
    (Desired.certificate, 3, "runtime"),
    (Desired.add_service, 4, "reload"),
    (Desired.remove_service, 3, "reload"),
    (Desired.tune_service, 1, "reload"),
    (Desired.add_server_by_place, 1, "reload"),
    (Desired.taken_port, 1, "reload"),
    (Desired.again, 1, "nothing"),
    (Desired.broken_line, 1, "failure"),
]


Todo = list[tuple[t.Callable[[Desired], str], Outcome]]


def shuffled(dice: random.Random, share: t.Callable[[int], int]) -> Todo:
    todo = [(kind, outcome) for kind, often, outcome in KINDS for _time in range(share(often))]
    dice.shuffle(todo)
    return todo


def make_changes() -> list[Change]:
    dice = random.Random(SEED)
    todo = [*shuffled(dice, lambda often: -(-often // 2)), *shuffled(dice, lambda often: often // 2)]
    desired = Desired(yaml.safe_load(SERVICES.read_text()), dice)
    changes: list[Change] = []
    while todo:
        before = copy.deepcopy(desired.variables)
        what = ""
        while not what:
            kind, outcome = todo.pop(0)
            try:
                what = kind(desired)
            except Impossible:  # now; later perhaps
                todo.append((kind, outcome))
        name = kind.__name__.replace("_", " ")
        changes.append(Change(len(changes) + 1, name, what, outcome, copy.deepcopy(desired.variables)))
        if outcome == "failure":
            desired.variables = before
    for outcome in ("runtime", "reload"):
        # A killed run is made again; new certificates would be others then.
        excluded = ("certificate", "taken port")
        middle = [change for change in changes[5:HALF] if change.outcome == outcome and change.kind not in excluded]
        killed = dice.choice(middle)
        changes[killed.number - 1] = dataclasses.replace(killed, is_killed=True)
    return changes


CHANGES = make_changes()
