#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_info
short_description: Gather the state of a running HAProxy, and where it differs from its configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Reads HAProxy's sockets, and compares their answers with the files on the disk. Nothing is changed.
  - Numbers are numbers, times are in seconds, and empty fields are V(null).
  - The subset V(status) is a tree of frontends, their backends and their servers, with the statuses of Octavia.
    V(ONLINE) is healthy. V(DEGRADED) is a backend with failed servers, or a full frontend. V(DRAINING) is a server that
    gets no new clients, V(OFFLINE) is switched off, missing or without servers, V(NO_MONITOR) is a server without a
    check, and V(ERROR) is a failure.
  - The subset V(drift) lists how the host differs from its release. Files may have been changed by hand, the worker may
    run another release, and servers, maps, ACLs, crt-lists and certificates may have been changed in the running
    HAProxy. A change that M(lbforge.haproxy.haproxy_config) made without a reload is none of these.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
  - lbforge.haproxy.runtime
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  gather:
    description:
      - What to read.
      - V(sessions), V(certificates), V(ca_files) and V(drift) need a socket of C(level operator) or C(level admin), and
        V(drift) reads files that belong to root.
      - If a subset cannot be read, the module fails at its end, gives the reason in RV(errors), and returns all others.
    type: list
    elements: str
    choices: [processes, info, stats, servers, sessions, tables, maps, certificates, ca_files, drift, status, vips]
    default: [info, status]
  backend:
    description:
      - Only these backends. It narrows V(stats), V(servers), V(sessions) and V(status) in O(gather).
      - For V(stats) it may be the name of any proxy.
    type: list
    elements: str
    default: []
  vips:
    description:
      - Virtual addresses that some node holds, for V(vips) in O(gather).
      - The module connects to each TCP port that the configuration binds there, from this node, and closes at once. A
        port has two seconds to answer, and all of them have ten.
    type: list
    elements: str
    default: []
  master_socket:
    description:
      - Socket of the master process, the value of HAProxy's option C(-S).
      - It is used for V(processes) in O(gather).
    type: path
    default: /run/haproxy-master.sock
  config_dir:
    description: Directory of the configuration and its releases, for V(drift) and V(status) in O(gather).
    type: path
    default: /etc/haproxy
  certificate_dir:
    description:
      - Directory of the certificates, for V(drift) in O(gather).
      - If HAProxy loads this directory as a whole, a certificate there that is not loaded is a difference.
    type: path
    default: /etc/haproxy/ssl
seealso:
  - module: lbforge.haproxy.haproxy_config
  - module: lbforge.haproxy.haproxy_backend_server
"""

EXAMPLES = r"""
- name: See whether all is well
  lbforge.haproxy.haproxy_info:
  register: haproxy

- name: Stop the play unless it is
  ansible.builtin.assert:
    that: haproxy.status.status in ['ONLINE', 'NO_MONITOR']
    fail_msg: "{{ haproxy.report }}"

- name: Find out whether anybody changed something by hand
  lbforge.haproxy.haproxy_info:
    gather: [drift]
  register: haproxy

- name: Show the differences
  ansible.builtin.debug:
    msg: "{{ haproxy.drift.differences | map(attribute='sentence') }}"
  when: not haproxy.drift.in_sync

- name: Look at the certificates
  lbforge.haproxy.haproxy_info:
    gather: [certificates]
  register: haproxy

- name: Warn of those that expire soon
  ansible.builtin.debug:
    msg: "{{ item.path }} expires in {{ item.days_left }} days."
  loop: "{{ haproxy.certificates | selectattr('days_left', 'lt', 14) }}"

- name: Count who is connected to one backend
  lbforge.haproxy.haproxy_info:
    gather: [sessions]
    backend: web-back
"""

RETURN = r"""
report:
  description: The gathered V(status), V(drift), V(certificates) and V(vips) as lines to print.
  type: list
  elements: str
  returned: when HAProxy answered
  sample:
    - "ONLINE: 1 frontends, 1 backends, 2 servers"
    - "  web-front-1 ONLINE (OPEN, 3/4000 sessions)"
    - "    web-back ONLINE: web1, web2"
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: gather
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
processes:
  description: The master and its workers.
  type: dict
  returned: when V(processes) is in O(gather)
  contains:
    master:
      description: The master process.
      type: dict
      contains: &process
        pid:
          description: Its number.
          type: int
        reloads:
          description: How many reloads it has seen.
          type: int
    failed_reloads:
      description: How many reloads have failed since the last good one.
      type: int
    workers:
      description: The workers that take new connections.
      type: list
      elements: dict
      contains: *process
    old_workers:
      description: The workers that end with their last connection.
      type: list
      elements: dict
      contains: *process
    serving:
      description: The process that takes new connections; V(null) if there is none.
      type: int
info:
  description:
    - The answer to C(show info), under HAProxy's own names. They are explained in the HAProxy Management Guide.
  type: dict
  returned: when V(info) is in O(gather)
  sample:
    Version: 2.6.12-1+deb12u4
    Uptime_sec: 172800
    CurrConns: 12
    Maxconn: 4000
    description: 3f1c9a0b77de
