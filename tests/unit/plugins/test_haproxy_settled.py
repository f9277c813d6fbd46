# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When HAProxy has settled: by the statistics of a real one, and by what happened before.

module_utils/_vrrp/test_settling.py sees what comes of it on two nodes.
"""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._node import haproxy_settled
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import parse


# Nobody listens on port 9.
@pytest.mark.parametrize(
    "servers, is_settled",
    [
        ("server s 127.0.0.1:@port-none@", True),
        ("server s 127.0.0.1:{origin} check inter 200", True),
        ("server s 127.0.0.1:{origin} check inter 200\n    server d 127.0.0.1:9 check inter 100", False),
        ("server s 127.0.0.1:9 check inter 100 disabled", True),
        ("server s 127.0.0.1:{origin} check inter 100\n    server b 127.0.0.1:9 check inter 100 backup", False),
        ("server s 127.0.0.1:{origin} check inter 100\n    server t 127.0.0.1:9 track web/s", True),
    ],
    ids=["no check", "up", "one is down", "maintenance", "a backup is down", "tracked"],
)
def test_judged_by_haproxy(haproxy: t.Callable[..., t.Any], origin: int, servers: str, is_settled: bool) -> None:
    running = haproxy(f"backend web\n    {servers.format(origin=origin)}\n")

    deadline = time.monotonic() + 20
    while "INI" in (stats := running.ask("show stat -1 4 -1")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "INI" not in stats
    assert haproxy_settled.ask(running.admin) is is_settled


def test_a_server_is_not_up_before_its_first_check(haproxy: t.Callable[..., t.Any]) -> None:
    """HAProxy takes it for up until then. TEST-NET-1 does not answer, so the check takes its time."""
    running = haproxy("backend web\n    server s 192.0.2.1:9 check inter 60s\n")

    stats = running.ask("show stat -1 4 -1")
    if ",UP," in stats:  # a machine with a firewall may refuse it at once
        assert "INI" in stats
    assert haproxy_settled.ask(running.admin) is False


def test_a_haproxy_that_does_not_answer_has_judged_nothing(tmp_path: pathlib.Path) -> None:
    assert haproxy_settled.ask(str(tmp_path / "no.sock")) is False


def test_an_answer_without_a_column_judges_nothing(
    haproxy: t.Callable[..., t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check may be long over: that nothing is seen of it is not that it is good."""
    running = haproxy("backend web\n    server s 127.0.0.1:@port-none@\n")
    assert haproxy_settled.ask(running.admin) is True
    whole = running.ask("show stat -1 4 -1")
    for column in ("status", "check_status"):
        renamed = whole.replace(f",{column},", ",renamed,", 1)
        monkeypatch.setattr(RuntimeClient, "ask", lambda _self, _command, answer=renamed: answer)
        assert haproxy_settled.ask(running.admin) is False


class Clock:
    """Settling, told and asked at given seconds."""

    def __init__(self) -> None:
        self.settling = haproxy_settled.Settling(60.0)
        self.asked = 0

    def at(self, now: float, up: bool = False, start: bool = False, link: bool = True) -> bool:
        def are_servers_up() -> bool:
            self.asked += 1
            return up

        if start:
            self.settling.returned(now)
        self.settling.link(link, now)
        self.settling.judge(now, are_servers_up)
        return bool(self.settling.is_settled)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_settles_when_the_servers_are_up(clock: Clock) -> None:
    assert not clock.at(0, start=True)
    assert not clock.at(10)
    assert clock.at(11, up=True)
    # A server that fails later is no business of keepalived, and HAProxy is not asked any more.
    assert clock.at(12, up=False)
    assert clock.asked == 3


def test_it_settles_after_a_while_whatever_its_servers_do(clock: Clock) -> None:
    assert not clock.at(0, start=True)
    assert not clock.at(59)
    assert clock.at(60)


def test_the_loss_of_a_link_counts_from_its_return(clock: Clock) -> None:
    assert clock.at(0)
    assert not clock.at(1, up=True, link=False)
    assert not clock.at(300, up=True, link=False)
    assert clock.asked == 0
    assert not clock.at(301)
    assert not clock.at(360)
    assert clock.at(361)


def test_a_third_return_within_the_time_has_to_last(clock: Clock) -> None:
    assert clock.at(0, up=True, start=True)
    assert clock.at(20, up=True, start=True)
    assert not clock.at(30, up=True, link=False)
    assert not clock.at(31, up=True), "a link that comes back is a return, too"
    assert not clock.at(90, up=True)
    assert clock.at(91, up=True)
    # All of it is long ago now.
    assert clock.at(92, up=True, start=True)


def test_returns_far_apart_are_no_flapping(clock: Clock) -> None:
    assert all(clock.at(second, up=True, start=True) for second in range(0, 400, 31))


INSTANCE = "vrrp_instance {name} {{\n interface {own}\n track_interface {{\n {tracked}\n }}\n}}\n"


@pytest.mark.parametrize(
    "text, links",
    [
        (INSTANCE.format(name="a", own="eth0", tracked="eth1 weight -9\n eth2 weight -9"), {"eth1", "eth2"}),
        (
            INSTANCE.format(name="a", own="eth0", tracked="eth1 weight -9")
            + INSTANCE.format(name="b", own="eth1", tracked=""),
            {"eth1"},
        ),
        # all on one network, so the servers are there as well
        (INSTANCE.format(name="a", own="eth0", tracked="") * 2, {"eth0"}),
        ("vrrp_sync_group g {\n track_interface {\n eth3 weight -9\n }\n}\n", {"eth3"}),
        ("", set()),
    ],
)
def test_the_links_of_a_configuration(text: str, links: set[str]) -> None:
    assert haproxy_settled.server_links(parse(text)) == links
