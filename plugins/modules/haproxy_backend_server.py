#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_backend_server
short_description: Change servers of a running HAProxy without a reload
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Makes servers ready, drains them or puts them into maintenance, changes their weight, address or limit, adds and
    removes them, and waits until their sessions are gone or their checks have passed.
  - Takes one server, many servers, or patterns. Thousands are changed in a second.
  - Compares the running servers with the wanted ones, and sends only the differences. It reads the result back, and a
    command that HAProxy accepted without effect is an error.
  - A missing server is an error, and so is everything that HAProxy rejects. Each error names its item, and the other
    items are still changed.
  - The configuration file is not changed. The next reload restores its content, except for states and weights with
    C(load-server-state-from-file), as M(lbforge.haproxy.haproxy_config) does.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
  - lbforge.haproxy.runtime
attributes:
  check_mode:
    support: full
    details:
      - Sends no command and does not wait. HAProxy alone knows some reasons to refuse, such as a weight in a backend
        with a static algorithm.
  diff_mode:
    support: full
options:
  servers:
    description:
      - The servers to change. For a single server, use O(backend), O(name) and its options instead.
    type: list
    elements: dict
    suboptions:
      backend:
        description: The backend, or a pattern such as V(*).
        type: str
        required: true
      name:
        description: The server, or a pattern such as V(web*).
        type: str
        required: true
      state: &state
        description:
          - V(ready) takes traffic. V(drain) takes no new sessions but those of persistence, and is still checked.
            V(maint) takes no traffic and is not checked.
          - V(present) adds the server if it does not exist. With a check it gets traffic once its checks pass.
            V(absent) puts it into maintenance and removes it.
          - V(present) and V(absent) need HAProxy 2.6 or newer, and V(present) a dynamic algorithm.
          - By default the state stays as it is.
        type: str
        choices: [ready, drain, maint, present, absent]
      weight: &weight
        description:
          - The weight, V(0) to V(256), or a share of that in the configuration, V(0%) to V(100%).
          - With a static algorithm HAProxy accepts only V(0%) and V(100%).
        type: str
      address: &address
        description: The IP address. HAProxy does not resolve names at run time.
        type: str
      port: &port
        description: The port.
        type: int
      maxconn: &maxconn
        description: Maximum number of concurrent sessions; others wait in the queue. V(0) means no limit.
        type: int
      check: &check
        description:
          - Whether its check is enabled. The configuration of the server must have a check.
          - For a new server, whether it gets a check.
        type: bool
      agent: &agent
        description: Whether its agent check is enabled. The configuration of the server must have an agent check.
        type: bool
      options: &options
        description:
          - Other keywords of a C(server) line for a new server, such as V(inter 2s) or V(ssl verify none).
            C(default-server) does not apply to such a server.
          - An existing server keeps its own.
        type: list
        elements: str
        default: []
      shutdown_sessions: &shutdown_sessions
        description:
          - Whether to end its sessions at once when it is drained, put into maintenance or removed.
        type: bool
        default: false
  backend:
    description: The backend of a single server, or a pattern such as V(*).
    type: str
  name:
    description: The single server, or a pattern such as V(web*).
    type: str
  state: *state
  weight: *weight
  address: *address
  port: *port
  maxconn: *maxconn
  check: *check
  agent: *agent
  options: *options
  shutdown_sessions: *shutdown_sessions
  ledger:
    description:
      - A file on the host that records the servers that were drained or put into maintenance with it, and their earlier
        states. V(ready) then restores only those servers to these states; V(drain) and V(maint) do not touch a server
        that somebody else took out of service. A warning lists the untouched servers.
      - The file is created if it is missing. Below C(/run) a reboot removes it, as it does the states of servers.
    type: path
  wait:
    description:
      - Whether to wait, for all servers together, after all changes.
      - For a server to be drained, put into maintenance or removed, the module waits until it has no sessions. It sees
        the sessions of the running worker, not those of workers from before a reload.
      - For a server to be ready or present, the module waits until it is fully up, or has no check. C(UP 1/2) is not
        up.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
  wait_interval:
    description: Seconds between two polls.
    type: float
    default: 1.0
  on_timeout:
    description:
      - The action for a server that is not in the wanted state after O(wait_timeout).
      - V(fail) is an error; the server keeps its new state. V(force) ends its sessions, and is an error for a server
        that should come up. V(leave) leaves it as it is, with a warning; a server to be removed stays in maintenance.
    type: str
    choices: [fail, force, leave]
    default: fail
