# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying A and then B is the same as applying B, whichever way HAProxy took the change."""

from __future__ import annotations

import os
import typing as t

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import Machine

CONFIGURATION = """\
global
    description @release@
    stats socket {home}/admin mode 600 level admin
    server-state-file {home}/states
    hard-stop-after 1s
defaults
    mode http
    timeout client 5s
    timeout connect 1s
    timeout server 5s
    load-server-state-from-file global
frontend web
    bind 127.0.1.1:{port}
    http-request deny if {{ path -f ETC/deny.acl }}
    use_backend %[path,map_beg(ETC/paths.map,free)]
"""

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "weight": st.integers(0, 256),
        "maxconn": st.integers(1, 1000),
        "port": st.integers(1, 65535),
        "inter": st.sampled_from(["1s", "2s"]),
        "check": st.none(),
        "disabled": st.none(),
        "backup": st.none(),
    },
)
SERVERS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.integers(1, 254), st.integers(1, 65535), OPTIONS),
    max_size=5,
)
POOLS = st.fixed_dictionaries(
    {
        "free": st.tuples(st.sampled_from(["roundrobin", "leastconn", "random"]), SERVERS),
        "placed": st.tuples(st.sampled_from(["source", "first", "static-rr"]), SERVERS),
    }
)
WORDS = st.text("abcxyz/.-_;\\\\{}$%&'\"", min_size=1, max_size=6)
MAPS = st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), max_size=5)
LISTS = st.lists(WORDS, max_size=5)
HOSTS = st.tuples(POOLS, MAPS, LISTS)


def wanted(machine: Machine, host: tuple[t.Any, ...]) -> Wanted:
    pools, entries, denied = host
    text = CONFIGURATION.format(home=machine.home, port=machine.port).replace("ETC", str(machine.etc))
    for pool, (algorithm, servers) in pools.items():
        text += f"backend {pool}\n    balance {algorithm}\n"
        for name, (byte, port, options) in servers.items():
            words = [word for key, value in options.items() for word in ([key] if value is None else [key, str(value)])]
            text += f"    server {name} 127.0.2.{byte}:{port} {' '.join(words)}\n"
    files = {
        "haproxy.cfg": text,
        "paths.map": "".join(f"{key} {' '.join(values)}\n" for key, values in entries),
        "deny.acl": "".join(f"{pattern}\n" for pattern in denied),
    }
    return Wanted(Release.made_of(files))


def seen(machine: Machine) -> dict[str, t.Any]:
    """What HAProxy says of its servers and patterns."""
    rows = [line.split() for line in machine.tell("show servers state").splitlines() if line.count(" ") > 20]
    stats = [line.split(",") for line in machine.tell("show stat -1 4 -1").splitlines() if "," in line]
    patterns = [
        machine.tell(f"show {kind} {machine.etc}/{name}") for kind, name in (("map", "paths.map"), ("acl", "deny.acl"))
    ]
    return {
        # Name, address, port, weight, maintenance, and the port of checks.
        "servers": sorted(
            (row[1], row[3], row[4], row[18], row[7], int(row[6]) & 1, row[21]) for row in rows if row[0] != "#"
        ),
        "limits": sorted((row[0], row[1], row[6]) for row in stats),
        "patterns": [[line.partition(" ")[2] for line in answer.splitlines()] for answer in patterns],
    }


def test_a_then_b_is_b(machine: Machine) -> None:
    actions = []

    @settings(
        max_examples=int(os.environ.get("LBFORGE_CHANGES", "25")),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(HOSTS, HOSTS)
    def check(first: tuple[t.Any, ...], second: tuple[t.Any, ...]) -> None:
        machine.apply(wanted(machine, first))
        pools = {name: (first[0][name][0], servers) for name, (_algorithm, servers) in second[0].items()}
        target = wanted(machine, (pools, *second[1:]))
        plan = machine.apply(target).plan
        actions.append(plan.action)
        assert "failed" not in plan.reason  # a reload would hide what commands do wrong
        changed = seen(machine)
        machine.host().haproxy.reload(target.release.description)
        assert changed == seen(machine)

    check()
    # Both ways have been gone, or nothing is proved.
    assert {"runtime", "reload"} <= set(actions)
