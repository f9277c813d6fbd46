# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new worker is told of the servers' states: drains, weights and health survive a reload. Pure.

HAProxy Management Guide, section 9.3, "show servers state".
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.release.servers import (
    Server,
    has_server_defaults,
    servers,
)

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.configuration import Configuration

NO_STATES = "1\n"  # the version of the format, and nothing; an empty file is one that HAProxy warns of


def carried(states: str, before: t.Sequence[Configuration], new: Configuration) -> str:
    """Choose from the answer to ``show servers state`` what somebody did by hand, and how the servers feel.

    ``before`` holds the configurations that the old worker may run. A server that changes starts afresh: HAProxy would
    bring an old port back. A weight set by hand stays until the configuration gives another: HAProxy compares it with
    the weight that the worker started with, which may be older than what commands brought since.
    """
    keeps_weights = not any(has_server_defaults(sections) for sections in (*before, new))
    pools_before, after = [_pools(sections) for sections in before], _pools(new)
    lines = states.splitlines()
    header = next((line for line in lines if line.startswith("# ")), "")
    columns = {name: number for number, name in enumerate(header[2:].split())}
    kept = lines[:2]
    for line in lines[2:]:
        fields = line.split(" ")
        if len(fields) < len(columns):
            continue
        pool, name = fields[columns["be_name"]], fields[columns["srv_name"]]
        will_be = after.get(pool, {}).get(name)
        was = [pools.get(pool, {}).get(name) for pools in pools_before]
        if will_be is None or any(one is None or not _is_same_place(one, will_be) for one in was):
            continue
        if will_be.address:
            # Of an address set by hand HAProxy would bring back the port alone.
            fields[columns["srv_port"]] = str(will_be.address[1])
        if keeps_weights:
            weights = {one.weight for one in was if one}
            # Any other weight than the new one makes HAProxy forget what was set by hand.
            fields[columns["srv_iweight"]] = str(weights.pop() if len(weights) == 1 else will_be.weight + 1)
        # HAProxy takes the port of checks for one of an agent, and then warns of every server that has none.
        if "srv_agent_port" in columns:
            fields[columns["srv_agent_port"]] = "0"
        kept.append(" ".join(fields))
    return "".join(f"{line}\n" for line in kept) or NO_STATES


def _pools(sections: Configuration) -> dict[str, dict[str, Server]]:
    return {section.name: servers(section) for section in sections if section.kind in ("backend", "listen")}


def _is_same_place(one: Server, other: Server) -> bool:
    return (one.endpoint, one.disabled) == (other.endpoint, other.disabled)
