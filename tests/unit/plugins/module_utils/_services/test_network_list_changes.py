# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of networks changes under a running HAProxy: as a release of the role, seen by real clients."""

from __future__ import annotations

import ipaddress
import re
import socket
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    BINARY,
    Machine,
    private_machine,
)

from .conftest import Rendered
from .traffic import Client, mirrored

Networks = t.Union[list[str], dict[str, t.Any]]


class Door:
    """A service with one way to say whom it lets in, as a client sees it."""

    def __init__(self, mirror: int, mode: str, *, proxied: bool, key: str) -> None:
        self.proxied = proxied
        self.keys = mirrored(
            mirror,
            haproxy_service_name=f"{mode}-{'proxied' if proxied else 'plain'}-{key}",
            haproxy_balance_type=mode,
            haproxy_bind_options=["accept-proxy"] if proxied else [],
            **{f"haproxy_{key}list_networks": ["listed"]},
        )
        self.port: int = self.keys["haproxy_port"]

    def enter(self, source: str) -> Client:
        """A client with this address, connected."""
        client = Client(self.port, source)
        if not self.proxied:
            client.sock = socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(source, 0))
        return client

    def admits(self, source: str) -> bool:
        try:
            return asks(self.enter(source))
        except OSError:
            return False


def asks(client: Client) -> bool:
    """Whether a request on this connection is answered."""
    return client.ask({})[0] == 200


class House:
    """A machine with a release of some services and the list that they share."""

    def __init__(self, machine: Machine, render: t.Callable[..., Rendered], doors: t.Sequence[Door]) -> None:
        self.machine, self.render, self.doors = machine, render, doors

    def wanted(self, listed: Networks) -> Wanted:
        services = [door.keys for door in self.doors]
        rendered = self.render(*services, haproxy_network_lists={"listed": listed}, haproxy_ssl=False)
        text = re.sub(r"(?m)^    (chroot|user|group) .*\n", "", rendered.text)
        places = {
            "/run/haproxy/admin.sock": "admin",
            "/run/haproxy.stat": "stat",
            "/run/haproxy/servers.state": "states",
        }
        for path, name in places.items():
            text = text.replace(path, str(self.machine.home / name))
        text = text.replace("/etc/haproxy/", f"{self.machine.etc}/")
        return Wanted(Release.made_of({"haproxy.cfg": text, **rendered.model["network_lists"]}), {})

    def change(self, listed: Networks) -> Wanted:
        """Have another list, and be sure that nothing was reloaded, and that the run after finds nothing to do."""
        wanted, pid = self.wanted(listed), self.machine.pid
        outcome = self.machine.apply(wanted)
        assert (outcome.plan.action, self.machine.pid) == ("runtime", pid), outcome.plan
        assert self.machine.apply(wanted).plan.action == "nothing"
        return wanted


@pytest.fixture
def house(render: t.Callable[..., Rendered], mirror: int) -> t.Iterator[t.Callable[..., House]]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    with private_machine() as machine:

        def build(listed: Networks, *doors: Door) -> House:
            made = House(machine, render, doors)
            machine.apply(made.wanted(listed))
            return made

        yield build


def doors(mirror: int, key: str) -> list[Door]:
    # An allow list always has the loopback interface, from which plain clients come here.
    kinds = [True] if key == "allow" else [False, True]
    return [Door(mirror, mode, proxied=proxied, key=key) for mode in ("http", "tcp") for proxied in kinds]


@pytest.mark.parametrize("key", ["deny", "allow"])
def test_a_change_needs_no_reload_and_ends_no_connection(house: t.Callable[..., House], mirror: int, key: str) -> None:
    listed, other = ("127.0.0.10", "127.0.0.11") if key == "deny" else ("198.51.100.10", "198.51.100.11")
    made = house([listed], *doors(mirror, key))
    denies = key == "deny"

    def admitted() -> list[tuple[bool, bool]]:
        return [(door.admits(listed), door.admits(other)) for door in made.doors]

    def everywhere(*answer: bool) -> list[tuple[bool, ...]]:
        return [answer] * len(made.doors)

    assert admitted() == everywhere(not denies, denies)
    inside = [door.enter(other if denies else listed) for door in made.doors]
    assert all(map(asks, inside))
    changed = made.change([other])
    assert admitted() == everywhere(denies, not denies)
    # Whoever is in stays in.
    assert all(map(asks, inside))
    # A reload by hand reads the files.
    made.machine.host().haproxy.reload(changed.release.description)
    assert made.machine.apply(changed).plan.action == "nothing"
    assert admitted() == everywhere(denies, not denies)
    # An empty list lets everybody in, or nobody.
    emptied = made.change([])
    assert admitted() == everywhere(denies, denies)
    made.machine.host().haproxy.reload(emptied.release.description)
    assert admitted() == everywhere(denies, denies)
    made.change([listed, other])
    assert admitted() == everywhere(not denies, not denies)


def test_a_long_list_changes_at_run_time(house: t.Callable[..., House], mirror: int) -> None:
    """HAProxy holds every one of them: the first and last address of each counts."""
    made = house(["192.0.2.1"], Door(mirror, "tcp", proxied=True, key="deny"))
    start, number = int(ipaddress.ip_address("10.0.0.0")), 5000
    # Every other /30, so that none can be merged with the next.
    made.change([f"{ipaddress.ip_address(start + 8 * index)}/30" for index in range(number)])
    shown = made.machine.tell(f"show acl {made.machine.etc}/listed.acl").split("\n")
    assert len([line for line in shown if line]) == number
    (door,) = made.doors
    for index in (0, 1, 777, number - 1):
        ends = [str(ipaddress.ip_address(start + 8 * index + offset)) for offset in (0, 3, 4, 7)]
        assert [door.admits(address) for address in ends] == [False, False, True, True]
    assert door.admits("192.0.2.1")


def test_a_list_that_comes_or_goes_takes_a_reload(house: t.Callable[..., House], mirror: int) -> None:
    """HAProxy reads no file while it runs that it has not read before."""
    door = doors(mirror, "deny")[0]
    made = house(["127.0.0.10"], door)
    door.keys["haproxy_denylist_networks"] = ["127.0.0.99"]
    outcome = made.machine.apply(made.wanted(["127.0.0.10"]))
    assert outcome.plan.action == "reload"
    assert (door.admits("127.0.0.10"), door.admits("127.0.0.99")) == (True, False)
