# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example playbook of chapter 5, as printed, does what it says."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from bench import Node, until


@pytest.fixture
def pages(balancer: Node) -> t.Callable[[], set[str]]:
    """Who answers through the load balancer. It has no VIP but its own address."""
    command = ["curl", "--silent", "--fail", "--max-time", "5", f"http://{balancer.address}/"]
    return lambda: {
        subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() for _request in range(6)
    }


@pytest.fixture
def without_ok(balancer: Node, web: Node) -> t.Iterator[None]:
    """The first web server answers with status 200, but does not say OK.

    After a restart the first check decides; a reload hands on how the servers were.
    """
    web.run("echo KO web1 >/srv/page")
    balancer.systemctl("restart haproxy")
    yield
    web.run("echo OK web1 >/srv/page")
    balancer.systemctl("restart haproxy")


def test_the_first_of_the_group_answers(pages: t.Callable[[], set[str]]) -> None:
    assert pages() == {"OK web1"}


@pytest.mark.usefixtures("without_ok")
def test_the_backup_answers_when_the_check_finds_no_ok(pages: t.Callable[[], set[str]]) -> None:
    assert until(lambda: pages() == {"OK web2"})


def test_the_first_is_back(pages: t.Callable[[], set[str]]) -> None:
    assert until(lambda: pages() == {"OK web1"})


def test_haproxy_has_nothing_to_say_of_the_configuration(balancer: Node) -> None:
    result = balancer.host.run("haproxy -c -f /etc/haproxy/haproxy.cfg")
    assert result.succeeded
    assert "[WARNING]" not in result.stdout + result.stderr
