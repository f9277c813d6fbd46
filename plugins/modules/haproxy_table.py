#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_table
short_description: Change the entries of a stick table of a running HAProxy
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Sets and removes entries of a stick table, for example to block a client that a rule counts, or to let it in again.
  - Keys and values are checked against the table before anything is sent, because HAProxy would read C(bogus) as
    the address C(0.0.0.0) and C(-1) for C(4294967295).
  - All entries are tried. Those that cannot be changed are reported at the end.
  - Entries are lost at a reload, unless the table has C(peers).
extends_documentation_fragment:
  - lbforge.haproxy.attributes
  - lbforge.haproxy.runtime
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  table:
    description: The name of the table, which is that of its frontend or backend unless it is in C(peers).
    type: str
    required: true
  key:
    description: The key of one entry.
    type: str
  data:
    description:
      - What to store with O(key), integers by their data types, for example C(gpc0).
      - Other data of an existing entry stays. Without data the entry is created if it is missing.
      - Rates can be set, but decrease from then on.
    type: dict
    default: {}
  entries:
    description: Many entries at once.
    type: list
    elements: dict
    suboptions:
      key:
        description: As O(key).
        type: str
        required: true
      data:
        description: As O(data).
        type: dict
        default: {}
  state:
    description:
      - V(present) sets what differs. An entry that already has the data is left alone, so its expiry does not change.
      - V(absent) removes entries by O(key) or O(entries), or those that match O(where).
      - V(cleared) removes all entries.
      - HAProxy keeps entries that sessions are using. That is an error.
    type: str
    choices: [present, absent, cleared]
    default: present
  where:
    description:
      - Which entries O(state=absent) removes, by their data, such as V(data.gpc0 gt 0).
      - The operators are V(eq), V(ne), V(lt), V(le), V(gt) and V(ge). All filters must match.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Block a client
  lbforge.haproxy.haproxy_table:
    table: web-front-1
    key: 192.0.2.7
    data:
      gpc0: 1

- name: Block two clients, for different reasons
  lbforge.haproxy.haproxy_table:
    table: web-front-1
    entries:
      - key: 192.0.2.7
        data: {gpt0: 1}
      - key: 192.0.2.8
        data: {gpt0: 2}

- name: Let everybody in again
  lbforge.haproxy.haproxy_table:
    table: web-front-1
    state: absent
    where: data.gpc0 gt 0

- name: Forget everything
  lbforge.haproxy.haproxy_table:
    table: web-front-1
    state: cleared
"""

RETURN = r"""
added:
  description: Number of created entries, or predicted ones in check mode.
  type: int
  returned: always, except for wrong options
updated:
  description: How many entries got other data.
  type: int
  returned: always, except for wrong options
removed:
  description: How many entries were removed.
  type: int
  returned: always, except for wrong options
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: entries[3]
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

from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import ARGUMENTS as SHARED
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.tables import (
    Change,
    Desired,
    Value,
    carry_out,
    clear,
    compare,
    filter_problem,
    find,
    matching,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, Session
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown

DATA = {"type": "dict", "default": {}}
ARGUMENTS = {
    **SHARED,
    "table": {"type": "str", "required": True},
    "key": {"type": "str", "no_log": False},
    "data": DATA,
    "entries": {
        "type": "list",
        "elements": "dict",
        "options": {"key": {"type": "str", "required": True, "no_log": False}, "data": DATA},
    },
    "state": {"type": "str", "choices": ["present", "absent", "cleared"], "default": "present"},
    "where": {"type": "list", "elements": "str", "default": []},
}


def desired_entries(params: dict[str, t.Any]) -> list[Desired]:
    """The entries that the options name."""
    if params["key"] is not None:
        return [Desired("key", params["key"], params["data"])]
    return [
        Desired(f"entries[{number}]", entry["key"], entry["data"])
        for number, entry in enumerate(params["entries"] or [])
    ]


def option_mistakes(params: dict[str, t.Any]) -> list[Problem]:
    """Every mistake in the options that does not depend on the table."""
    found = option_problems(params)
    state, where = params["state"], params["where"]
    named = params["key"] is not None or params["entries"] is not None
    if params["key"] is not None and params["entries"] is not None:
        found.append(Problem("entries", "", "it cannot be combined with key; keep one of the two"))
    if params["data"] and params["key"] is None:
        found.append(Problem("data", shown(params["data"]), "it requires key; items of entries have their own data"))
    if where and (state != "absent" or named):
        found.append(Problem("where", shown(where), "it requires state 'absent' without key and entries"))
    if state == "cleared" and named:
        why = "'cleared' removes all entries; use 'absent' to remove those of key or entries"
        found.append(Problem("state", shown(state), why))
    if state != "cleared" and not named and not where:
        need = "key or entries" if state == "present" else "key, entries or where"
        found.append(Problem("state", shown(state), f"{state!r} requires {need}"))
    return found + [
        Problem(f"where[{n}]", shown(text), why) for n, text in enumerate(where) if (why := filter_problem(text))
    ]


def change(session: Session, params: dict[str, t.Any], *, check_mode: bool) -> tuple[list[Change], list[Problem]]:
    """Apply the request; return the changes and the problems."""
    table = find(session, params["table"])
    if params["state"] == "cleared" or params["where"]:
        entries = matching(session, table, params["where"])
        problems = clear(session, table, params["where"], entries) if entries and not check_mode else []
        path = "where" if params["where"] else "table"
        changes = [Change(path, entry.key, entry.data, None) for entry in entries]
    else:
        changes, problems = compare(session, table, desired_entries(params), params["state"])
        problems += [] if check_mode else carry_out(session, table, changes)
    failed = {(problem.path, problem.name) for problem in problems}
    return [change for change in changes if (change.path, change.key) not in failed], problems


def text_of(entries: dict[str, dict[str, Value] | None]) -> str:
    """Entries as lines, for the difference."""
    return "".join(
        " ".join([key, *(f"{name}={value}" for name, value in data.items())]) + "\n"
        for key, data in entries.items()
        if data is not None
    )


def run(module: Module) -> dict[str, t.Any]:
    """Change the entries and return the result."""
    params = module.params
    if mistakes := option_mistakes(params):
        raise ProblemsError(mistakes)
    with RuntimeClient(params["socket"], params["timeout"]).session() as session:
        changes, problems = change(session, params, check_mode=module.check_mode)
    result: dict[str, t.Any] = {
        "changed": bool(changes),
        "added": sum(one.before is None for one in changes),
        "updated": sum(one.before is not None and one.after is not None for one in changes),
        "removed": sum(one.after is None for one in changes),
    }
    if changes and module.wants_diff:  # a large table has large differences
        result["diff"] = {
            "before_header": params["table"],
            "after_header": params["table"],
            "before": text_of({one.key: one.before for one in changes}),
            "after": text_of({one.key: one.after for one in changes}),
        }
    if problems:
        raise ProblemsError(problems, **result)
    return result


def main() -> t.NoReturn:
    Module(argument_spec=ARGUMENTS).run(run)


if __name__ == "__main__":
    main()
