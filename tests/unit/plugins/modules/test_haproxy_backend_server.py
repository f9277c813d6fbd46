# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module against a real HAProxy: what it says it does is what HAProxy has afterwards."""

from __future__ import annotations

import functools
import http.client
import threading
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_backend_server
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import eventually

CONFIGURATION = """
frontend f
    bind 127.0.0.1:@port-web@
    default_backend web
frontend checked
    bind 127.0.0.1:@port-up@
    http-request return status 200
backend web
    balance roundrobin
    server web1 127.0.0.1:{origin} weight 10 maxconn 50
backend app
    balance roundrobin
    server web1 127.0.0.1:@port-up@ weight 10 check inter 300ms rise 3 fall 3
    server web2 127.0.0.1:@port-up@ weight 10 check inter 60s agent-check agent-port 1 agent-inter 60s
    server off 127.0.0.1:@port-up@ disabled
    server dead 127.0.0.1:1 check inter 60s
    server local unix@@home@/none
backend static
    balance source
    server web1 127.0.0.1:@port-up@ weight 10
backend tracking
    server web3 127.0.0.1:@port-up@ track app/web1
"""
CUT_OFF = ([502], [503], ["RemoteDisconnected"])  # what a client sees of it: 2.6 answers, 3.0 closes


class Lab:
    """A HAProxy, and the module pointed at it."""

    def __init__(self, running: t.Any, run_module: t.Callable[..., dict[str, t.Any]]) -> None:
        self.running = running
        self._run = functools.partial(run_module, haproxy_backend_server)

    def run(self, *items: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        servers = {"servers": list(items)} if items else {}
        return self._run(_ansible_diff=True, **{"socket": self.running.admin, **servers, **options})

    def check(self, *items: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        return self.run(*items, _ansible_check_mode=True, **options)

    def quartet(self, *items: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        """Check, run, check, run; the first two agree, the others find nothing to do. The result of the run."""
        before = self.settings()
        predicted = self.check(*items, **options)
        assert self.settings() == before
        done = self.run(*items, **options)
        assert not done.get("failed"), done["msg"]
        assert predicted["commands"] == done["commands"]
        assert predicted["diff"] == done["diff"]
        assert predicted["changed"] is done["changed"] is True
        for again in (self.check(*items, **options), self.run(*items, **options)):
            assert (again["changed"], again["commands"]) == (False, [])
            assert again["diff"] == {"before": {}, "after": {}}
        return done

    def settings(self) -> list[list[str]]:
        """What HAProxy says of all servers, without what the time changes."""
        rows = [line.split() for line in self.running.ask("show servers state").splitlines()[2:] if line]
        return [[*row[:5], row[6], row[7], str(int(row[13]) & 4), str(int(row[14]) & 4), row[18]] for row in rows]

    def state(self, server: str) -> dict[str, str]:
        lines = self.running.ask("show servers state").splitlines()
        rows = [dict(zip(lines[1].lstrip("# ").split(), line.split())) for line in lines[2:] if line]
        return next(row for row in rows if f"{row['be_name']}/{row['srv_name']}" == server)

    def stat(self, server: str, column: str) -> str:
        lines = self.running.ask("show stat").splitlines()
        rows = [dict(zip(lines[0].lstrip("# ").split(","), line.split(","))) for line in lines[1:] if line]
        return next(row[column] for row in rows if f"{row['pxname']}/{row['svname']}" == server)

    def request(self, seconds: float) -> list[int | str]:
        """Start a request that takes so long, and see that it has begun; its answer comes into the list."""
        answers: list[int | str] = []

        def get() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.running.ports["web"], timeout=90)
            try:
                connection.request("GET", f"/{seconds}")
                answers.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                answers.append(type(error).__name__)
            finally:
                connection.close()

        threading.Thread(target=get).start()
        while self.stat("web/web1", "scur") == "0":
            time.sleep(0.01)
        return answers


@pytest.fixture
def lab(haproxy: t.Callable[..., t.Any], origin: int, run_module: t.Callable[..., dict[str, t.Any]]) -> Lab:
    return Lab(haproxy(CONFIGURATION.format(origin=origin)), run_module)


@pytest.mark.parametrize(
    ("server", "desired", "commands", "column", "value"),
    [
        ("app/web1", {"state": "drain"}, ["set server app/web1 state drain"], "srv_admin_state", "8"),
        ("app/web1", {"state": "maint"}, ["set server app/web1 state maint"], "srv_admin_state", "1"),
        # Bit 4 says "disabled" in the configuration, and stays.
        ("app/off", {"state": "ready"}, ["set server app/off state ready"], "srv_admin_state", "4"),
        ("app/web1", {"weight": 3}, ["set server app/web1 weight 3"], "srv_uweight", "3"),
        ("app/web1", {"weight": "0"}, ["set server app/web1 weight 0"], "srv_uweight", "0"),
        ("app/web1", {"weight": "256"}, ["set server app/web1 weight 256"], "srv_uweight", "256"),
        ("app/web1", {"weight": "25%"}, ["set server app/web1 weight 2"], "srv_uweight", "2"),
        ("static/web1", {"weight": "0%"}, ["set server static/web1 weight 0"], "srv_uweight", "0"),
        ("app/web1", {"address": "10.0.0.9"}, ["set server app/web1 addr 10.0.0.9"], "srv_addr", "10.0.0.9"),
        ("app/web1", {"address": "2001:DB8::0:9"}, ["set server app/web1 addr 2001:db8::9"], "srv_addr", "2001:db8::9"),
        ("app/web1", {"port": 65535}, ["set server app/web1 addr 127.0.0.1 port 65535"], "srv_port", "65535"),
        ("app/web1", {"check": False}, ["disable health app/web1"], "srv_check_state", "2"),
        ("app/web2", {"agent": False}, ["disable agent app/web2"], "srv_agent_state", "18"),
        ("tracking/web3", {"state": "maint"}, ["set server tracking/web3 state maint"], "srv_admin_state", "1"),
    ],
)
def test_one_setting(
    lab: Lab, server: str, desired: dict[str, t.Any], commands: list[str], column: str, value: str
) -> None:
    backend, name = server.split("/")
    done = lab.quartet({"backend": backend, "name": name, **desired})
    assert done["commands"] == commands
    assert lab.state(server)[column] == value
    assert done["servers"][0]["after"] == {**done["servers"][0]["before"], **done["servers"][0]["after"]}


def test_maxconn(lab: Lab) -> None:
    assert lab.quartet(backend="web", name="web1", maxconn=7)["servers"][0]["before"]["maxconn"] == 50
    assert lab.stat("web/web1", "slim") == "7"
    lab.quartet(backend="web", name="web1", maxconn=0)
    assert lab.stat("web/web1", "slim") == ""


def test_all_of_a_server_in_an_order_without_harm(lab: Lab) -> None:
    desired = {"address": "127.0.0.2", "port": 81, "weight": 5, "maxconn": 9, "check": False}
    out = lab.quartet(backend="app", name="web1", state="drain", **desired)
    assert out["commands"] == [
        "set server app/web1 state drain",
        "set server app/web1 addr 127.0.0.2 port 81",
        "set server app/web1 weight 5",
        "set maxconn server app/web1 9",
        "disable health app/web1",
    ]
    back = {"address": "127.0.0.1", "port": lab.running.ports["up"], "weight": "100%", "check": True}
    assert lab.quartet(backend="app", name="web1", state="ready", **back)["commands"][-1] == (
        "set server app/web1 state ready"
    )


def test_patterns(lab: Lab) -> None:
    done = lab.quartet(backend="*", name="web[12]", state="drain")
    names = [f"{server['backend']}/{server['name']}" for server in done["servers"]]
    assert names == ["web/web1", "app/web1", "app/web2", "static/web1"]
    assert {server["status"].split()[0] for server in done["servers"]} <= {"DRAIN", "DOWN"}


def test_nothing_to_do_tells_what_there_is(lab: Lab) -> None:
    seen = lab.run(backend="*", name="*")
    assert not seen["changed"]
    assert [server["before"] == server["after"] for server in seen["servers"]] == [True] * 8
    web = seen["servers"][0]
    assert (web["before"]["weight"], web["before"]["maxconn"], web["status"]) == (10, 50, "no check")
    assert lab.run(servers=[])["servers"] == []


def test_thousands_of_changes(haproxy: t.Callable[..., t.Any], run_module: t.Callable[..., dict[str, t.Any]]) -> None:
    pools = "".join(
        f"backend b{number}\n    balance roundrobin\n"
        + "".join(f"    server s{server} 127.0.0.1:1 weight 100\n" for server in range(20))
        for number in range(100)
    )
    lab = Lab(haproxy(pools), run_module)
    items = [{"backend": f"b{pool}", "name": f"s{server}", "weight": 7} for pool in range(100) for server in range(20)]
    assert len(lab.quartet(*items)["commands"]) == 2000
    assert {row[6] for row in lab.settings()} == {"7"}


@pytest.mark.parametrize(
    ("item", "why"),
    [
        # HAProxy would take 34463, which is 99999 in 16 bits.
        ({"port": 99999}, "port 99999 is not between 1 and 65535"),
        ({"port": 0}, "port 0 is not between"),
        ({"weight": "300"}, "weight '300' is neither"),
        ({"weight": "101%"}, "weight '101%' is neither"),
        ({"weight": "-1"}, "weight '-1' is neither"),
        ({"weight": "5x"}, "weight '5x' is neither"),
        ({"maxconn": -1}, "maxconn -1 is not between"),
        ({"address": "web1.example.com"}, "not an IP address"),
        ({"address": "127.0.0.1 port 5"}, "not an IP address"),
        ({"backend": "app;clear"}, "backend 'app;clear' is not a valid name or pattern"),
        ({"name": "web1\nset"}, "is not a valid name or pattern"),
        ({"state": "present", "name": "web*", "address": "127.0.0.1", "port": 1}, "name 'web*' is not a valid name"),
        ({"state": "present"}, "address is required"),
        ({"state": "present", "address": "127.0.0.1"}, "port is required"),
        ({"state": "present", "address": "127.0.0.1", "port": 1, "weight": "50%"}, "needs a number"),
        ({"state": "present", "address": "127.0.0.1", "port": 1, "options": ["a\nb"]}, "control character"),
        ({"state": "absent", "weight": "5", "port": 5}, "does not allow weight or port"),
        ({"state": "ready", "options": ["check"]}, "options require state 'present'"),
        ({"state": "ready", "shutdown_sessions": True}, "shutdown_sessions requires state"),
        ({"shutdown_sessions": True}, "shutdown_sessions requires state"),
    ],
)
def test_what_is_wrong_in_itself_is_said_before_anything_is_sent(lab: Lab, item: dict[str, t.Any], why: str) -> None:
    before = lab.settings()
    failed = lab.run({"backend": "app", "name": "web1", "weight": "1"}, {"backend": "app", "name": "web2", **item})
    assert failed["failed"]
    assert why in failed["msg"]
    assert failed["errors"][0]["path"] == "servers[1]"
    assert lab.settings() == before


def test_haproxy_does_not_mind_such_a_port(lab: Lab) -> None:
    """If this fails, the check above may go."""
    lab.running.ask("set server app/web1 addr 127.0.0.1 port 99999")
    assert lab.state("app/web1")["srv_port"] == "34463"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"wait_timeout": -1}, "wait_timeout: -1 is too small; use at least 0"),
        ({"wait_interval": 0}, "wait_interval: 0.0 is too small; use at least 0.05"),
        ({"timeout": 0}, "timeout: "),
        ({"state": "drain"}, "state: Set it in each item of servers"),
    ],
)
def test_wrong_options(lab: Lab, options: dict[str, t.Any], why: str) -> None:
    failed = lab.run({"backend": "app", "name": "web1"}, **options)
    assert failed["failed"]
    assert why in failed["msg"]


