# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server states that a new worker starts with: drains, weights and health survive a reload. Pure.

HAProxy Management Guide, section 9.3, "show servers state". HAProxy believes most columns of a state file more than its
configuration. So only what was set by hand or measured is carried over; all else comes from the new configuration.
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server, configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import MissingFieldError

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Configuration
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import Key

NO_STATES = "1\n"  # the version of the format only; HAProxy would warn about an empty file

Origin = t.Literal["key", "hand", "health", "lookup", "configuration"]
# The columns of a line, and the origin of their values. HAProxy requires these; for the optional ones after them
# (srv_use_ssl, srv_check_port, srv_check_addr, srv_agent_addr, srv_agent_port) it uses its configuration.
COLUMNS: dict[str, Origin] = {
    "be_id": "key",
    "be_name": "key",
    "srv_id": "key",
    "srv_name": "key",
    "srv_addr": "lookup",
    "srv_op_state": "health",
    "srv_admin_state": "hand",
    "srv_uweight": "hand",
    "srv_iweight": "configuration",
    "srv_time_since_last_change": "health",
    "srv_check_status": "health",
    "srv_check_result": "health",
    "srv_check_health": "health",
    "srv_check_state": "hand",
    "srv_agent_state": "hand",
    "bk_f_forced_id": "key",
    "srv_f_forced_id": "key",
    "srv_fqdn": "lookup",
    "srv_port": "configuration",
    "srvrecord": "lookup",
}
# The initial values of a server with unknown health: running, its check initialised, without a result.
UNMEASURED = {
    "srv_op_state": "2",
    "srv_time_since_last_change": "0",
    "srv_check_status": "1",
    "srv_check_result": "0",
    "srv_check_health": "1",
}
NONE, AS_FOUND = "-", "="
# Bits of srv_admin_state that stop a server whatever its health: maintenance, that of a server it tracks,
# that of its configuration, and a name without an address.
STOPPED_BITS = 1 | 2 | 4 | 32

HAND_BITS = 1 | 8  # maintenance and drain
# Options that a server's health does not depend on.
_UNFELT = """
    backup cookie downinter error-limit fall fastinter guid id init-addr inter max-reuse maxqueue minconn
    no-backup non-stick on-marked-down on-marked-up pool-conn-name pool-low-conn pool-max-conn pool-purge-delay redir
    resolvers rise shard slowstart stick
"""
UNFELT = frozenset(_UNFELT.split())

Row = dict[str, str]


def carried(states: str, before: t.Sequence[Configuration], new: Configuration, without: t.Collection[Key] = ()) -> str:
    """Select from the answer to ``show servers state`` the changes by hand and the health of servers.

    ``before`` holds the configurations that the old worker may run. A server with a new address starts afresh. A
    changed check, or changed options behind it, reset its health. A weight set by hand stays until the configuration
    changes it. The servers ``without`` start afresh too.
    """
    servers_before, after = [configured_servers(sections) for sections in before], configured_servers(new)
    lines = states.splitlines()
    names = next((line[2:].split() for line in lines if line.startswith("# ")), [])
    if not names:
        return NO_STATES
    if missing := [name for name in COLUMNS if name not in names]:
        raise MissingFieldError(missing[0], "HAProxy", "show servers state")
    kept = [NO_STATES, f"# {' '.join(COLUMNS)}\n"]
    for line in lines[2:]:
        row = dict(zip(names, line.split(" ")))
        key = row.get("be_name", ""), row.get("srv_name", "")
        will_be = after.get(key)
        was = [one for servers in servers_before if (one := servers.get(key))]
        if will_be and key not in without and len(was) == len(before):
            kept += [" ".join(state[name] for name in COLUMNS) + "\n" for state in _carried(row, was, will_be)]
    return "".join(kept)


def _carried(row: Row, was: t.Sequence[Server], will_be: Server) -> t.Iterator[Row]:
    if not all(_is_same_place(one, will_be) for one in was):
        return
    admin = int(row["srv_admin_state"])
    state = {**row, **{name: value for name, value in _configured(will_be).items() if value != AS_FOUND}}
    is_felt_anew = any(one != will_be and _health_options(one) != _health_options(will_be) for one in was)
    if is_felt_anew and not admin & HAND_BITS and row["srv_uweight"] in {str(one.weight) for one in was}:
        return
    if is_felt_anew or admin & STOPPED_BITS:
        state.update(UNMEASURED)
    # HAProxy accepts a weight set by hand only with the weight of its configuration. With 0 it drops drains.
    if any(one.weight != will_be.weight for one in was):
        state["srv_iweight"] = "2" if will_be.weight == 1 else "1"
    yield state


def _configured(server: Server) -> Row:
    # Its address is the fallback for its name, or is used until the next DNS query.
    keeps_address = server.is_resolved_at_run_time or not server.prefers_last_address
    looked_up = AS_FOUND if server.is_srv_record else NONE
    return {
        "srv_addr": AS_FOUND if server.is_srv_record or keeps_address else NONE,
        "srv_iweight": str(server.weight),
        "srv_fqdn": looked_up,  # HAProxy has the name from its configuration; any other one was set by hand
        "srv_port": AS_FOUND if server.port is None else str(server.port),
        "srvrecord": looked_up,
    }


def _is_same_place(one: Server, other: Server) -> bool:
    """Whether changes by hand were made to this very server; an agent counts as a hand."""
    return (one.endpoint, one.disabled, one.has_agent) == (other.endpoint, other.disabled, other.has_agent)


def _health_options(server: Server) -> t.Any:
    """The options that decide its health."""
    return [option for option in server.options.all if option[0] not in UNFELT], server.numbers.get("port")
