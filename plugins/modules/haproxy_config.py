#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_config
short_description: Apply a HAProxy configuration without losing a request
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Takes everything that HAProxy reads (configuration, maps, error files, certificates), and applies it to the running
    HAProxy.
  - Checks all of it with C(haproxy -c) first, and tries every new bind, because a reload that fails at one of them
    refuses all traffic for two seconds. Then one atomic switch of a link puts it in place.
  - Changes that a running HAProxy supports are sent over its stats socket, namely weight, address, port, C(maxconn) and
    state
    of servers, added and removed servers, entries of maps, ACL files and lists of certificates, and replaced
    certificates. All of them are read back.
  - For everything else, and if a command fails, the master process reloads, and the new worker must report the new
    release. Otherwise the old files and certificates are restored, and the old worker keeps serving.
  - Changes by hand in the running HAProxy, such as a drained server, survive a reload if the configuration has
    C(server-state-file) and C(load-server-state-from-file global). Stick tables survive if they have C(peers).
  - If nothing differs and the running worker runs this release, nothing is touched. HAProxy is never restarted.
  - Each release is in C(releases/ID) below O(config_dir). C(current) points to the one in use, and each file is a link
    to C(current/FILE), so that paths stay the same. An existing C(haproxy.cfg) is stored as release V(original); files
    of a release that were changed by hand are stored as V(edited-ID).
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details:
      - Runs C(haproxy -c) on a private copy in C(/run) and leaves nothing behind. Without HAProxy on the host this
        check is left out, with a warning.
  diff_mode:
    support: full
    details:
      - Passwords are masked. Of certificates only digests are shown.
