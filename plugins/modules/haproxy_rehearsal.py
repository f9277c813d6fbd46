#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_rehearsal
short_description: Test what a HAProxy configuration does with requests, before it gets any
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Starts a HAProxy of its own with an unchanged configuration, in a private network in which every address is local.
    Clients, VIPs and servers have the addresses that they have in earnest.
  - Stand-ins answer for the servers of the configuration. They speak HTTP, TLS and the PROXY protocol as HAProxy does
    to them, and tell who was asked, and with which headers.
  - Then it sends the requests of O(expectations), and fails if something else comes of one than was expected. For each
    of those it says what came, and which way the request took.
  - No other host and no running HAProxy is contacted. What was started is gone when the module ends, and when it is
    killed, too.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details:
      - It rehearses in check mode too, because it changes nothing.
  diff_mode:
    support: none
    details: It changes nothing.
requirements:
  - HAProxy 2.6 or newer, ip of iproute2, and openssl where the configuration uses TLS
  - curl with HTTP/2, for requests by HTTP/2
  - root, or user namespaces for all
notes:
  - Health checks are switched off, and all servers are up unless an expectation says otherwise. Whether a real server
    passes its check cannot be rehearsed.
  - An answer of C(http-request silent-drop) is a reset here, since there is no router on the way that would drop it.
  - A server that is spoken to in HTTP/2 without a choice (C(proto h2)) has no stand-in. A configuration with such a
    server is refused.
options:
  path:
    description: The configuration. It is used as if it lay there, with the files beside it.
    type: path
    default: /etc/haproxy/haproxy.cfg
  files:
    description:
      - Texts of files in the directory of O(path) by their names, in the place of those that are there. One may be the
        configuration itself.
    type: dict
    default: {}
  expectations:
    description:
      - What should come of requests, as in the variable C(haproxy_expectations) of the role haproxy_server. The file
        C(docs/rehearsals.md) of this collection describes the keys.
      - A list, or a dictionary of lists by the places that errors name.
      - Either these or O(learn) is required.
    type: raw
  against:
    description:
      - A directory with the files of another configuration, C(haproxy.cfg) and what it names below the directory of
        O(path). The result then tells which requests get another response with O(files), whether expected or not.
    type: path
  learn:
    description:
      - Instead of testing expectations, find out what the configuration answers today and return it as
        RV(learned). Requests are made for each bind, and for either side of each condition of ACLs and rules, to
        the host, path, header, method or source address that it names; and with each server of a pool down.
      - Every request is made in two rehearsals, and only what comes in both is returned.
    type: bool
  addresses:
    description:
      - Addresses of hosts that URLs name. Without one, a request goes to the first address that listens on its port.
    type: dict
    default: {}
  secrets:
    description: Values that must not be shown in a result or a log.
    type: list
    elements: str
    default: []
  binary:
    description: The HAProxy, a path or a name on the search path.
    type: str
    default: haproxy
  timeout:
    description: Seconds after which the rehearsal is given up.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Test the configuration of this load balancer
  lbforge.haproxy.haproxy_rehearsal:
    expectations:
      - name: the API goes to the API's pool
        request:
          url: https://www.example.com/api/v1
          from: 198.51.100.7
        expect:
          service: api
          request_headers:
            X-Forwarded-Proto: https
      - name: the world does not see the admin port
        request:
          connect: 203.0.113.10:9000
        expect: refused
      - name: web2 takes over when web1 is down
        given:
          down: [web1]
        request:
          url: http://www.example.com/
        expect:
          server: web2

- name: Find out what an inherited configuration answers
  lbforge.haproxy.haproxy_rehearsal:
    learn: true
    timeout: 300
  register: inherited

- name: Keep it as expectations
  ansible.builtin.copy:
    content: "{{ {'haproxy_expectations': inherited.learned} | to_nice_yaml(sort_keys=false) }}"
    dest: learned.yml
    mode: "0644"
  delegate_to: localhost

- name: Test a configuration that is nowhere yet
  lbforge.haproxy.haproxy_rehearsal:
    files:
      haproxy.cfg: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
    expectations: "{{ haproxy_expectations }}"
  delegate_to: localhost
"""

RETURN = r"""
learned:
  description: What the configuration answers, in the form of O(expectations).
  type: list
  elements: dict
  returned: with O(learn)
untold:
  description: What RV(learned) does not tell, such as a condition that no request here can meet; each in a sentence.
  type: list
  elements: str
  returned: with O(learn)
