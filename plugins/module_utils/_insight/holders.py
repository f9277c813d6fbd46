# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The views of all nodes together: which node holds each virtual address, and which should."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass
from ipaddress import ip_address

View = t.Mapping[str, t.Any]
"""What M(lbforge.haproxy.keepalived_info) returned for one node."""

State = t.Literal["ok", "absent", "doubled", "orphan"]

_HEADS = ("VIP", "holder", "wanted holder", "state")


@dataclass(frozen=True)
class Vip:
    """A virtual address; a link-local one is unique only together with its interface."""

    address: str
    interface: str

    @classmethod
    def of(cls, item: t.Mapping[str, t.Any]) -> Vip:
        return cls(item["address"], item["interface"] if ip_address(item["address"]).is_link_local else "")


@dataclass(frozen=True)
class Holding:
    """The holders of a virtual address. ``orphans`` are the holders whose keepalived does not claim it."""

    address: str
    instances: tuple[str, ...]
    holders: tuple[str, ...]
    orphans: tuple[str, ...]
    strangers: tuple[str, ...]
    wanted: str | None

    @property
    def state(self) -> State:
        if len(self.holders) > 1 or (self.holders and self.strangers):
            return "doubled"
        if not self.holders:
            return "absent"
        return "orphan" if self.orphans else "ok"

    @property
    def sentence(self) -> str:
        where = " and ".join([*self.holders, *(f"the unknown {mac}" for mac in self.strangers)])
        left = f" keepalived on {' and '.join(self.orphans)} does not claim it." if self.orphans else ""
        if not self.holders:
            return f"{self.address} is on no node" + (f", but {where} answers for it." if where else ".")
        return f"{self.address} is held by {where}.{left}"

    def as_dict(self) -> dict[str, t.Any]:
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {**fields, "state": self.state, "sentence": self.sentence}


def vip_holders(views: t.Mapping[str, View]) -> list[Holding]:
    """One entry for each address that a keepalived of any node has, or should have according to its file."""
    views = {host: view for host, view in views.items() if "links" in view}
    macs = {link["mac"] for view in views.values() for link in view["links"]}
    vips = {Vip.of(item): None for view in views.values() for item in view["addresses"]}
    return [_holding(vip, views, macs) for vip in vips]


def table(views: t.Mapping[str, View]) -> list[str]:
    """The holders of VIPs and the problems of nodes, as lines of text."""
    rows = [
        (one.address, ", ".join([*one.holders, *one.strangers]), one.wanted or "any", one.state)
        for one in vip_holders(views)
    ]
    lines = [f"{address:39}  {holder:15}  {wanted:15}  {state}" for address, holder, wanted, state in [_HEADS, *rows]]
    return [*lines, *_complaints(views)]


def addresses(views: t.Mapping[str, View]) -> list[str]:
    """The VIPs that a node holds and that answer whoever asks: not those that are known on one link alone."""
    held = [ip_address(one.address) for one in vip_holders(views) if one.holders]
    return [str(address) for address in held if address.version == 4 or not address.is_link_local]


def troubles(views: t.Mapping[str, View], missing: t.Iterable[str]) -> list[str]:
    """A sentence for each reason to leave the cluster alone; ``missing`` are the nodes that are not there."""
    found = vip_holders(views)
    return [
        *(one.sentence for one in found if one.state != "ok"),
        *_complaints(views),
        *([] if found else ["There are no VIPs."]),
        *(f"{host} is not there." for host in missing),
    ]


def _complaints(views: t.Mapping[str, View]) -> list[str]:
    return [f"{host}: {problem}" for host, view in views.items() for problem in view.get("problems", [])]


def _holding(vip: Vip, views: t.Mapping[str, View], macs: set[str]) -> Holding:
    items = [(host, item) for host, view in views.items() for item in view["addresses"] if Vip.of(item) == vip]
    holders = [host for host, view in views.items() if _holds(vip, view)]
    claimed = {
        host for host, item in items if views[host]["instances"][item["instance"]]["state"] == "MASTER" and item["held"]
    }
    answers = {mac for _host, item in items for mac in item.get("answered_by", [])}
    return Holding(
        address=vip.address,
        instances=tuple(sorted({item["instance"] for _host, item in items})),
        holders=tuple(holders),
        orphans=tuple(host for host in holders if host not in claimed),
        strangers=tuple(sorted(answers - macs)),
        wanted=_wanted([(views[host]["instances"][item["instance"]]["priority"], host) for host, item in items]),
    )


def _holds(vip: Vip, view: View) -> bool:
    """Whether a node holds the address, known to its keepalived or not."""
    items = [item for item in view["addresses"] if Vip.of(item) == vip]
    if items or vip.interface:
        return any(item["held"] for item in items)
    return any(cidr.partition("/")[0] == vip.address for link in view["links"] for cidr in link["addresses"])


def _wanted(ranks: list[tuple[int, str]]) -> str | None:
    """The node with the highest configured priority; none if two share it."""
    best = max(priority for priority, _host in ranks)
    hosts = [host for priority, host in ranks if priority == best]
    return hosts[0] if len(hosts) == 1 else None