def test_errors_are_told_per_item_and_the_rest_is_done(lab: Lab) -> None:
    items = [
        {"backend": "app", "name": "web1", "weight": 1},
        {"backend": "ap", "name": "web1", "weight": 1},
        {"backend": "static", "name": "web1", "weight": 5},
        {"backend": "app", "name": "web11", "weight": 1},
        {"backend": "*", "name": "db*", "weight": 1},
        {"backend": "web", "name": "web1", "check": True},
        {"backend": "web", "name": "web1", "maxconn": 5},
        {"backend": "app", "name": "local", "address": "127.0.0.1", "port": 80},
        {"backend": "app", "name": "web2", "weight": "5%"},
        {"backend": "app", "name": "off", "state": "ready"},
    ]
    family = "Update for the current server address family"
    failed = lab.run(*items)
    assert (failed["failed"], failed["changed"]) == (True, True)
    assert [
        (error["path"], error["why"].split(": ")[-1].split(" by 'stats")[0].strip(".")) for error in failed["errors"]
    ] == [
        ("servers[1]", "There is no such backend. Did you mean app?"),
        ("servers[2]", "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'"),
        ("servers[3]", "There is no such server. Did you mean web1?"),
        ("servers[4]", "No server has a similar name"),
        ("servers[5]", "Its configuration has no check to enable"),
        ("servers[6]", "servers[5] is for the same server"),
        ("servers[7]", f"{family} is only supported through configuration file"),
        ("servers[8]", "5% of its weight 10 is less than 1, and 0 would end its traffic"),
    ]
    assert failed["msg"].count("\n") == 7
    assert failed["commands"] == ["set server app/web1 weight 1", "set server app/off state ready"]
    assert lab.state("app/web1")["srv_uweight"] == "1"
    assert lab.state("app/off")["srv_admin_state"] == "4"