"""

EXAMPLES = r"""
- name: Drain a server in every pool and wait for its sessions to end
  lbforge.haproxy.haproxy_backend_server:
    backend: "*"
    name: web1
    state: drain
    wait: true
    wait_timeout: 120
    on_timeout: force

- name: Put it back, and wait until all its checks have passed
  lbforge.haproxy.haproxy_backend_server:
    backend: "*"
    name: web1
    state: ready
    wait: true

- name: Send a tenth of the traffic to the new release
  lbforge.haproxy.haproxy_backend_server:
    servers:
      - backend: web-back
        name: blue*
        weight: 90
      - backend: web-back
        name: green*
        weight: 10

- name: Add servers that get traffic once their checks have passed
  lbforge.haproxy.haproxy_backend_server:
    servers:
      - backend: web-back
        name: web8
        address: 198.51.100.18
        port: 8080
        state: present
        check: true
        options:
          - inter 2s
          - rise 3
      - backend: web-back
        name: web9
        address: 2001:db8::19
        port: 8080
        state: present
        check: true

- name: Remove a server once it has no session any more
  lbforge.haproxy.haproxy_backend_server:
    backend: web-back
    name: web9
    state: absent
    wait: true
"""

RETURN = r"""
servers:
  description: Each matching server, in the order of the items.
  type: list
  elements: dict
  returned: when HAProxy answers
  contains:
    path:
      description: The item that names it.
      type: str
      returned: always
      sample: servers[0]
    backend:
      description: Its backend.
      type: str
      returned: always
      sample: web-back
    name:
      description: Its name.
      type: str
      returned: always
      sample: web1
    before:
      description: Its state, weight, address, port, maxconn, check and agent before the change. Empty if it did not
        exist.
      type: dict
      returned: always
    after:
      description: The same after the change, or as predicted in check mode. Empty if it no longer exists.
      type: dict
      returned: always
    commands:
      description: The commands sent, or predicted in check mode.
      type: list
      elements: str
      returned: always
      sample: ["set server web-back/web1 state drain"]
    status:
      description: Its status in HAProxy after the change, such as V(UP), V(UP 1/2), V(DOWN), V(MAINT) or V(no check).
      type: str
      returned: when it is there; in check mode as found
      sample: DRAIN
    sessions:
      description: Its number of sessions after the change, running and queued.
      type: int
      returned: when it is there; in check mode as found
      sample: 0
commands:
  description: All commands that were sent, or would be in check mode.
  type: list
  elements: str
  returned: when HAProxy answers
  sample: ["set server web-back/web1 state drain"]
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: servers[0]
    name:
      description: Name of the item there, such as a service, a server or a certificate; empty if it has none.
      type: str
    value:
      description: The value there; empty without one, hidden for secrets.
      type: str
    why:
      description: The reason.
      type: str
    hint:
      description: What to do; empty if that is clear.
      type: str
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description: Warnings about valid but questionable input. Ansible also shows each C(text).
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._live.ledger import LedgerFile
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import ARGUMENTS, option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.server_changes import (
    POLICIES,
    STATES,
    Change,
    Desired,
    Found,
    Outcome,
    Settings,
    Waiting,
    carry_out,
    noted,
    plan,
    problem_of,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import ServerStats
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError

SERVER: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": [*STATES]},
    "weight": {"type": "str"},
    "address": {"type": "str"},
    "port": {"type": "int"},
    "maxconn": {"type": "int"},
    "check": {"type": "bool"},
    "agent": {"type": "bool"},
    "options": {"type": "list", "elements": "str", "default": []},
    "shutdown_sessions": {"type": "bool", "default": False},
}
NAME = {"type": "str", "required": True}
WAITING: dict[str, dict[str, t.Any]] = {
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "wait_interval": {"type": "float", "default": 1.0},
    "on_timeout": {"type": "str", "choices": [*POLICIES], "default": "fail"},
}


def desired_servers(params: dict[str, t.Any]) -> list[Desired]:
    """The items, or the one server that is named directly."""
    if params["servers"] is None:
        items = [("server", params)]
    else:
        items = [(f"servers[{index}]", item) for index, item in enumerate(params["servers"])]
    given = [(path, {key: item[key] for key in ("backend", "name", *SERVER)}) for path, item in items]
    return [Desired(path, **{**item, "options": tuple(item["options"])}) for path, item in given]


