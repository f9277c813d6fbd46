#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: keepalived_config
short_description: Deploy a keepalived configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Lints O(content) against the addresses, files and programs of this host and against the other O(nodes), because
    C(keepalived -t) accepts much that never fails over. Errors stop the module before anything is written; warnings are
    shown. The rules are in the file C(docs/keepalived-rules.md) of the collection.
  - Writes O(files), writes O(content) next to O(path), lets C(keepalived -t) check it there, switches with one rename,
    reloads the running daemon, and proves that it read the file and still runs.
  - If the check rejects the file or the daemon does not load it, the old files are restored and reloaded.
  - Two runs on one host wait for each other, for at most four times O(timeout), enough for a deployment and a rollback.
    A killed run releases its lock.
  - A running daemon is never restarted, because a restart gives its virtual addresses away. A daemon that does not run
    is started.
  - The proof uses what the running configuration declares with C(reload_file) and C(reload_check_config). Without them
    the module only proves that the processes survived.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details:
      - The linter and the check by C(keepalived -t) run in check mode too, the latter when all O(files) are there.
  diff_mode:
    support: full
    details:
      - Passwords are masked.
options:
  content:
    description: The whole text of the configuration file.
    type: str
    required: true
  state:
    description:
      - With V(linted) the text is only linted, and nothing is changed. keepalived, scripts and directories may still be
        missing.
    type: str
    choices: [present, linted]
    default: present
  files:
    description:
      - Check and notify scripts by path, with their texts. They belong to root and have mode 0755.
      - The daemon is reloaded if a script or the text changed, because it drops a script that it did not find.
    type: dict
    default: {}
  track_units:
    description:
      - Track files by path, each with the systemd unit whose readiness it shows. V(0) means that the unit is active or
        reloads.
      - The unit itself must write the file whenever it starts or stops. This option is for a unit that started before
        it knew the file, so that it need not be restarted.
    type: dict
    default: {}
  firewall:
    description:
      - Whether the kernel drops VRRP (IP protocol 112) of all but the unicast peers of O(content), and routed packets
        of peers in a network of this node. The rules are in C(/etc/keepalived/vrrp.nft), in a separate table, which
        C(keepalived-firewall.service) loads before keepalived starts. Other tables are left alone.
      - If V(false), these files and the table are removed.
    type: bool
    default: false
  nodes:
    description:
      - The instances of all nodes of the cluster by host name, in the form of the variable C(keepalived_instances) of
        the role. Without them, the rules that compare nodes do not apply.
    type: dict
    default: {}
  node:
    description: The name of this host in O(nodes).
    type: str
    default: ""
  ignore_rules:
    description: The names of rules of the linter that do not apply.
    type: list
    elements: str
    default: []
  secrets:
    description: Values within O(content) that must not appear in a result, a diff or a log.
    type: list
    elements: str
    default: []
  path:
    description: The file that the daemon reads.
    type: path
    default: /etc/keepalived/keepalived.conf
  pid_file:
    description: The file into which the daemon writes its process id.
    type: path
    default: /run/keepalived.pid
  binary:
    description: The program that checks the text.
    type: str
    default: keepalived
  service:
    description: The systemd unit that is started when the daemon does not run.
    type: str
    default: keepalived
  timeout:
    description: Seconds that the daemon may take to read the file.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Bring keepalived.conf into service
  lbforge.haproxy.keepalived_config:
    content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
    secrets: "{{ [vrrp_password] }}"

- name: Only say what is wrong with it
  lbforge.haproxy.keepalived_config:
    state: linted
    content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
    ignore_rules: [address-outside-networks]

- name: Bring keepalived.conf and its check script into service
  lbforge.haproxy.keepalived_config:
    content: "{{ lookup('ansible.builtin.template', 'keepalived.conf.j2') }}"
    files:
      /etc/keepalived/check_disk.sh: "{{ lookup('ansible.builtin.file', 'check_disk.sh') }}"
"""

RETURN = r"""
action:
  description: The action, or the predicted one in check mode.
  type: str
  choices: [nothing, start, reload]
  returned: when the state is present
path:
  description: The file that the daemon reads.
  type: str
  returned: success
errors:
  description: The mistakes in the options, or the errors that the linter found.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: line 12 (virtual_router_id 51)
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
    rule:
      description: The name of the linter's rule.
      type: str
      returned: for what the linter found
    severity:
      description: An error certainly breaks something, a warning may.
      type: str
      choices: [error, warning]
      returned: for what the linter found
    line:
      description: The number of the line, 0 for the whole text.
      type: int
      returned: for what the linter found
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description: Warnings about valid but questionable input. Ansible also shows each C(text).
  returned: always
  type: list
  elements: dict
  contains: *problem
remarks:
  description: The remarks of C(keepalived -t) on the accepted text, one per line.
  type: list
  elements: str
  returned: when the state is present
rc:
  description: The return code of C(keepalived -t).
  type: int
  returned: when keepalived refused the text
lines:
  description: The messages of keepalived about the failure.
  type: list
  elements: str
  returned: when keepalived refused the text or did not take it