@pytest.mark.parametrize("level", ["user", "operator"])
def test_a_socket_that_may_not_is_an_error(lab: Lab, level: str) -> None:
    failed = lab.run(backend="app", name="web1", state="drain", socket=str(lab.running.home / level))
    assert failed["failed"]
    assert failed["msg"].endswith("HAProxy rejected 'set server app/web1 state drain': Permission denied.")
    assert failed["changed"] is False


def test_no_socket(lab: Lab) -> None:
    failed = lab.run(backend="app", name="web1", state="drain", socket="/none/admin.sock")
    assert "/none/admin.sock: No such file or directory" in failed["msg"]


def test_a_socket_of_tcp(lab: Lab) -> None:
    lab.quartet(backend="app", name="web1", state="drain", socket=f"127.0.0.1:{lab.running.ports['stats']}")


# Waiting


def test_up_is_up_in_full(lab: Lab) -> None:
    lab.run(backend="app", name="web1", state="maint")
    assert lab.run(backend="app", name="web1", state="ready")["servers"][0]["status"] == "UP 1/3"
    done = lab.run(backend="app", name="web1", state="ready", wait=True, wait_timeout=60, wait_interval=0.05)
    assert (done["changed"], done["servers"][0]["status"]) == (False, "UP")


def test_a_server_without_check_is_up(lab: Lab) -> None:
    done = lab.run(backend="app", name="off", state="ready", wait=True, wait_timeout=1)
    assert done["servers"][0]["status"] == "no check"