options:
  state:
    description:
      - V(present) applies O(files).
      - V(rolled_back) restores a release that ran before, checked and proved like any other. Certificates are not part
        of a release, and stay as they are.
    type: str
    choices: [present, rolled_back]
    default: present
  release:
    description:
      - The release to go back to, one of those in C(releases) below O(config_dir). Only for O(state=rolled_back).
      - Without it, the one that ran before the one in use. Repeating this changes nothing; name a release to go further
        back. Stored files with other names, such as V(original), must be named too.
    type: str
  apply:
    description:
      - V(auto) reloads only if a change needs it. V(reload) reloads for every change.
    type: str
    choices: [auto, reload]
    default: auto
  files:
    description:
      - The text of each file of the release by its name. Names are flat, without directories.
      - The file C(haproxy.cfg) is required. Its global section needs the line C(description @release@); V(@release@) is
        replaced by the id of the release in all files.
      - A file of the last release that is no longer listed is removed.
      - Required for O(state=present).
    type: dict
  files_packed:
    description: Large O(files), packed by the action plugin for the transfer to the node. It is not for playbooks.
    type: str
  certificates:
    description:
      - Certificates for O(certificate_dir), readable by root only.
      - Certificates that are not listed are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file, without directory.
        type: str
        required: true
      content:
        description: The leaf certificate, its chain and its key as PEM.
        type: str
        required: true
      bootstrap:
        description:
          - Whether HAProxy only starts with it, because another program, such as an ACME client, renews it later.
          - Then it is written only if the file does not exist.
        type: bool
        default: false
  secrets:
    description:
      - Secrets in O(files) that no result, diff or log may show.
      - Values after C(stats auth), C(password) and the name of the header C(Authorization) are always masked in diffs,
        including those of the old files.
    type: list
    elements: str
    default: []
  config_dir:
    description: Directory of the configuration.
    type: path
    default: /etc/haproxy
  certificate_dir:
    description: Directory of the certificates. If it is missing, it is created for root only.
    type: path
    default: /etc/haproxy/ssl
  master_socket:
    description: Socket of the master process, the value of HAProxy's option C(-S).
    type: path
    default: /run/haproxy-master.sock
  binary:
    description: The HAProxy that checks the configuration, a path or a name on the search path.
    type: str
    default: haproxy
  service:
    description: The unit of systemd that is started if HAProxy does not run.
    type: str
    default: haproxy
  allow_empty:
    description:
      - Whether a release that serves no clients may replace one that does. Statistics pages do not count.
      - Otherwise such a release is rejected, because missing variables are the usual cause.
    type: bool
    default: false
  expectations:
    description:
      - What should come of requests, as for M(lbforge.haproxy.haproxy_rehearsal). If something else comes of one, the
        release is refused, and nothing is changed.
      - A list, or a dictionary of lists by the places that errors name.
      - They are rehearsed with the release before it is in place, if there is something to change. A release that is
        brought back is not rehearsed.
    type: raw
    default: []
  addresses:
    description: Addresses of hosts that URLs in O(expectations) name.
    type: dict
    default: {}
  watch_seconds:
    description:
      - Seconds for which real traffic is counted before a change, and for which it is watched after it. If it is worse
        off after the change, the release before is restored, and the module fails with what got worse.
      - V(0) watches nothing. Nothing is watched either if nothing changes, if HAProxy did not run, if no client came
        before the change, or if only certificates change.
      - Not for O(state=rolled_back).
    type: float
    default: 0
  watch_limits:
    description:
      - What is worse. A rise of a share counts if it is both large by these limits and certain by Fisher's exact test.
    type: dict
    suboptions:
      false_alarms:
        description: The probability that a judgement finds a rise which is chance, if requests are independent.
        type: float
        default: 0.001
      min_errors:
        description: The least number of bad requests after the change.
        type: int
        default: 10
      ratio:
        description: How many times the old share the new one is at least.
        type: float
        default: 2.5
      rise_5xx:
        description: The rise of the share of 5xx responses of a frontend or backend, in percentage points.
        type: float
        default: 1
      rise_4xx:
        description:
          - The rise of the share of 4xx responses of a frontend, in percentage points. It counts only if its good
            answers per second also fall by so many percent.
        type: float
        default: 10
      rise_connection_errors:
        description: The rise of the share of failed connections to the servers of a backend, in percentage points.
        type: float
        default: 1
      rise_retries:
        description: The rise of the share of requests with repeated connections to servers, in percentage points.
        type: float
        default: 5
      min_timed:
        description: The least number of requests of a backend in each of both periods for a comparison of times.
        type: int
        default: 200
      slower_times:
        description:
          - How many times the old average the response time, the time to connect or the time in the queue of a backend
            is at least.
        type: float
        default: 3
      slower_ms:
        description: The least rise of such an average, in milliseconds.
        type: int
        default: 200
      servers_down:
        description: Percent of the servers of a backend that were up. It is worse if more than these went down.
        type: float
        default: 50
  keep_releases:
    description:
      - Number of releases that stay on the host.
      - The release in use, the one before it and V(original) always stay.
    type: int
    default: 5
  timeout:
    description: Seconds to wait for an answer of HAProxy, for the end of a reload, and for another run on this host.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Apply a small configuration
  lbforge.haproxy.haproxy_config:
    files:
      haproxy.cfg: |
        global
            # The running worker is asked for this line; it proves which release runs.
            description @release@
            user haproxy
            group haproxy
        defaults
            mode http
            timeout client 30s
            timeout connect 5s
            timeout server 30s
        frontend web-front-1
            bind 192.0.2.10:80
            default_backend web-back
        backend web-back
            server web1 198.51.100.11:8080 check

- name: Apply a configuration with a map and a certificate
  lbforge.haproxy.haproxy_config:
    files:
      haproxy.cfg: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
      regions.map: |
        198.51.100.0/24 north
        203.0.113.0/24 south
    certificates:
      - name: www.example.com.pem
        content: "{{ www_bundle }}"
    secrets:
      - "{{ stats_password }}"

- name: Go back to what ran before
  lbforge.haproxy.haproxy_config:
    state: rolled_back
"""

RETURN = r"""
release:
  description: The id of the wanted release.
  type: str
  returned: always, except for wrong options
  sample: 3f1c9a0b77de
previous_release:
  description: The release that was in use before; empty on a host that had none.
  type: str
  returned: always, except for wrong options
  sample: original
action:
  description:
    - The action on HAProxy, or the predicted one in check mode, V(nothing), V(start), V(runtime) or V(reload).
  type: str
  returned: success
  sample: reload