"""

import typing as t
from contextlib import nullcontext
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked_directories
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.change import Outcome, deploy
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.firewall import Firewall, ruleset
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.host import HostFacts
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import (
    incompatible,
    lint,
    refuse,
    unknown_rules,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.masking import masked
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.readiness import TrackFiles
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Finding
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.scripts import Scripts
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import subject_of
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown

ARGUMENTS = {
    "content": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "linted"], "default": "present"},
    "files": {"type": "dict", "default": {}},
    "track_units": {"type": "dict", "default": {}},
    "firewall": {"type": "bool", "default": False},
    "nodes": {"type": "dict", "default": {}},
    "node": {"type": "str", "default": ""},
    "ignore_rules": {"type": "list", "elements": "str", "default": []},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "path": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
    "pid_file": {"type": "path", "default": "/run/keepalived.pid"},
    "binary": {"type": "str", "default": "keepalived"},
    "service": {"type": "str", "default": "keepalived"},
    "timeout": {"type": "float", "default": 10},
}

# A run waits for another one: deployment and rollback, each with the timeout and a start.
PATIENCE = 4


def problems(params: dict[str, t.Any]) -> list[Problem]:
    """Every mistake in the options."""
    found = [
        Problem("ignore_rules", shown(name), f"{name} is not a rule; see docs/keepalived-rules.md")
        for name in unknown_rules(params["ignore_rules"])
    ]
    found += [
        Problem("files", shown(path), f"{path} is not an absolute path")
        for path in params["files"]
        if not path.startswith("/")
    ]
    if params["nodes"] and params["node"] not in params["nodes"]:
        why = f"{params['node']!r} is not one of the nodes {', '.join(params['nodes'])}"
        found.append(Problem("node", shown(params["node"]), why))
    # With multicast any node may send, but would be dropped; a single node has no peers anyway.
    if params["firewall"] and len(params["nodes"]) != 1:
        found += [
            Problem(
                "firewall",
                "",
                f"instance {instance.name} has no unicast peers, so the adverts of all other nodes would be dropped",
                "List them in unicast_peer, or remove firewall.",
                instance.name,
            )
            for instance in subject_of(params["content"]).instances
            if not instance.peers
        ]
    return found


def warnings(findings: t.Iterable[Finding], before: str, content: str) -> t.Iterator[Problem]:
    """What does not keep the text from being written."""
    yield from (finding for finding in findings if finding.severity == "warning")
    if names := incompatible(before, content):
        why = (
            f"the adverts of {', '.join(names)} change (first address, router id, version or password), and a node with"
            " the old configuration rejects them: until all nodes have the new one, several hold the addresses"
        )
        yield Problem("content", "", why, "Change all nodes at once, with -e haproxy_serial=100%.")


def difference(params: dict[str, t.Any], outcome: Outcome, others: dict[str, tuple[str, str]]) -> list[dict[str, str]]:
    """What changes, file by file, with nothing in it that is secret."""
    texts = {params["path"]: (outcome.before, params["content"]), **outcome.scripts, **others}
    return [
        {
            "before_header": path,
            "before": masked(before, params["secrets"]),
            "after_header": path,
            "after": masked(after, params["secrets"]),
        }
        for path, (before, after) in texts.items()
    ]


def run(module: Module) -> dict[str, t.Any]:
    """Lint the text, bring it into service and return the result."""
    params = module.params
    path, content, is_linted = Path(params["path"]), params["content"], params["state"] == "linted"
    module.show_instead(content="", secrets=[], files=list(params["files"]), nodes=list(params["nodes"]))
    if wrong := problems(params):
        raise ProblemsError(wrong)
    command = module.run_in_english
    daemon = Keepalived(params["binary"], params["service"], Path(params["pid_file"]), command, params["timeout"])
    subject = subject_of(content, params["nodes"], params["node"])
    is_reading = is_linted or module.check_mode
    with nullcontext() if is_reading else locked_directories([path.parent], PATIENCE * params["timeout"]):
        host = HostFacts(daemon, path, is_ready=not is_reading).gather(subject, params["files"])
        findings = lint(subject, host, content, params["ignore_rules"], params["secrets"])
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        for warning in warnings(findings, before, content):
            module.warn_of(warning)
        refuse(findings, params["path"])
        if is_linted:
            return {"changed": False, "path": params["path"]}
        track_files = TrackFiles(params["track_units"], command)
        tracked = track_files.changes()
        own = [address for link in host.links.values() for address in link if address.ip not in host.virtual]
        firewall = Firewall(ruleset(subject.instances, own) if params["firewall"] else "", command)
        filtered = firewall.changes()
        firewall.check()
        if not module.check_mode:
            track_files.write(tracked)
        outcome = deploy(daemon, path, content, Scripts(params["files"]), module.check_mode)
        if not module.check_mode:
            firewall.write(filtered)
    for words in outcome.warnings:
        module.warn_of(Problem("content", "", words))
    return {
        "changed": outcome.action != "nothing" or bool(tracked or filtered),
        "action": outcome.action,
        "path": params["path"],
        "remarks": list(outcome.remarks),
        "diff": difference(params, outcome, {**tracked, **filtered}),
    }


def main() -> t.NoReturn:
    Module(argument_spec=ARGUMENTS).run(run)


if __name__ == "__main__":
    main()
