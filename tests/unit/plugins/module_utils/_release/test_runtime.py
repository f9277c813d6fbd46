# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes that a running HAProxy takes without a reload, seen by a client and by HAProxy's own words."""

from __future__ import annotations

import socket
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.live import Live
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    Machine,
    free_port,
    killed,
    served_certificate,
)

# The servers are frontends of the same HAProxy, each on its own address, and say their address.
TEMPLATE = """\
global
    description @release@
    stats socket {home}/admin mode 600 level admin
    server-state-file {home}/states
    hard-stop-after 60s
defaults
    mode http
    timeout client 60s
    timeout connect 10s
    timeout server 60s
    timeout queue 1s
    option idle-close-on-response
    load-server-state-from-file global
frontend sites
    bind {sites}
    http-request return status 200 content-type text/plain lf-string "%[dst]"
frontend web
    bind 127.0.1.1:{port}
    http-request deny if {{ path -f ETC/deny.acl }}
    use_backend %[path,map_beg(ETC/paths.map,web)]
backend web
    balance roundrobin
POOL
backend other
    balance leastconn
    server o 127.0.0.9:{port}
"""
POOL = ("1 check inter 200ms weight 1", "2 check inter 200ms weight 1")


class Site:
    """A host with a pool."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def wanted(
        self,
        *pool: str,
        paths: str = "/other other\n",
        deny: str = "/no\n",
        extra: str = "",
        pem: bytes = b"",
        moved: tuple[str, str] = ("", ""),
    ) -> Wanted:
        """Servers as LAST_BYTE OPTION…; the byte is that of the address, and part of the name."""
        lines = [line.partition(" ") for line in pool or POOL]
        port = self.machine.port
        servers = [f"    server s{byte} 127.0.0.{byte}:{port} {options}" for byte, _blank, options in lines]
        sites = ",".join(f"127.0.0.{byte}:{port}" for byte in range(1, 10))
        text = TEMPLATE.replace("POOL", "\n".join(servers)).format(home=self.machine.home, port=port, sites=sites)
        text = text.replace(*moved) + extra
        files = {"haproxy.cfg": text.replace("ETC", str(self.machine.etc)), "paths.map": paths, "deny.acl": deny}
        return Wanted(Release.made_of(files), {"a.pem": pem} if pem else {})

    def answers(self, path: str = "/", number: int = 12) -> dict[str, int]:
        """Which server answers how often."""
        found: dict[str, int] = {}
        for _number in range(number):
            with socket.create_connection(("127.0.1.1", self.machine.port), timeout=60) as client:
                client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                text = client.makefile().read()
            answer = text.rpartition("\n")[2] if " 200 " in text else text.split()[1]
            found[answer] = found.get(answer, 0) + 1
        return found

    def servers(self) -> dict[str, tuple[str, str, str, str]]:
        """What HAProxy knows: address, port, weight, state as its own numbers."""
        rows = [line.split() for line in self.machine.tell("show servers state").splitlines()[2:] if line]
        return {f"{row[1]}/{row[3]}": (row[4], row[18], row[7], row[6]) for row in rows}


@pytest.fixture
def site(machine: Machine) -> Site:
    made = Site(machine)
    machine.apply(made.wanted())
    return made


def apply_live(site: Site, wanted: Wanted) -> list[str]:
    """Apply, and be sure that nothing was reloaded, and that the run after finds nothing to do."""
    pid = site.machine.pid
    predicted = site.machine.apply(wanted, check_mode=True)
    outcome = site.machine.apply(wanted)
    assert (outcome.plan.action, outcome.plan) == ("runtime", predicted.plan)
    assert site.machine.pid == pid
    assert site.machine.apply(wanted).plan.action == "nothing"
    return outcome.plan.commands


def test_weights(site: Site) -> None:
    assert site.answers() == {"127.0.0.1": 6, "127.0.0.2": 6}
    apply_live(site, site.wanted("1 check inter 200ms weight 1", "2 check inter 200ms weight 2"))
    assert site.answers() == {"127.0.0.1": 4, "127.0.0.2": 8}


def test_an_address(site: Site) -> None:
    apply_live(site, site.wanted(moved=("s2 127.0.0.2", "s2 127.0.0.7")))
    assert site.answers() == {"127.0.0.1": 6, "127.0.0.7": 6}


def test_servers_come_and_go(site: Site) -> None:
    apply_live(site, site.wanted(*POOL, "3 check inter 100ms rise 1 weight 1"))
    while "127.0.0.3" not in site.answers():  # it waits for its checks
        pass
    assert site.answers() == dict.fromkeys(("127.0.0.1", "127.0.0.2", "127.0.0.3"), 4)
    apply_live(site, site.wanted(POOL[1]))
    assert site.answers() == {"127.0.0.2": 12}


def test_all_servers_are_replaced_and_nobody_waits(site: Site) -> None:
    apply_live(site, site.wanted("4 check inter 10s weight 1", "5 check inter 10s weight 1"))
    assert site.answers() == {"127.0.0.4": 6, "127.0.0.5": 6}


def test_a_new_server_that_is_dead_gets_nothing(site: Site) -> None:
    dead = site.wanted(*POOL, "3 check inter 100ms weight 1 port 1")
    apply_live(site, dead)
    assert site.answers(number=30) == {"127.0.0.1": 15, "127.0.0.2": 15}


def test_a_dead_pool_does_not_wait(site: Site) -> None:
    """Who adds a server because all are dead needs it now."""
    site.machine.apply(site.wanted("1 check inter 100ms fall 1 port 1"))
    while site.answers(number=1) != {"503": 1}:
        pass
    apply_live(site, site.wanted("1 check inter 100ms fall 1 port 1", "3 check inter 10s rise 3"))
    assert site.answers() == {"127.0.0.3": 12}


def test_sessions_that_would_end_with_their_server_take_a_reload(site: Site) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.8", port)) as slow:
        line = f"server slow 127.0.0.8:{port} on-marked-down shutdown-sessions"
        site.machine.apply(site.wanted("1 disabled", moved=("backend other", f"{line}\nbackend other")))
        with socket.create_connection(("127.0.1.1", site.machine.port), timeout=60) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            served, _address = slow.accept()
            with served:
                assert site.machine.apply(site.wanted("1 disabled")).plan.action == "reload"
                served.sendall(b"HTTP/1.0 200 OK\r\n\r\nlate")
            assert client.makefile().read().endswith("late")


def test_a_backslash_more_is_a_change(site: Site) -> None:
    """A rule that looks alike once it is split into words."""
    old = (
        "http-request deny if { path -f",
        "http-request deny if { path_reg ^/.git }\n    http-request deny if { path -f",
    )
    new = (old[0], old[1].replace("/.git", "/\\.git"))
    site.machine.apply(site.wanted(moved=old))
    assert site.answers("/agit") == {"403": 12}
    assert site.machine.apply(site.wanted(moved=new)).plan.action == "reload"
    assert site.answers("/agit") == {"127.0.0.1": 6, "127.0.0.2": 6}


def test_maintenance_and_maxconn(site: Site) -> None:
    apply_live(site, site.wanted("1 check inter 200ms weight 1 disabled", "2 check inter 200ms weight 1 maxconn 7"))
    assert site.answers() == {"127.0.0.2": 12}
    row = next(line for line in site.machine.tell("show stat -1 4 -1").splitlines() if line.startswith("web,s2,"))
    assert row.split(",")[6] == "7"
    apply_live(site, site.wanted())
    assert site.answers() == {"127.0.0.1": 6, "127.0.0.2": 6}


def test_maps_and_acls(site: Site) -> None:
    assert (site.answers("/other"), site.answers("/no")) == ({"127.0.0.9": 12}, {"403": 12})
    apply_live(site, site.wanted(paths="# none\n/elsewhere other\n", deny="/never\n/other\n"))
    assert site.answers("/elsewhere") == {"127.0.0.9": 12}
    assert site.answers("/other") == {"403": 12}
    assert site.answers("/no") == {"127.0.0.1": 6, "127.0.0.2": 6}


def test_certificates(site: Site, pems: list[bytes]) -> None:
    port = free_port()
    extra = f"frontend tls\n    bind 127.0.0.1:{port} ssl crt {site.machine.ssl}/a.pem\n"
    site.machine.apply(site.wanted(extra=extra, pem=pems[0]))
    first = served_certificate(port)
    assert apply_live(site, site.wanted(extra=extra, pem=pems[1])) == [
        f"set ssl cert {site.machine.ssl}/a.pem",
        f"commit ssl cert {site.machine.ssl}/a.pem",
    ]
    assert served_certificate(port) != first


def test_there_and_back_and_a_reload_by_hand(site: Site) -> None:
    first, second = site.wanted(), site.wanted(POOL[0])
    for wanted in (second, first, second):
        apply_live(site, wanted)
    site.machine.host().haproxy.reload(second.release.description)
    assert site.machine.apply(second).plan.action == "nothing"
    assert site.answers() == {"127.0.0.1": 12}
    apply_live(site, first)


def test_a_comment_needs_nothing(site: Site) -> None:
    assert apply_live(site, site.wanted(extra="    # nobody reads this\n")) == []


def test_a_reload_may_be_asked_for(site: Site) -> None:
    pid = site.machine.pid
    outcome = site.machine.apply(replace(site.wanted(POOL[0]), may_use_runtime=False))
    assert (outcome.plan.action, outcome.plan.commands) == ("reload", [])
    assert outcome.plan.reason.endswith("it needs a reload: it was requested.")
    assert site.machine.pid != pid


def test_what_fails_at_run_time_takes_a_reload(site: Site) -> None:
    """Somebody removed the server by hand: there is nothing to set a weight of."""
    site.machine.tell("set server web/s2 state maint;del server web/s2")
    pid = site.machine.pid
    wanted = site.wanted("1 check inter 200ms weight 1", "2 check inter 200ms weight 2")
    outcome = site.machine.apply(wanted)
    assert outcome.plan.action == "reload"
    assert (
        "because a command failed: HAProxy rejected 'set server web/s2 weight 2': No such server" in outcome.plan.reason
    )
    assert site.machine.pid != pid
    assert site.answers() == {"127.0.0.1": 4, "127.0.0.2": 8}
    assert site.machine.apply(wanted).plan.action == "nothing"


def test_a_server_with_a_long_connection_goes_with_a_reload(site: Site) -> None:
    """Its request is answered in full by the old worker."""
    port = free_port()
    with socket.create_server(("127.0.0.8", port)) as slow:
        with_slow = f"server slow 127.0.0.8:{port}\nbackend other"
        site.machine.apply(site.wanted("1 check weight 1", moved=("backend other", with_slow)))
        site.machine.tell("set server web/s1 state maint")
        with socket.create_connection(("127.0.1.1", site.machine.port), timeout=60) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            served, _address = slow.accept()
            with served:
                outcome = site.machine.apply(site.wanted("1 check weight 1"))
                assert outcome.plan.action == "reload"
                assert "Server still has connections attached to it" in outcome.plan.reason
                served.sendall(b"HTTP/1.0 200 OK\r\n\r\nlate")
            assert client.makefile().read().endswith("late")


def test_a_reload_that_fails_after_commands_puts_everything_back(site: Site) -> None:
    """Half of the commands were done, and then the reload did not work either."""

    class NoReload(HAProxy):
        failed = False

        def reload(self, description: str | None) -> t.Any:
            if not NoReload.failed:
                NoReload.failed = True
                raise LbforgeError("no reload today")
            return super().reload(description)

    site.machine.tell("set server web/s2 state maint;del server web/s2")
    before, host = site.machine.tree(), site.machine.host()
    master = host.haproxy._master
    host = replace(host, haproxy=NoReload(master, host.haproxy._service, 10))
    with pytest.raises(LbforgeError, match="no reload today") as caught:
        site.machine.apply(site.wanted("1 check inter 200ms weight 9", "2 check inter 200ms weight 2"), host)
    assert "HAProxy runs with them" in str(caught.value)
    assert site.machine.tree() == before
    assert site.answers() == {"127.0.0.1": 6, "127.0.0.2": 6}


# State


def test_what_was_done_by_hand_survives_a_reload(site: Site) -> None:
    site.machine.tell("set server web/s1 state drain;set server other/o weight 7")
    outcome = site.machine.apply(site.wanted(extra="backend new\n"))
    assert outcome.plan.action == "reload"
    assert site.answers() == {"127.0.0.2": 12}
    assert site.servers()["other/o"][2] == "7"
    assert (site.machine.home / "states").read_text() == "1\n"


def test_a_weight_of_the_configuration_wins_over_older_ones(site: Site) -> None:
    """Also when commands brought it since the worker was started, which HAProxy does not count."""
    weights = ("1 check weight 10", "2 check weight 10")
    site.machine.apply(site.wanted("1 check weight 10", "2 check weight 10", extra="backend x\n"))
    for first, extra in (("1 check weight 50", "backend x\n"), ("1 check weight 10", "backend y\n")):
        site.machine.apply(site.wanted(first, weights[1], extra=extra))
    assert site.servers()["web/s1"][2] == "10"
    # One set by hand afterwards stays, though the worker knows it by another weight of its start.
    site.machine.apply(site.wanted("1 check weight 20", weights[1], extra="backend y\n"))
    site.machine.tell("set server web/s1 weight 33")
    assert site.machine.apply(site.wanted("1 check weight 20", weights[1], extra="backend z\n")).plan.action == "reload"
    assert site.servers()["web/s1"][2] == "33"


def test_an_address_of_the_configuration_wins_over_older_ones(site: Site) -> None:
    port = free_port()
    moved = (f"s2 127.0.0.2:{site.machine.port}", f"s2 127.0.0.7:{port}")
    assert site.machine.apply(site.wanted(extra="backend new\n", moved=moved)).plan.action == "reload"
    assert site.servers()["web/s2"][:2] == ("127.0.0.7", str(port))


def test_a_port_set_by_hand_does_not_mix_with_the_address(site: Site) -> None:
    site.machine.tell(f"set server web/s2 addr 127.0.0.9 port {free_port()}")
    site.machine.apply(site.wanted(extra="backend new\n"))
    assert site.servers()["web/s2"][:2] == ("127.0.0.2", str(site.machine.port))


# Killed

STEPS: list[tuple[type, str, int]] = [
    (ReleaseStore, "commit", 1),
    (ReleaseStore, "begin", 1),
    (CertificateStore, "write", 1),
    (ReleaseStore, "switch", 1),
    (Live, "execute", 1),
    (Session, "run", 12),
    (Session, "run", 16),
    (Session, "run", 20),
    (ReleaseStore, "finish", 1),
]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("kind", "step", "count"), STEPS, ids=[f"{case[1]}-{case[2]}" for case in STEPS])
def test_killed_anywhere(site: Site, kind: type, step: str, count: int, late: bool) -> None:
    wanted = site.wanted(
        "2 check inter 200ms weight 3", "3 check inter 200ms weight 1", paths="/x other\n", deny="/y\n"
    )
    killed(site.machine, wanted, kind, step, count, late=late)
    assert set(site.answers()) <= {"127.0.0.1", "127.0.0.2", "127.0.0.3"}
    site.machine.apply(wanted)
    assert site.answers() == {"127.0.0.2": 9, "127.0.0.3": 3}
    assert (site.answers("/x"), site.answers("/y")) == ({"127.0.0.9": 12}, {"403": 12})
    assert site.machine.apply(wanted).plan.action == "nothing"
