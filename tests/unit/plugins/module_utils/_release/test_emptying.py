# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load balancer that serves is not emptied, unless that is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted, rollback_target
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import CONFIGURATION, Machine

STATISTICS = """
listen stats
    bind 127.0.0.1:@port@
    stats enable
"""


def empty(machine: Machine, more: str = "") -> Wanted:
    """A release with nothing but a socket for commands, and at most a page of statistics."""
    text = CONFIGURATION.partition("frontend")[0].format(home=machine.home)
    return Wanted(Release.made_of({"haproxy.cfg": text + more.replace("@port@", str(machine.port))}))


@pytest.mark.parametrize("more", ["", STATISTICS])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_load_balancer_that_serves_goes_on(machine: Machine, more: str, check_mode: bool) -> None:
    applied = machine.apply(machine.wanted("one"))
    with pytest.raises(LbforgeError, match=r"serves no client: .* HAProxy has frontend web-front-1.*allow_empty"):
        machine.apply(empty(machine, more), check_mode=check_mode)
    assert machine.answer() == "one x"
    assert machine.host().store.current == applied.wanted.release.id


def test_whoever_says_so_empties_it(machine: Machine) -> None:
    machine.apply(machine.wanted("one"))
    outcome = machine.apply(replace(empty(machine), allow_empty=True))
    assert (outcome.plan.action, outcome.worker.description) == ("reload", outcome.wanted.release.id)
    with pytest.raises(ConnectionRefusedError):
        machine.answer()
    # What is empty already may stay so, and be filled.
    assert machine.apply(empty(machine)).plan.action == "nothing"
    machine.apply(machine.wanted("two"))
    assert machine.answer() == "two x"


def test_a_host_that_never_served_may_begin_empty(machine: Machine) -> None:
    assert machine.apply(empty(machine)).plan.action == "start"


def test_the_way_back_to_an_empty_haproxy_is_refused_too(machine: Machine) -> None:
    """The distribution's configuration has no frontend; it is kept as "original"."""
    bare = CONFIGURATION.partition("frontend")[0].format(home=machine.home).replace("    description @release@\n", "")
    (machine.home / "etc" / "haproxy.cfg").write_text(bare)
    machine.apply(machine.wanted("one"))
    wanted = Wanted(rollback_target(machine.host().store, "original"), is_rollback=True)
    with pytest.raises(LbforgeError, match="Release original serves no client"):
        machine.apply(wanted)
    assert machine.answer() == "one x"
    machine.apply(replace(wanted, allow_empty=True))
    with pytest.raises(ConnectionRefusedError):
        machine.answer()