def test_a_server_that_does_not_come_up(lab: Lab) -> None:
    lab.run(backend="app", name="dead", state="maint")
    item = {"backend": "app", "name": "dead", "state": "ready"}
    failed = lab.run(item, wait=True, wait_timeout=0, on_timeout="force")
    assert failed["msg"] == "servers[0] (app/dead): After 0 s it is not up: HAProxy reports 'UP 1/3'."
    assert failed["changed"] is True
    left = lab.run(item, wait=True, wait_timeout=0, on_timeout="leave")
    assert "(app/dead): After 0 s it is not up" in str(left["warnings"])


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_wait_for_the_last_session(lab: Lab, state: str) -> None:
    answers = lab.request(4)
    done = lab.run(backend="web", name="web1", state=state, wait=True, wait_timeout=60, wait_interval=0.05)
    assert answers == [200]
    assert done["servers"][0]["sessions"] == 0


def test_sessions_that_last_too_long(lab: Lab) -> None:
    answers = lab.request(9)
    item = {"backend": "web", "name": "web1", "state": "drain"}
    failed = lab.run(item, wait=True, wait_timeout=0, wait_interval=0.05)
    assert failed["msg"] == "servers[0] (web/web1): After 0 s it still has 1 session."
    left = lab.run(item, wait=True, wait_timeout=0, on_timeout="leave")
    assert (left["changed"], left["servers"][0]["sessions"]) == (False, 1)
    assert "it still has 1 session" in str(left["warnings"])
    assert answers == []
    forced = lab.run(item, wait=True, wait_timeout=0, on_timeout="force")
    assert forced["commands"] == ["shutdown sessions server web/web1"]
    eventually(lambda: answers in CUT_OFF)


