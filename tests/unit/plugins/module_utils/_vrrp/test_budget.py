# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers are RFC 9568 by hand; tests/unit/.../test_failover.py measures them."""

from __future__ import annotations

import math
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.budget import (
    FAULTS,
    Bound,
    Settings,
    failover_budget,
    table,
)

Vars = dict[str, t.Any]

# What the role has by default.
SCRIPTS: Vars = {
    "haproxy_check_script": {
        "check_script": "/usr/bin/timeout 0.9 /etc/keepalived/haproxy_check.sh",
        "interval": 1,
        "timeout": 1,
        "fall": 2,
        "weight": 0,
    },
    "ping": {"check_script": "/usr/bin/ping -n -q -c 1 -W 1 192.0.2.1", "interval": 10, "timeout": 2, "fall": 2}
    | {"weight": -100},
}
TRACK_FILES: Vars = {"haproxy_ready": {"file": "/run/r", "weight": 0}, "haproxy_settled": {"file": "/s", "soft": True}}
TRACK_FILES |= {"maintenance": {"file": "/m", "weight": -100}}
SETTINGS: Vars = {"scripts": SCRIPTS, "track_files": TRACK_FILES}


def instance(priority: int, **changes: t.Any) -> Vars:
    return {
        "priority": priority,
        "advert_int": 0.25,
        "vips": ["192.0.2.10/24 dev eth0"],
        "track_scripts": ["haproxy_check_script", "ping"],
        "track_files": ["haproxy_ready", "haproxy_settled weight -9", "maintenance"],
        "track_interfaces": ["eth1 weight -9"],
        **changes,
    }


def budget(*nodes: Vars, **settings: t.Any) -> dict[str, Bound]:
    """Of one instance, whose nodes are given in any order."""
    cluster = {f"lb{n}": {"external": node} for n, node in enumerate(nodes, 1)}
    return failover_budget(cluster, Settings(**{**SETTINGS, **settings}))["external"]


# Skew of 250: 6/256 x 0.25 s = 0.005859; three adverts are 0.75 s.
DEFAULTS = {
    "planned_stop": 0.005859,
    "daemon_killed": 0.005859,
    "vrrp_killed": 0.755859,
    "node_dead": 0.755859,
    "node_frozen": 0.755859,
    "link_down": 0.755859,
    "server_link_down": 0.755859,
    # 0.2 s until keepalived has read the track file
    "haproxy_stopped": 0.205859,
    "haproxy_killed": 0.205859,
    # two checks a second apart, 0.9 s for the second one
    "haproxy_hung": 2.905859,
    # two checks ten seconds apart, 2 s for the second one, and the timer
    "ping_lost": 22.755859,
}
GOALS = {
    "node_dead": 1,
    "node_frozen": 1,
    "link_down": 1,
    "server_link_down": 1,
    "haproxy_stopped": 0.3,
    "haproxy_killed": 0.3,
} | {"haproxy_hung": 3}


@pytest.mark.parametrize("nodes", [2, 3])
def test_defaults(nodes: int) -> None:
    found = budget(*(instance(priority) for priority in [246, 254, 250][-nodes:]))

    assert {fault: bound.seconds for fault, bound in found.items()} == pytest.approx(DEFAULTS, abs=1e-6)
    assert list(found) == list(FAULTS)
    assert all(t.cast("float", found[fault].seconds) <= goal for fault, goal in GOALS.items())


def test_the_page_has_the_numbers() -> None:
    page = (Path(__file__).parents[5] / "docs" / "failover.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+ s \| [\d.]+) s \|", page, re.M))
    shown = {fault: f"{math.ceil(seconds * 100) / 100:.2f}" for fault, seconds in DEFAULTS.items()}

    assert rows == {fault: f"{seconds} s | {seconds}" for fault, seconds in shown.items()}


V2 = {"advert_int": 1, "version": 2}