reason:
  description: The reason, and the changes that need a reload.
  type: str
  returned: success
  sample: The release changes from original to 3f1c9a0b77de; it needs a reload, frontend web-front-1 is new.
commands:
  description: The commands that replaced a reload, or would in check mode, without payloads.
  type: list
  elements: str
  returned: success
  sample: [set server web-back/web1 weight 50]
verdict:
  description: What the watch of real traffic found; empty without a watch.
  type: str
  returned: success
  sample: "Nothing got worse: 6,120 requests in 60 s before the change and 6,044 in 60 s after it."
worker_pid:
  description: The process that serves; 0 if HAProxy does not run.
  type: int
  returned: success
  sample: 4711
files_changed:
  description: The names of the files that differed.
  type: list
  elements: str
  returned: success
  sample: [haproxy.cfg]
certificates_changed:
  description: The names of the certificates that differed.
  type: list
  elements: str
  returned: success
  sample: []
errors:
  description: The mistakes in the options, the lines that HAProxy rejects, or the expectations that are not met.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: haproxy.cfg line 7
    name:
      description: Name of the item there, such as a section or a certificate; empty if it has none.
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
    key:
      description: The key of an expectation that is not met.
      type: str
      returned: for an expectation
    expected:
      description: What was expected.
      type: str
      returned: for an expectation
    got:
      description: What came.
      type: str
      returned: for an expectation
    way:
      description: The way of the request, from the bind to the server.
      type: str
      returned: for an expectation
    level:
      description: HAProxy's severity, V(ALERT) or V(WARNING).
      type: str
      returned: for a line of the configuration
    line:
      description: The number of the line; V(null) if HAProxy names none.
      type: int
      returned: for a line of the configuration
    text:
      description: The whole problem on one line, as in the message.
      type: str
warning_details:
  description:
    - The warnings of C(haproxy -c), which runs only if something changes.
    - Ansible also shows each C(text) as a warning.
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import typing as t
from dataclasses import fields
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.packing import unpack
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import (
    Host,
    Wanted,
    apply,
    rollback_target,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.check import Checker
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.diff import diff_blocks
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.judgement import Limits
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.live import Live
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy, Service
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.rehearse import Rehearsal
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import (
    RESERVED,
    Release,
    file_problems,
    name_problems,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.watch import Watch, apply_watched
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "rolled_back"], "default": "present"},
    "release": {"type": "str"},
    "apply": {"type": "str", "choices": ["auto", "reload"], "default": "auto"},
    "files": {"type": "dict"},
    "files_packed": {"type": "str", "no_log": True},
    "certificates": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "bootstrap": {"type": "bool", "default": False},
        },
    },
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "config_dir": {"type": "path", "default": "/etc/haproxy"},
    "certificate_dir": {"type": "path", "default": "/etc/haproxy/ssl"},
    "master_socket": {"type": "path", "default": "/run/haproxy-master.sock"},
    "binary": {"type": "str", "default": "haproxy"},
    "service": {"type": "str", "default": "haproxy"},
    "allow_empty": {"type": "bool", "default": False},
    "expectations": {"type": "raw", "default": []},
    "addresses": {"type": "dict", "default": {}},
    "watch_seconds": {"type": "float", "default": 0},
    "watch_limits": {
        "type": "dict",
        "options": {
            limit.name: {"type": type(limit.default).__name__, "default": limit.default} for limit in fields(Limits)
        },
    },
    "keep_releases": {"type": "int", "default": 5},
    "timeout": {"type": "int", "default": 30},
}


