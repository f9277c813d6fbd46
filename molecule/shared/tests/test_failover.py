# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that holds the virtual addresses dies and returns; molecule/failover has all other faults, and figures."""

from __future__ import annotations

from bench import Bench, probing, until

# What else this machine does can spoil a measurement, but not three times in a row.
TRIES = 3


def test_vips_move_and_clients_hardly_notice(bench: Bench) -> None:
    for _try in range(TRIES):
        assert until(bench.settled, 40)
        (holder,) = bench.holders(bench.external_vip)
        holder.pin_bridge("eth1")
        with probing(8001, bench.external_vip, bench.ipv6_vip) as clients:
            holder.podman("kill", "--signal=KILL")
            moved = until(lambda: all(len(bench.holders(vip)) == 1 for vip in bench.vips))
            holder.podman("start")
            settled = until(bench.settled, 40)
        assert moved
        assert settled
        assert bench.holders(bench.external_vip) == [holder], "the preferred node has it again"
        outages = [end - start for said in clients.addresses.values() for start, end in said["outages"]]
        if all(seconds <= 1 for seconds in outages):
            break
    assert outages
    assert max(outages) <= 1