stats:
  description:
    - The answer to C(show stat), a row for each frontend, backend, server and listener, under HAProxy's own names. They
      are explained in the HAProxy Management Guide.
  type: list
  elements: dict
  returned: when V(stats) is in O(gather)
  contains:
    pxname:
      description: The frontend or backend.
      type: str
    svname:
      description: V(FRONTEND), V(BACKEND), or the name of the server or listener.
      type: str
    type:
      description: V(frontend), V(backend), V(server) or V(listener).
      type: str
    status:
      description: HAProxy's word for its state.
      type: str
    scur:
      description: Sessions now. All other fields of HAProxy are there as well.
      type: int
servers:
  description: The servers as commands see them.
  type: list
  elements: dict
  returned: when V(servers) is in O(gather)
  contains:
    backend:
      description: Its backend.
      type: str
    name:
      description: Its name.
      type: str
    address:
      description: Its IP address; V(null) for a Unix socket.
      type: str
    port:
      description: Its port; V(null) for the port that the client used.
      type: int
    fqdn:
      description: The name that gives it its address, if any.
      type: str
    state:
      description: Its administrative state, V(ready), V(drain) or V(maint).
      type: str
    operational:
      description: Whether it is V(stopped), V(starting), V(running) or V(stopping).
      type: str
    weight:
      description: Its weight now.
      type: int
    initial_weight:
      description: The weight it was started with.
      type: int
    check:
      description: Whether its health is checked. Maintenance only pauses that.
      type: bool
    check_port:
      description: The port of its checks, if it differs.
      type: int
    agent:
      description: Whether its agent is asked.
      type: bool
    ssl:
      description: Whether connections to it use TLS.
      type: bool
sessions:
  description: How many sessions there are. Those of HAProxy's own sockets do not count.
  type: dict
  returned: when V(sessions) is in O(gather)
  contains:
    total:
      description: All of them.
      type: int
    oldest_seconds:
      description: The age of the oldest.
      type: int
    frontends:
      description: Their number by the name of the frontend.
      type: dict
    backends:
      description: Their number by the name of the backend.
      type: dict
    servers:
      description: Their number by C(BACKEND/SERVER).
      type: dict
tables:
  description: The stick tables.
  type: list
  elements: dict
  returned: when V(tables) is in O(gather)
  contains:
    name:
      description: Its name.
      type: str
    type:
      description: The type of its keys.
      type: str
    size:
      description: How many entries it can hold.
      type: int
    used:
      description: How many it holds.
      type: int
maps:
  description: The maps and ACLs that come from files.
  type: list
  elements: dict
  returned: when V(maps) is in O(gather)
  contains:
    path:
      description: The file.
      type: str
    kind:
      description: V(map) or V(acl).
      type: str
    id:
      description: HAProxy's number for it.
      type: int
    entries:
      description: How many entries HAProxy counts. It counts an entry once for each use of the file.
      type: int
ca_files:
  description: The CA files and lists of revoked certificates (CRLs) that HAProxy has loaded. It needs HAProxy 2.6.
  type: list
  elements: dict
  returned: when V(ca_files) is in O(gather)
  contains:
    path:
      description: The file it came from.
      type: str
    kind:
      description: V(ca) or V(crl).
      type: str
    entries:
      description: How many authorities or lists are in it.
      type: int
    revoked:
      description: How many certificates its lists revoke.
      type: int
    not_after:
      description: When the first of them ends, in seconds since 1970. After the end of a list all clients are rejected.
      type: int
    days_left:
      description: Whole days until then; negative when it has expired.
      type: int
certificates:
  description: The certificates that HAProxy has loaded.
  type: list
  elements: dict
  returned: when V(certificates) is in O(gather)
  contains:
    path:
      description: The file it came from.
      type: str
    used:
      description: Whether a bind uses it.
      type: bool
    subject:
      description: Its subject.
      type: str
    issuer:
      description: Its issuer.
      type: str
    serial:
      description: Its serial number, in hexadecimal.
      type: str
    san:
      description: The names it is valid for.
      type: list
      elements: str
    algorithm:
      description: The algorithm of its key.
      type: str
    sha1:
      description: Its fingerprint.
      type: str
    not_before:
      description: The start of its validity, in seconds since 1970.
      type: int
    not_after:
      description: The end of its validity, in seconds since 1970.
      type: int
    days_left:
      description: How many whole days it is still valid; negative if it has expired.
      type: int
    ocsp_update:
      description:
        - How the last update of its OCSP response ended, in HAProxy's words; V(null) where HAProxy updates none. It
          needs HAProxy 2.8.
      type: str
      sample: Update successful