def test_sessions_are_ended_at_once(lab: Lab) -> None:
    answers = lab.request(9)
    item = {"backend": "web", "name": "web1", "state": "maint", "shutdown_sessions": True}
    predicted = lab.check(item)
    done = lab.run(item)
    assert done["commands"] == predicted["commands"]
    assert done["commands"] == ["set server web/web1 state maint", "shutdown sessions server web/web1"]
    eventually(lambda: answers in CUT_OFF)
    assert lab.run(item)["changed"] is False


def test_a_reload_in_the_meantime_does_no_harm(lab: Lab) -> None:
    lab.run(backend="app", name="web1", state="maint")
    lab.running.ask("set server app/web1 health down")
    reload = threading.Thread(target=lab.running.reload)
    reload.start()
    done = lab.run(backend="app", name="web1", weight=10, state="ready", wait=True, wait_timeout=60, wait_interval=0.05)
    reload.join()
    assert done["servers"][0]["status"] == "UP"


# Adding and removing


def test_add_and_remove(lab: Lab) -> None:
    port = lab.running.ports["up"]
    item = {
        "backend": "app",
        "name": "new",
        "state": "present",
        "address": "127.0.0.1",
        "port": port,
        "check": True,
        "weight": 4,
        "maxconn": 9,
        "options": ["inter 300ms rise 2", "sni 'str(a b)'"],
    }
    done = lab.quartet(item, wait=True, wait_timeout=60, wait_interval=0.05)
    assert done["commands"] == [
        f"add server app/new 127.0.0.1:{port} check weight 4 maxconn 9 inter 300ms rise 2 sni str(a\\ b)",
        "enable health app/new",
        "set server app/new state drain",
        "set server app/new health down",
        "set server app/new state ready",
    ]
    assert (done["servers"][0]["before"], done["servers"][0]["status"]) == ({}, "UP")
    assert lab.quartet({**item, "weight": 5, "port": 1})["commands"] == [
        "set server app/new addr 127.0.0.1 port 1",
        "set server app/new weight 5",
    ]
    gone = lab.quartet(backend="app", name="new", state="absent", wait=True)
    assert gone["commands"] == ["set server app/new state maint", "del server app/new"]
    assert gone["servers"][0]["after"] == {}


def test_ipv6(lab: Lab) -> None:
    item = {"backend": "app", "name": "new", "state": "present", "address": "2001:DB8:0::1", "port": 80}
    assert lab.quartet(item)["commands"][0] == "add server app/new [2001:db8::1]:80"


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"options": ["check", "enabled"]}, "no traffic"),
        ({"options": ["bogus"]}, "unknown keyword 'bogus'"),
        ({"backend": "static"}, "Backend must use a dynamic load balancing"),
        ({"backend": "none"}, "There is no such backend"),
    ],
)
def test_what_cannot_be_added(lab: Lab, item: dict[str, t.Any], why: str) -> None:
    before = lab.settings()
    new = {"backend": "app", "name": "new", "state": "present", "address": "127.0.0.1", "port": 1}
    failed = lab.run({**new, **item})
    assert failed["failed"]
    assert why in failed["msg"]
    assert (failed["changed"], lab.settings()) == (False, before)


def test_what_is_not_there_is_absent(lab: Lab) -> None:
    items = [("app", "none"), ("none", "none"), ("app", "none*")]
    done = lab.run(*[{"backend": backend, "name": name, "state": "absent"} for backend, name in items])
    assert done["changed"] is False


def test_a_tracked_server_is_not_removed(lab: Lab) -> None:
    failed = lab.run(backend="app", name="web1", state="absent")
    assert "other configuration elements pointing to it" in failed["msg"]
    assert "It is in maintenance now." in failed["msg"]
    assert lab.state("app/web1")["srv_admin_state"] == "1"