def problems(params: dict[str, t.Any]) -> list[Problem]:
    """Every mistake in the options."""
    certificates = [certificate["name"] for certificate in params["certificates"]]
    found = []
    if params["state"] == "present":
        found += file_problems(params["files"], (*RESERVED, Path(params["certificate_dir"]).name))
    if params["state"] == "present" and params["release"]:
        why = "it requires the state rolled_back; a new release is named after its content"
        found.append(Problem("release", shown(params["release"]), why))
    if params["state"] == "rolled_back":
        why = "it cannot be combined with the state rolled_back; a release has its own files"
        found += [Problem(name, "", why) for name in ("files", "certificates") if params[name]]
        if params["watch_seconds"]:
            why = "it cannot be combined with the state rolled_back; a release that is brought back is not watched"
            found.append(Problem("watch_seconds", shown(params["watch_seconds"]), why))
    found += name_problems(certificates, "certificates")
    found += [
        Problem(f"certificates[{name!r}]", shown(name), "it is listed twice")
        for name in dict.fromkeys(certificates)
        if certificates.count(name) > 1
    ]
    found += [
        Problem(f"watch_limits.{name}", shown(limit), f"{limit} is too small; use a number above 0")
        for name, limit in (params["watch_limits"] or {}).items()
        if limit <= 0
    ]
    return found + option_problems(params, keep_releases=2, watch_seconds=0)


def host_of(module: Module) -> Host:
    """Everything of the node that a release concerns."""
    params = module.params
    certificate_dir, timeout = Path(params["certificate_dir"]), params["timeout"]
    store = ReleaseStore(Path(params["config_dir"]))
    # A host that gets HAProxy in this run has none yet in check mode.
    binary = module.get_bin_path(params["binary"], required=not module.check_mode)
    return Host(
        store=store,
        certificates=CertificateStore(certificate_dir),
        checker=Checker(binary, store, certificate_dir),
        rehearsal=Rehearsal(
            binary, store.config_dir, certificate_dir, parse(params["expectations"]), params["addresses"]
        ),
        haproxy=HAProxy(RuntimeClient(params["master_socket"], timeout), Service(params["service"]), timeout),
        live=Live(timeout),
    )


def choose(params: dict[str, t.Any], host: Host) -> Wanted:
    """What the host should run."""
    is_rollback = params["state"] == "rolled_back"
    release = rollback_target(host.store, params["release"]) if is_rollback else Release.made_of(params["files"])
    return Wanted(
        release,
        {
            certificate["name"]: certificate["content"].encode()
            for certificate in params["certificates"]
            if not (certificate["bootstrap"] and host.certificates.holds(certificate["name"]))
        },
        secrets=[*params["secrets"], *(host.store.secrets(release.id) if is_rollback else ())],
        may_use_runtime=params["apply"] == "auto",
        is_rollback=is_rollback,
        allow_empty=params["allow_empty"],
    )


def run(module: Module) -> dict[str, t.Any]:
    """Apply the configuration and return the result."""
    params = module.params
    if packed := params.pop("files_packed"):
        params["files"] = unpack(packed)
    # The texts are large and may hold more than the listed secrets.
    module.show_instead(files=list(params["files"] or ()), certificates=[], secrets=[])
    if wrong := problems(params):
        raise ProblemsError(wrong)
    host = host_of(module)
    bounds = {"keep": params["keep_releases"], "patience": params["timeout"]}
    if params["watch_seconds"] and not module.check_mode:
        watch = Watch(params["watch_seconds"], Limits(**params["watch_limits"] or {}))
        outcome = apply_watched(lambda: choose(params, host), host, watch, **bounds)
    else:
        outcome = apply(lambda: choose(params, host), host, check_mode=module.check_mode, **bounds)
    wanted = outcome.wanted
    for warning in outcome.warnings:
        module.warn_of(warning, wanted.secrets)
    result = {
        "changed": outcome.plan.action != "nothing",
        "release": wanted.release.id,
        "previous_release": outcome.previous_release or "",
        "action": outcome.plan.action,
        "reason": masked(outcome.plan.reason, wanted.secrets),
        "commands": [masked(command, wanted.secrets) for command in outcome.plan.commands],
        "verdict": outcome.verdict,
        "worker_pid": outcome.worker.pid if outcome.worker else 0,
        "files_changed": outcome.found.files,
        "certificates_changed": list(outcome.found.certificates),
    }
    if module.wants_diff:  # texts of megabytes, where there are many services
        result["diff"] = diff_blocks(host, outcome)
    return result


def main() -> t.NoReturn:
    Module(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ["files", "files_packed"], True)],
        mutually_exclusive=[("files", "files_packed")],
    ).run(run)


if __name__ == "__main__":
    main()