drift:
  description: How the host differs from its release.
  type: dict
  returned: when V(drift) is in O(gather)
  contains:
    release:
      description: The release in use on the disk; V(null) if there is none.
      type: str
    running_release:
      description: The release that the worker runs; V(null) if that release is not stored on the host.
      type: str
    in_sync:
      description: Whether there is no difference at all.
      type: bool
    differences:
      description:
        - The differences. The running state is compared with the release that the worker runs.
      type: list
      elements: dict
      contains:
        kind:
          description:
            - V(release), V(file), V(link), V(worker), V(socket), V(server), V(server_address), V(server_port),
              V(server_tls), V(server_check), V(server_check_port), V(server_check_address), V(server_agent_port),
              V(server_agent_address), V(server_weight), V(server_state), V(server_maxconn), V(map), V(acl),
              V(crt_list) or V(certificate).
          type: str
        object:
          description: Its name, for example the path of the file or C(BACKEND/SERVER).
          type: str
        desired:
          description:
            - How it should be.
            - For a map, an ACL or a crt-list a dict with the C(count) of the entries that HAProxy lacks and ten
              C(examples); V(null) if the file is gone.
          type: raw
        found:
          description:
            - How it is.
            - For a map, an ACL or a crt-list the same for the entries of HAProxy that are not in the file.
          type: raw
        sentence:
          description: The difference in words.
          type: str
status:
  description: The status of the load balancer as a tree.
  type: dict
  returned: when V(status) is in O(gather)
  contains:
    status:
      description: The worst status of a frontend or backend.
      type: str
    counts:
      description: For C(frontends), C(backends) and C(servers) a dict with the number of each status.
      type: dict
    frontends:
      description:
        - The frontends in the order of the configuration, each with the backends that its lines name.
        - A frontend that hands connections to inner frontends of the same HAProxy has their backends.
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          type: str
        status:
          description: V(ONLINE), V(DEGRADED), V(OFFLINE) or V(ERROR).
          type: str
        state:
          description: HAProxy's word for its state; V(null) if the worker has no such frontend.
          type: str
        sessions:
          description: Sessions now.
          type: int
        limit:
          description: The maximum number of sessions.
          type: int
        through:
          description: The inner frontends.
          type: list
          elements: str
        backends:
          description: Its backends.
          type: list
          elements: dict
          contains: &backend
            name:
              description: Its name.
              type: str
            status:
              description: Its status.
              type: str
            state:
              description: HAProxy's word for its state; V(null) if the worker has no such backend.
              type: str
            last_change_seconds:
              description: How long ago its state changed.
              type: int
            sessions:
              description: Sessions now.
              type: int
            queue:
              description: Requests that wait for a server.
              type: int
            servers:
              description: Its servers.
              type: list
              elements: dict
              contains:
                name:
                  description: Its name.
                  type: str
                status:
                  description: Its status.
                  type: str
                state:
                  description: HAProxy's word for its state.
                  type: str
                address:
                  description: Its address and port. Hidden from sockets of C(level user).
                  type: str
                check:
                  description: The result of its last check; V(null) without one.
                  type: str
                last_change_seconds:
                  description: How long ago its state changed.
                  type: int
                sessions:
                  description: Sessions now.
                  type: int
                queue:
                  description: Requests that wait for it.
                  type: int
                weight:
                  description: Its weight now.
                  type: int
                backup:
                  description: Whether it serves only when no other one does.
                  type: bool
    backends:
      description: The backends that no line of a frontend names, for example because a map selects them.
      type: list
      elements: dict
      contains: *backend
vips:
  description: The virtual addresses of O(vips).
  type: list
  elements: dict
  returned: when V(vips) is in O(gather)
  contains:
    address:
      description: The address.
      type: str
    ports:
      description: The TCP ports that the configuration binds there, wildcards included.
      type: list
      elements: int
    problems:
      description: Sentences about missing ports, or ports without an answer and the reason.
      type: list
      elements: str
      sample:
        - "192.0.2.10:443 does not answer: connection refused."
"""

import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.facts import Facts
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.report import report
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import ARGUMENTS, option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import ProblemsError


def run(module: Module) -> dict[str, t.Any]:
    """Gather facts, and return them even if some failed."""
    params = module.params
    if wrong := option_problems(params):
        raise ProblemsError(wrong)
    facts = Facts(
        RuntimeClient(params["socket"], params["timeout"]),
        RuntimeClient(params["master_socket"], params["timeout"]),
        ReleaseStore(Path(params["config_dir"])),
        Path(params["certificate_dir"]),
        params["backend"],
        params["vips"],
    )
    found, problems = facts.gather(params["gather"])
    result = {"changed": False, "report": report(found), **found}
    if problems:
        raise ProblemsError(problems, **result)
    return result


def main() -> t.NoReturn:
    Module(
        argument_spec={
            **ARGUMENTS,
            "gather": {"type": "list", "elements": "str", "choices": [*Facts.SUBSETS], "default": ["info", "status"]},
            "backend": {"type": "list", "elements": "str", "default": []},
            "vips": {"type": "list", "elements": "str", "default": []},
            "master_socket": {"type": "path", "default": "/run/haproxy-master.sock"},
            "config_dir": {"type": "path", "default": "/etc/haproxy"},
            "certificate_dir": {"type": "path", "default": "/etc/haproxy/ssl"},
        },
    ).run(run)


if __name__ == "__main__":
    main()
