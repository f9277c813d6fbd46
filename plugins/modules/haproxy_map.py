#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_map
short_description: Change maps and ACLs of a running HAProxy
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Adds, sets, removes or replaces entries of a map or of a file of patterns that HAProxy has loaded, without a reload.
  - The file is written first, so that the next reload finds the same. File and HAProxy are compared separately with the
    wanted entries, and both are updated.
  - V(exact), and changes of more than 50 entries, replace all entries in one step. HAProxy checks them before the file
    is touched, and applies them together or not at all. This needs HAProxy 2.4 or newer.
  - Fewer changes are made one by one, and read back; entries that HAProxy rejects are reported at the end, and are
    neither in the file nor loaded.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
  - lbforge.haproxy.runtime
attributes:
  check_mode:
    support: full
    details:
      - Whether HAProxy takes a pattern, such as a regular expression, is only known when it is asked to.
  diff_mode:
    support: full
    details:
      - Shows the file and what is loaded, each if it changes.
options:
  map:
    description:
      - The map or ACL, by the file it is loaded from, written as in the configuration, or by its V(#ID) in
        C(show map) or C(show acl).
    type: str
    required: true
  kind:
    description:
      - V(map) has a value for each key. V(acl) is a list of patterns, such as that of C(acl NAME src -f FILE).
      - A file that a map and an ACL share is a V(map).
    type: str
    choices: [map, acl]
    default: map
  entries:
    description:
      - For V(map) a dictionary of keys and values, or a list of items with C(key) and C(value) each.
        With O(state=absent) values are optional, and a list of keys is enough.
      - For V(acl) a list of patterns.
      - The text of such a file is also valid.
      - They must not contain a line break or other control character, nor begin or end with a blank. Keys of maps must
        not contain blanks. Spaces, semicolons and backslashes in values need no escaping.
    type: raw
  entries_file:
    description:
      - A file on the host that holds O(entries) as JSON. Long entries are transferred this way automatically.
    type: path
  state:
    description:
      - V(present) adds what is missing, sets what has another value and leaves no duplicates of it.
      - V(absent) removes the keys, whatever their values.
      - V(exact) leaves these entries and no others, in this order.
    type: str
    choices: [present, absent, exact]
    default: present
  persist:
    description:
      - Whether to write the file too. Otherwise the next reload restores the old entries.
      - Comments in the file stay, with O(state=exact) only those at its top. Its owner and its mode stay in any case.
      - A file of a release of M(lbforge.haproxy.haproxy_config) is refused, because the next release would replace it.
    type: bool
    default: true
  file:
    description: Path of the file on the host, if HAProxy uses another name, as with a relative path.
    type: path
notes:
  - Entries that rules of the configuration change all the time (C(http-request set-map)) are lost between reading and
    replacing. Make only few changes there, or use O(state=exact) deliberately.
seealso:
  - module: lbforge.haproxy.haproxy_config
"""

EXAMPLES = r"""
- name: Send two hosts to their backends
  lbforge.haproxy.haproxy_map:
    map: /etc/haproxy-maps/hosts.map
    entries:
      www.example.com: web-back
      api.example.com: api-back

- name: Leave exactly these hosts in the map
  lbforge.haproxy.haproxy_map:
    map: /etc/haproxy-maps/hosts.map
    entries: "{{ hosts_and_backends }}"
    state: exact

- name: Leave exactly what a file on the controller lists
  lbforge.haproxy.haproxy_map:
    map: /etc/haproxy-maps/hosts.map
    entries: "{{ lookup('ansible.builtin.file', 'hosts.map') }}"
    state: exact

- name: Block two networks until the next reload
  lbforge.haproxy.haproxy_map:
    map: /etc/haproxy-maps/blocked.acl
    kind: acl
    entries:
      - 192.0.2.0/24
      - 2001:db8:bad::/48
    persist: false

- name: Remove a host
  lbforge.haproxy.haproxy_map:
    map: /etc/haproxy-maps/hosts.map
    entries: [api.example.com]
    state: absent
"""

RETURN = r"""
map:
  description: The map or ACL as HAProxy lists it.
  type: str
  returned: success
  sample: /etc/haproxy-maps/hosts.map
runtime:
  description: How many keys of what is loaded changed, or would change in check mode.
  type: dict
  returned: always, except for wrong options
  contains: &counts
    changed:
      description: Whether anything changed, maybe only the order or duplicates.
      type: bool
      returned: always
    added:
      description: Added keys.
      type: int
      returned: always
    updated:
      description: Keys that had other values, or several.
      type: int
      returned: always
    removed:
      description: Removed keys.
      type: int
      returned: always
file:
  description: The same for the file. Nothing changes there with O(persist=false).
  type: dict
  returned: always, except for wrong options
  contains: *counts
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

import contextlib
import json
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import ARGUMENTS as SHARED
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.pattern_changes import (
    Change,
    DiskFile,
    Plan,
    carry_out,
    desired_entries,
    find,
    lines_of,
    planned,
    read_live,
    refusals,
    text_of,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.patterns import Entry
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError

ARGUMENTS = {
    **SHARED,
    "map": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["map", "acl"], "default": "map"},
    "entries": {"type": "raw"},
    "entries_file": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
    "persist": {"type": "bool", "default": True},
    "file": {"type": "path"},
}
NOTHING = Change([], [])


def read_json(path: str) -> t.Any:
    """Read entries from a file instead of the arguments."""
    try:
        return json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise LbforgeError(f"Cannot read the entries in {path}: {error}.") from error


def apply(params: dict[str, t.Any], wanted: list[Entry], *, check_mode: bool) -> tuple[Plan, dict[str, str]]:
    """Apply the request; return the plan, and the reason for each rejected key."""
    with RuntimeClient(params["socket"], params["timeout"]).session() as session:
        file = find(session, params["kind"], params["map"])
        disk = DiskFile(params["file"] or file.path) if params["persist"] else None
        stored = lines_of(file.kind, disk.read()) if disk else None
        plan = planned(file, wanted, params["state"], read_live(session, file), stored)
        failed = {} if check_mode else carry_out(session, plan, disk)
    return (plan.without(failed) if failed else plan), failed


def difference(changes: dict[str, Change]) -> list[dict[str, str]]:
    """The diff of the file and of the loaded entries."""
    return [
        {
            "before_header": name,
            "after_header": name,
            "before": text_of(change.before),
            "after": text_of(change.after),
        }
        for name, change in changes.items()
        if change.needed
    ]


def run(module: Module) -> dict[str, t.Any]:
    """Change the entries and return the result."""
    params = module.params
    if params["entries_file"]:
        params["entries"] = read_json(params["entries_file"])
    wanted, problems = desired_entries(params["kind"], params["entries"], params["state"])
    module.show_instead(entries=f"({len(wanted)} entries)")
    if problems := problems + option_problems(params):
        raise ProblemsError(problems)
    with contextlib.nullcontext() if module.check_mode else locked(params["socket"], params["timeout"]):
        plan, failed = apply(params, wanted, check_mode=module.check_mode)
    live, stored = plan.live, plan.stored or NOTHING
    result: dict[str, t.Any] = {
        "changed": live.needed or stored.needed,
        "map": plan.file.path,
        "runtime": {"changed": live.needed, **live.counts},
        "file": {"changed": stored.needed, **stored.counts},
    }
    if module.wants_diff:  # a large map has large differences
        name = plan.file.path
        result["diff"] = difference({f"{name} (file)": stored, f"{name} (loaded)": live})
    if failed:
        raise ProblemsError(refusals(params["entries"], wanted, failed), **result)
    return result


def main() -> t.NoReturn:
    one = [("entries", "entries_file")]
    Module(argument_spec=ARGUMENTS, required_one_of=one, mutually_exclusive=one).run(run)


if __name__ == "__main__":
    main()