def option_errors(params: dict[str, t.Any], wanted: list[Desired]) -> list[Problem]:
    """Every mistake in the options."""
    found = [problem_of(desired, why) for desired in wanted for why in desired.problems()]
    beside = [key for key, option in SERVER.items() if params[key] not in (None, option.get("default"))]
    if params["servers"] is not None and beside:
        found.append(Problem(beside[0], "", "Set it in each item of servers"))
    return found + option_problems(params, wait_timeout=0, wait_interval=0.05)


def planned(
    wanted: list[Desired], found: Found, path: str | None, check_mode: bool
) -> tuple[list[Change], list[Problem]]:
    """Plan, with the ledger if there is one, and record the plan, so that an interrupted run can also be undone."""
    if path is None:
        return plan(wanted, found)
    file = LedgerFile(Path(path))
    ledger = file.read()
    changes, problems = plan(wanted, found, ledger)
    new = noted(ledger, changes)
    if new != ledger and not check_mode:
        file.write(new)
    return changes, problems


def shown(settings: Settings | None) -> dict[str, t.Any]:
    """The settings of a server, if it is there."""
    return settings._asdict() if settings else {}


def report(change: Change, outcome: Outcome | None, stats: ServerStats | None) -> dict[str, t.Any]:
    """The result for a server; in check mode the predicted one."""
    result: dict[str, t.Any] = {
        "path": change.path,
        "backend": change.backend,
        "name": change.name,
        "before": shown(change.before),
        "after": shown(outcome.after if outcome else change.after),
        "commands": outcome.done if outcome else list(change.commands),
    }
    if stats:
        result.update(status=stats.status, sessions=stats.sessions)
    return result


def run(module: Module) -> dict[str, t.Any]:
    """Change the servers and return the result."""
    params = module.params
    wanted = desired_servers(params)
    if problems := option_errors(params, wanted):
        raise ProblemsError(problems)
    client = RuntimeClient(params["socket"], params["timeout"])
    waiting = Waiting(params["wait_timeout"], params["wait_interval"], params["on_timeout"]) if params["wait"] else None
    with client.session() as session:
        found = Found.ask(session)
    changes, problems = planned(wanted, found, params["ledger"], module.check_mode)
    outcomes: t.Sequence[Outcome | None] = [None] * len(changes)
    if not module.check_mode:
        outcomes = carry_out(client, changes, waiting)
    problems += [outcome.problem for outcome in outcomes if outcome and outcome.error]
    order = {desired.path: index for index, desired in enumerate(wanted)}
    problems.sort(key=lambda problem: order[problem.path])
    servers = [
        report(change, outcome, outcome.stats if outcome else found.stats.get(change.key))
        for change, outcome in zip(changes, outcomes)
    ]
    for outcome in outcomes:
        if outcome and outcome.warning:
            module.warn_of(problem_of(outcome.change, outcome.warning))
    for change in changes:
        if change.left_alone:
            module.warn_of(problem_of(change, change.left_alone))
    if params["servers"]:
        # For thousands of servers Ansible needs more time for the result than HAProxy for the changes.
        module.show_instead(servers=f"({len(wanted)} items)")
    differing = {f"{server['backend']}/{server['name']}": server for server in servers if server["commands"]}
    commands = [command for server in servers for command in server["commands"]]
    result: dict[str, t.Any] = {"changed": bool(commands), "servers": servers, "commands": commands}
    if module.wants_diff:
        result["diff"] = {key: {name: server[key] for name, server in differing.items()} for key in ("before", "after")}
    if problems:
        raise ProblemsError(problems, **result)
    return result


def main() -> t.NoReturn:
    Module(
        argument_spec={
            **ARGUMENTS,
            "servers": {"type": "list", "elements": "dict", "options": {"backend": NAME, "name": NAME, **SERVER}},
            "backend": {"type": "str"},
            "name": {"type": "str"},
            **SERVER,
            "ledger": {"type": "path"},
            **WAITING,
        },
        mutually_exclusive=[("servers", "backend"), ("servers", "name")],
        required_one_of=[("servers", "backend")],
        required_together=[("backend", "name")],
    ).run(run)


if __name__ == "__main__":
    main()