@pytest.mark.parametrize(
    "holder, following, fault, seconds",
    [
        # VRRPv2: skew (256 - 100)/256 s; the backup's own interval counts
        (instance(150, **V2), instance(100, **V2), "planned_stop", 0.609375),
        (instance(150, **V2), instance(100, **V2), "node_dead", 3.609375),
        (instance(150, **V2), instance(100, **V2 | {"advert_int": 2}), "node_dead", 6.609375),
        (instance(150, **V2), instance(100, **V2), "haproxy_hung", 3.509375),
        # VRRPv3: the holder's interval counts, for the skew as well: 156/256 x 0.1 s
        (instance(150, advert_int=0.1), instance(100, advert_int=1), "node_dead", 0.3609375),
        (instance(150, advert_int=0.1), instance(100), "planned_stop", 0.0609375),
        (instance(150, advert_int=0.1), instance(100, down_timer_adverts=2), "link_down", 0.2609375),
        # IPv6 knows no other version
        (
            instance(150, **V2, vips=["2001:db8::1/64"]),
            instance(100, **V2, vips=["2001:db8::1/64"]),
            "node_dead",
            3.609375,
        ),
        (instance(254), instance(250, preempt_delay=5), "ping_lost", 27.755859),
        (instance(254), instance(250, preempt_delay=5), "node_dead", 0.755859),
        # FAULT takes the address from a holder whatever the next node thinks of preemption
        (instance(254), instance(250, nopreempt=True), "haproxy_hung", 2.905859),
        # without the track file, the script is what notices
        (instance(254, track_files=[]), instance(250), "haproxy_killed", 2.905859),
        (instance(254, track_files=["haproxy_ready weight -100"]), instance(250), "haproxy_stopped", 0.955859),
        (instance(254, track_scripts=["ping weight 0"]), instance(250), "ping_lost", 22.005859),
        # FAULT says goodbye, unless the cable is the instance's own; without another interface it is
        (instance(254, track_interfaces=["eth1"]), instance(250), "server_link_down", 0.755859),
        (instance(254, track_interfaces=[]), instance(250), "server_link_down", 0.755859),
    ],
)
def test_formulas(holder: Vars, following: Vars, fault: str, seconds: float) -> None:
    assert budget(holder, following)[fault].seconds == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "script, seconds",
    [
        ({"check_script": "/check"}, 1 + 1 + 0.005859),  # the defaults of keepalived: each second, once
        ({"check_script": "/check", "interval": 5, "fall": 3}, 15 + 5 + 0.005859),
        ({"check_script": "/check", "interval": 5, "timeout": 2}, 5 + 2 + 0.005859),
        ({"check_script": "timeout 1.9 /check", "interval": 2}, 2 + 1.9 + 0.005859),
        ({"check_script": "/usr/bin/timeout 2s /check", "interval": 2, "timeout": 1}, 2 + 1 + 0.005859),
        ({"check_script": "timeout 1m /check", "interval": 2}, 2 + 2 + 0.005859),
        # below the next node only after its timer
        ({"check_script": "/check", "weight": -100}, 1 + 1 + 0.755859),
        ({"check_script": "/check", "weight": "-100"}, 1 + 1 + 0.755859),
    ],
)
def test_scripts(script: Vars, seconds: float) -> None:
    nodes = [instance(priority, track_scripts=["haproxy_check_script"]) for priority in (254, 250)]
    found = budget(*nodes, scripts={"haproxy_check_script": script})["haproxy_hung"]

    assert found.seconds == pytest.approx(seconds, abs=1e-6)


def test_a_weight_that_counts_while_all_is_well() -> None:
    """154 + 100 and 150 + 100: the skew is that of 250."""
    scripts = {"haproxy_check_script": {"check_script": "/check", "weight": 100}}
    nodes = [instance(priority, track_scripts=["haproxy_check_script"], track_files=[]) for priority in (154, 150)]
    found = budget(*nodes, scripts=scripts)

    assert found["haproxy_hung"].seconds == pytest.approx(2 + 0.755859, abs=1e-6)


def test_a_process_tracker() -> None:
    nodes = [instance(priority, track_scripts=[], track_files=[], track_processs=["lb"]) for priority in (254, 250)]
    found = budget(*nodes, track_processs={"lb": {"process": "/usr/sbin/haproxy", "terminate_delay": 0.1, "weight": 0}})

    assert found["haproxy_killed"].seconds == pytest.approx(0.105859, abs=1e-6)
    assert found["haproxy_hung"].seconds is None