results:
  description: What came of each expectation, in their order. Of several requests it is what came of the last one.
  type: list
  elements: dict
  returned: success, and failure of expectations
  contains:
    name:
      description: Name of the expectation.
      type: str
    passed:
      description: Whether all was as expected.
      type: bool
    unjudged:
      description: Keys of what was expected that cannot be judged here, as V(certificate) of RV(stand_in_certificates).
      type: list
      elements: str
    request:
      description: What the client did.
      type: str
      sample: GET https://www.example.com/api/v1
    connection:
      description: V(answered), V(refused), V(reset) or V(timeout).
      type: str
    status:
      description: The status code; V(0) without one.
      type: int
    backend:
      description: The backend that the request went to; empty if none.
      type: str
    servers:
      description: The servers that were asked.
      type: list
      elements: str
    way:
      description: The way of the request, from the bind to the server.
      type: str
      sample: bind 203.0.113.10:443 > web-front-1 > api-back/api1
    observed:
      description:
        - What came, in the form of C(expect) in O(expectations). Of several requests it is what their answers have in
          common. Of headers it holds those that are not as they were sent.
        - What changes from one request to the next is left out, such as the server of a pool with several, a header
          with the time, or a cookie.
      type: dict
      sample:
        frontend: web-front-1
        backend: api-back
        server: api1
        status: 200
        request_headers:
          x-forwarded-for: 198.51.100.7
    failures:
      description: What is not as expected, as in RV(errors).
      type: list
      elements: dict
failures:
  description: How many expectations are not met.
  type: int
  returned: success, and failure of expectations
differences:
  description: The requests that get another response than with the configuration O(against).
  type: list
  elements: dict
  returned: if O(against) is set
  contains:
    name:
      description: Name of the expectation.
      type: str
    request:
      description: What the client did.
      type: str
    before:
      description: What differs, by the keys of C(expect), with O(against); a value is empty where there was none.
      type: dict
      sample:
        backend: web-back
    after:
      description: The same keys with O(files).
      type: dict
      sample:
        backend: api-back
lines:
  description: The same for people to read, a line or more for each expectation.
  type: list
  elements: str
  returned: success, and failure of expectations
stand_in_certificates:
  description: Certificates that are not on this host, in whose place a stand-in was shown.
  type: list
  elements: str
  returned: success, and failure of expectations
errors:
  description: What is not as expected, or a mistake in an expectation.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: The key of the expectation.
      type: str
      sample: haproxy_expectations[0].expect.service
    name:
      description: The name of the expectation.
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
    key:
      description: The key within C(expect); only of what is not as expected, as are the following three.
      type: str
    expected:
      description: What was expected.
      type: str
    got:
      description: What came.
      type: str
    way:
      description: The way of the request, from the bind to the server.
      type: str
warning_details:
  description: What is legal but doubtful. Ansible also shows each C(text) as a warning.
  returned: always
  type: list
  elements: dict
  contains: *problem
"""

import dataclasses
import pathlib
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.comparison import compare
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.learning import learn
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, prove
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked, masked_data

ARGUMENTS = {
    "path": {"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
    "files": {"type": "dict", "default": {}},
    "expectations": {"type": "raw"},
    "learn": {"type": "bool"},
    "against": {"type": "path"},
    "addresses": {"type": "dict", "default": {}},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "binary": {"type": "str", "default": "haproxy"},
    "timeout": {"type": "int", "default": 60},
}


def run(module: Module) -> dict[str, t.Any]:
    """Rehearse and return the result; what is not as expected is an error."""
    params = module.params
    # The texts are large and may hold passwords.
    module.show_instead(files=list(params["files"]), secrets=[])
    configuration = pathlib.Path(params["path"])
    trial = Trial(
        configuration=configuration,
        files={configuration.parent / name: text.encode() for name, text in params["files"].items()},
        expectations=parse(params["expectations"] or []),
        addresses=params["addresses"],
        binary=module.get_bin_path(params["binary"], required=True),
        patience=params["timeout"],
    )
    try:
        if params["learn"]:
            learned = learn(trial, params["secrets"])
            return {"changed": False, "learned": learned.expectations, "untold": learned.untold}
        changes = differences(trial, pathlib.Path(params["against"])) if params["against"] else {}
        try:
            return {"changed": False, **masked_data({**prove(trial), **changes}, params["secrets"])}
        except ProblemsError as error:
            error.details.update(changes)
            raise
    except LbforgeError as error:
        details = masked_data(error.details, params["secrets"])
        raise LbforgeError(masked(str(error), params["secrets"]), **details) from error


def differences(trial: Trial, directory: pathlib.Path) -> dict[str, t.Any]:
    """The requests to which the files of a directory respond differently."""
    if not (directory / trial.configuration.name).is_file():
        raise LbforgeError(
            f"{directory} has no {trial.configuration.name}, so there is nothing to compare with. The playbook"
            " haproxy_validate writes the files of each load balancer with -e haproxy_render_to=DIRECTORY."
        )
    home = trial.configuration.parent
    files = {home / path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    old = dataclasses.replace(trial, files=files)
    return {"differences": [difference.as_dict() for difference in compare(old, trial)]}


def main() -> t.NoReturn:
    alternatives = [("expectations", "learn")]
    Module(argument_spec=ARGUMENTS, required_one_of=alternatives, mutually_exclusive=alternatives).run(run)


if __name__ == "__main__":
    main()