def test_a_server_with_sessions_is_removed_when_they_are_gone(lab: Lab) -> None:
    answers = lab.request(4)
    item = {"backend": "web", "name": "web1", "state": "absent"}
    left = lab.run(item, wait=True, wait_timeout=0, on_timeout="leave")
    assert left["servers"][0]["after"]["state"] == "maint"
    done = lab.run(item, wait=True, wait_timeout=60, wait_interval=0.05)
    assert done["commands"] == ["del server web/web1"]
    assert answers == [200]


def test_a_server_is_removed_with_its_sessions(lab: Lab) -> None:
    answers = lab.request(9)
    done = lab.run(backend="web", name="web1", state="absent", shutdown_sessions=True)
    assert done["commands"] == [
        "set server web/web1 state maint",
        "shutdown sessions server web/web1",
        "del server web/web1",
    ]
    eventually(lambda: answers in CUT_OFF)


# With a ledger


def states(lab: Lab, *names: str) -> list[str]:
    """As HAProxy's own numbers: 0 ready, 1 maintenance, 8 drain."""
    return [lab.state(name)["srv_admin_state"] for name in names]


def test_only_what_was_done_is_undone(lab: Lab) -> None:
    names = ["app/web1", "app/web2", "app/dead", "web/web1", "app/off"]
    items = [dict(zip(("backend", "name"), name.split("/"))) for name in names]
    lab.running.ask("set server app/web2 state maint", "set server app/dead state drain")
    ledger = str(lab.running.home / "ledger")

    def bring(state: str) -> list[str]:
        wanted = [{**item, "state": state} for item in items]
        before = lab.settings()
        predicted = lab.check(*wanted, ledger=ledger)
        assert lab.settings() == before
        done = lab.run(*wanted, ledger=ledger)
        assert (predicted["commands"], predicted.get("warnings")) == (done["commands"], done.get("warnings"))
        assert lab.run(*wanted, ledger=ledger)["changed"] is False
        return [warning["event"]["msg"] for warning in done.get("warnings", [])]

    told = bring("drain")
    assert states(lab, *names) == ["8", "1", "8", "8", "5"]
    assert told == [
        "servers[1] (app/web2): its configuration or another user set it to maint, so it stays there.",
        "servers[4] (app/off): its configuration or another user set it to maint, so it stays there.",
    ]
    bring("maint")
    assert states(lab, *names) == ["1", "1", "1", "1", "5"]
    # Meanwhile somebody takes one of ours for something else.
    lab.running.ask("set server web/web1 state ready", "set server web/web1 state drain")
    told = bring("ready")
    assert states(lab, *names) == ["0", "1", "8", "8", "5"]
    assert told == [
        "servers[1] (app/web2): its configuration or another user set it to maint, so it stays there.",
        "servers[2] (app/dead): it is set back to drain, its state before.",
        "servers[3] (web/web1): its configuration or another user set it to drain, so it stays there.",
        "servers[4] (app/off): its configuration or another user set it to maint, so it stays there.",
    ]
    bring("drain")
    bring("ready")
    assert states(lab, *names) == ["0", "1", "8", "8", "5"]


def test_what_was_taken_out_is_known_though_the_run_was_cut_off(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_arguments: t.Any) -> t.NoReturn:
        lab.running.ask("set server app/web1 state drain")
        raise LbforgeError("cut off")

    item, ledger = {"backend": "app", "name": "web1"}, str(lab.running.home / "ledger")
    with monkeypatch.context() as patched:
        patched.setattr(haproxy_backend_server, "carry_out", cut_off)
        assert lab.run({**item, "state": "drain"}, ledger=ledger)["msg"] == "cut off"
    assert states(lab, "app/web1") == ["8"]
    lab.run({**item, "state": "ready"}, ledger=ledger)
    assert states(lab, "app/web1") == ["0"]


@pytest.mark.parametrize("text", ["", "{}x", "[[1]]"])
def test_a_ledger_that_cannot_be_read(lab: Lab, text: str) -> None:
    (lab.running.home / "ledger").write_text(text)
    failed = lab.run({"backend": "app", "name": "web1", "state": "ready"}, ledger=str(lab.running.home / "ledger"))
    assert "Cannot read" in failed["msg"]