@pytest.mark.parametrize(
    "nodes, settings, fault, why",
    [
        ([instance(254)], {}, "node_dead", "no other node"),
        ([instance(254)], {}, "haproxy_killed", "no other node"),
        ([instance(254, track_scripts=[]), instance(250)], {}, "haproxy_hung", "no script watches HAProxy"),
        ([instance(254, track_scripts=["ping"]), instance(250)], {}, "haproxy_hung", "no script watches HAProxy"),
        ([instance(254, track_scripts=[]), instance(250)], {}, "ping_lost", "no ping check"),
        ([instance(254, track_scripts=[], track_files=[]), instance(250)], {}, "haproxy_killed", "no tracker watches"),
        ([instance(254), instance(250)], {"haproxy": ()}, "haproxy_stopped", "no tracker watches"),
        ([instance(254), instance(250, nopreempt=True)], {}, "ping_lost", "nopreempt"),
        (
            [instance(254, track_interfaces=[], track_files=[]), instance(250)],
            {},
            "server_link_down",
            "no interface of the servers",
        ),
        ([instance(254), instance(240)], {}, "server_link_down", "weight -9 leaves the holder above"),
        ([instance(254), instance(250, nopreempt=True)], {}, "server_link_down", "nopreempt"),
        ([instance(254), instance(150)], {}, "ping_lost", "weight -100 leaves the holder above"),
        (
            [instance(254), instance(250)],
            {"scripts": {"haproxy_check_script": {"check_script": "/bin/kill -0 `cat /run/haproxy.pid`"}}},
            "haproxy_hung",
            "checks for a process",
        ),
    ],
)
def test_never(nodes: list[Vars], settings: Vars, fault: str, why: str) -> None:
    found = budget(*nodes, **settings)[fault]

    assert found.seconds is None
    assert why in found.why


def test_one_ping_check_that_moves_nothing_spoils_the_bound() -> None:
    scripts = SCRIPTS | {"other": {"check_script": "/usr/bin/ping6 ::1", "weight": -1}}
    nodes = [instance(254, track_scripts=["ping", "other"]), instance(250)]

    assert budget(*nodes, scripts=scripts)["ping_lost"].seconds is None


def test_a_sync_group_tracks_for_its_members() -> None:
    nodes = [instance(priority, track_scripts=[], track_files=[]) for priority in (254, 250)]
    group = {"instances": ["external", "internal"], "track_scripts": list(SCRIPTS), "track_files": list(TRACK_FILES)}
    group |= {"track_interfaces": ["eth1 weight -9"]}

    found = budget(*nodes, sync_groups={"g": group, "other": {"instances": ["x"]}})
    assert {fault: bound.seconds for fault, bound in found.items()} == pytest.approx(DEFAULTS, abs=1e-6)
    # keepalived ignores the weight of what only a member tracks
    found = budget(instance(254), instance(250), sync_groups={"g": {"instances": ["external", "internal"]}})
    assert found["ping_lost"].seconds is None
    assert found["haproxy_hung"].seconds == pytest.approx(DEFAULTS["haproxy_hung"], abs=1e-6)


def test_table() -> None:
    pinged = instance(254), instance(250)
    bare = [instance(priority, track_scripts=["haproxy_check_script"]) for priority in (250, 254)]
    cluster = {
        name: {"external": pinged[index], "v1": bare[index], "v2": bare[index], "v3": bare[index], "v4": bare[index]}
        for index, name in enumerate(["lb1", "lb2"])
    }

    assert table(failover_budget(cluster, Settings(**SETTINGS))) == [
        "Longest time in seconds until an address serves again after a fault on its node:",
        "                  external  v1 and 3 more",
        "planned_stop      0.01      0.01",
        "daemon_killed     0.01      0.01",
        "vrrp_killed       0.76      0.76",
        "node_dead         0.76      0.76",
        "node_frozen       0.76      0.76",
        "link_down         0.76      0.76",
        "server_link_down  0.76      0.76",
        "haproxy_stopped   0.21      0.21",
        "haproxy_killed    0.21      0.21",
        "haproxy_hung      2.91      2.91",
        "ping_lost         22.76     never",
        "never, ping_lost of v1, v2, v3, v4: no ping check is tracked.",
    ]
