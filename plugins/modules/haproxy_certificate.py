#!/usr/bin/python

# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_certificate
short_description: Replace certificates of a running HAProxy without a reload
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Loads certificates, authorities (CA files) and lists of revoked certificates (CRLs) into the running HAProxy.
    Connections continue, and the next handshake uses the new one.
  - A certificate is checked before anything is touched. The key must belong to it, the chain must follow the leaf in
    order with valid signatures, every certificate must be valid now, and the leaf must cover the given host names.
  - The file is written first, so that a reload or a start finds the same. If HAProxy rejects it, the old file is
    restored.
  - A certificate that HAProxy already shows with the same fingerprint and chain is not sent again. After a change the
    module reads back HAProxy's fingerprint.
  - HAProxy has one transaction for certificates, and it belongs to nobody. Runs of this collection wait for each other;
    a transaction of another client is left alone, with an error.
  - A wrong item of O(certificates) is a separate error, and the other items are still changed.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
  - lbforge.haproxy.runtime
attributes:
  check_mode:
    support: full
    details:
      - Checks the certificates, reads from HAProxy and sends nothing. HAProxy alone knows some reasons to refuse, such
        as an unknown keyword in O(options).
  diff_mode:
    support: full
    details:
      - Shows serials, dates and fingerprints, and entries of crt-lists, never a PEM.
options:
  certificates:
    description:
      - The certificates to load or remove, in this order. For a single one, use O(name) and its options instead.
    type: list
    elements: dict
    suboptions:
      name: &name
        description:
          - The certificate by its name in HAProxy, as C(show ssl cert) lists it. It is the path in the configuration.
        type: str
        required: true
      content: &content
        description:
          - The PEM. For a certificate the leaf comes first, then its chain, with the key anywhere.
          - Required with O(state=present), unless O(src) is set.
        type: str
      src: &src
        description: A file on the managed host that holds the PEM, such as one that an ACME client has renewed.
        type: path
      kind: &kind
        description:
          - V(cert) is a certificate with its key. V(ca) is a file of authorities for C(ca-file), and V(crl) one of CRLs
            for C(crl-file); these need HAProxy 2.6 or newer.
          - After a change of these, a client that has lost access can still resume an earlier TLS session for the time
            in C(tune.ssl.lifetime) (five minutes). After a reload it cannot.
          - HAProxy 2.6 and 3.0, as Debian 12 and 13 have them, crash when one of these is replaced, then a certificate
            of the same bind, then one of these again (issue 3165 of HAProxy). So reload it after a change of these.
        type: str
        choices: [cert, ca, crl]
        default: cert
      state: &state
        description:
          - V(absent) removes it from the crt-list, from HAProxy and from the disk. A certificate in a C(bind) line
            cannot be removed without a reload.
        type: str
        choices: [present, absent]
        default: present
      hostnames: &hostnames
        description:
          - Names and addresses that the certificate must cover. A wildcard covers one label, as in browsers (RFC 6125),
            and the common name does not count.
        type: list
        elements: str
        default: []
      crt_list: &crt_list
        description:
          - The crt-list that the certificate is in, by its path in the configuration. It may be a directory that a
            C(bind) line names.
          - It is required for a certificate that HAProxy does not have yet.
          - The first entry, which is the default certificate, and the order of the others are not changed at run time.
        type: str
      sni: &sni
        description:
          - The names in the entry of the crt-list. Without them the names in the certificate apply.
          - With O(sni) or O(options) the crt-list gets exactly this one entry for the certificate, at its end if it is
            new or differs. Without both, any entry matches.
        type: list
        elements: str
      options: &options
        description: The options in the entry of the crt-list, without brackets, such as V(alpn h2,http/1.1).
        type: str
      persist: &persist
        description:
          - Whether to write the files of the certificate and the crt-list too. Otherwise the next reload restores their
            content.
          - The file of a certificate is readable by root only. The others keep their modes.
        type: bool
        default: true
      disk_path: &disk_path
        description: Path of the file on the host, if HAProxy uses another name, as with a chroot.
        type: path
  name:
    description: The single certificate by its name in HAProxy.
    type: str
  content: *content
  src: *src
  kind: *kind
  state: *state
  hostnames: *hostnames
  crt_list: *crt_list
  sni: *sni
  options: *options
  persist: *persist
  disk_path: *disk_path
seealso:
  - module: lbforge.haproxy.haproxy_config
"""

EXAMPLES = r"""
- name: Serve the renewed certificate
  lbforge.haproxy.haproxy_certificate:
    name: /etc/haproxy/ssl/www.example.com.pem
    src: /etc/letsencrypt/live/www.example.com/haproxy.pem
    hostnames: [www.example.com, example.com]

- name: Add two customers
  lbforge.haproxy.haproxy_certificate:
    certificates:
      - name: /etc/haproxy/ssl/one.example.net.pem
        content: "{{ one_bundle }}"
        crt_list: /etc/haproxy/customers.list
        sni: [one.example.net, www.one.example.net]
      - name: /etc/haproxy/ssl/two.example.net.pem
        content: "{{ two_bundle }}"
        crt_list: /etc/haproxy/customers.list
        options: alpn h2,http/1.1

- name: Remove a customer
  lbforge.haproxy.haproxy_certificate:
    name: /etc/haproxy/ssl/one.example.net.pem
    crt_list: /etc/haproxy/customers.list
    state: absent

- name: Revoke client certificates
  lbforge.haproxy.haproxy_certificate:
    name: /etc/haproxy/ssl/clients.crl
    kind: crl
    content: "{{ lookup('ansible.builtin.file', 'clients.crl') }}"
"""

RETURN = r"""
certificates:
  description: The items in their order, without those with errors.
  type: list
  elements: dict
  returned: when HAProxy answers
  contains:
    path:
      description: The item.
      type: str
      returned: always
      sample: certificates[0]
    name:
      description: Its name.
      type: str
      returned: always
      sample: /etc/haproxy/ssl/www.example.com.pem
    changed:
      description: Whether anything changed, or would in check mode.
      type: bool
      returned: always
    swapped:
      description: Whether HAProxy got it, or would in check mode. Maybe only the file needed a change.
      type: bool
      returned: always
    serial:
      description: Serial number of the certificate, in hexadecimal digits.
      type: str
      returned: for certificates that are to be present
      sample: 276D2D83C697B67C08BB64F0F42740F88FD88C7B
    not_before:
      description: When it begins to be valid.
      type: str
      returned: for certificates that are to be present
      sample: "2026-11-20T09:01:02Z"
    not_after:
      description: When it expires.
      type: str
      returned: for certificates that are to be present
      sample: "2027-02-18T09:01:02Z"
    days_left:
      description: Remaining whole days of its validity.
      type: int
      returned: for certificates that are to be present
      sample: 89
    san:
      description: The names and addresses that it covers.
      type: list
      elements: str
      returned: for certificates that are to be present
      sample: [www.example.com]
    sha1:
      description: Its SHA-1 fingerprint, as HAProxy shows it.
      type: str
      returned: for certificates that are to be present
      sample: 2AE8EE2A0F3BF55F2888F0F429539D84DA51B9DE
    sha256:
      description: Its SHA-256 fingerprint.
      type: str
      returned: for certificates that are to be present
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: certificates[0]
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

import datetime
import typing as t
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked, locked_directories
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.certificate_changes import (
    KINDS,
    Change,
    Desired,
    carry_out,
    plan,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.options import ARGUMENTS, option_problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import certificates, facts
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE: dict[str, dict[str, t.Any]] = {
    "content": {"type": "str", "no_log": True},
    "src": {"type": "path"},
    "kind": {"type": "str", "choices": [*KINDS], "default": "cert"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "hostnames": {"type": "list", "elements": "str", "default": []},
    "crt_list": {"type": "str"},
    "sni": {"type": "list", "elements": "str"},
    "options": {"type": "str"},
    "persist": {"type": "bool", "default": True},
    "disk_path": {"type": "path"},
}


# Issue 3165 of HAProxy, seen with 2.6.12 and 3.0.11.
RELOAD_SOON = (
    "A CA file or CRL is replaced in the running HAProxy. Reload it before a certificate of the same bind is replaced"
    " and then a CA file or CRL again: HAProxy can crash otherwise."
)


def items(params: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The items by the names of their options."""
    if params["certificates"] is None:
        return {"certificate": params}
    return {f"certificates[{index}]": item for index, item in enumerate(params["certificates"])}


def option_errors(params: dict[str, t.Any]) -> list[Problem]:
    """Every mistake in the options, whatever HAProxy has."""
    found = option_problems(params)
    if params["certificates"] is not None:
        beside = [key for key, option in CERTIFICATE.items() if params[key] not in (None, option.get("default"))]
        found += [Problem(key, "", "Set it in each item of certificates") for key in beside]
    names: set[tuple[str, str]] = set()
    for path, item in items(params).items():
        if (item["name"], item["kind"]) in names:
            found.append(Problem(path, "", "It is listed twice", name=item["name"]))
        names.add((item["name"], item["kind"]))
        if item["state"] == "present" and (item["content"] is None) == (item["src"] is None):
            found.append(Problem(path, "", "It needs either content or src", name=item["name"]))
    return found


def desired_file(item: dict[str, t.Any]) -> Desired:
    """An item with its file read."""
    content = item["content"] or ""
    if item["src"] and item["state"] == "present":
        try:
            content = Path(item["src"]).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise LbforgeError(f"Cannot read {item['src']}: {error.strerror}.") from error
    return Desired(
        name=item["name"],
        kind=item["kind"],
        present=item["state"] == "present",
        content=content,
        hostnames=tuple(item["hostnames"]),
        crt_list=item["crt_list"] or "",
        sni=None if item["sni"] is None else tuple(item["sni"]),
        options=item["options"],
        persist=item["persist"],
        disk_path=item["disk_path"] or "",
    )


def report(path: str, change: Change, now: datetime.datetime) -> dict[str, t.Any]:
    """What was done with an item, or would be in check mode."""
    wanted = change.desired
    result = {"path": path, "name": wanted.name, "changed": change.needed, "swapped": bool(change.action)}
    if wanted.present and wanted.kind == "cert":
        result.update(facts(certificates(wanted.content)[0], now))
    return result


def directories(params: dict[str, t.Any]) -> set[Path]:
    """Where files may change."""
    paths = [
        Path(path)
        for item in items(params).values()
        if item["persist"]
        for path in (item["disk_path"] or item["name"], item["crt_list"])
        if path
    ]
    return {path.parent for path in paths if path.is_absolute()}


@contextmanager
def alone(params: dict[str, t.Any]) -> Iterator[None]:
    """Be the only one that changes the certificates of this HAProxy, and their files."""
    timeout = params["timeout"]
    with locked_directories(directories(params), timeout), locked(params["socket"], timeout):
        yield


def settle(client: RuntimeClient, desired: Desired, now: datetime.datetime, *, check_mode: bool) -> Change:
    """Compare the wanted with the current state, and apply the changes."""
    with client.session() as session:
        change = plan(session, desired, now)
        if change.needed and not check_mode:
            carry_out(session, change)
    return change


def run(module: Module) -> dict[str, t.Any]:
    """Load the certificates and return the result."""
    params, check_mode = module.params, module.check_mode
    # The masks of Ansible know only whole values.
    module.show_instead(certificates=None, content=None)
    if problems := option_errors(params):
        raise ProblemsError(problems)
    now = datetime.datetime.now(datetime.timezone.utc)
    client = RuntimeClient(params["socket"], params["timeout"])
    changes: dict[str, Change] = {}
    with nullcontext() if check_mode else alone(params):
        for path, item in items(params).items():
            try:
                changes[path] = settle(client, desired_file(item), now, check_mode=check_mode)
            except LbforgeError as error:
                problems.append(Problem(path, "", str(error), name=item["name"]))
    made = {path: change for path, change in changes.items() if change.needed}
    result: dict[str, t.Any] = {
        "changed": bool(made),
        "certificates": [report(path, change, now) for path, change in changes.items()],
        "diff": [
            {
                "before_header": change.desired.name,
                "after_header": change.desired.name,
                "before": change.before,
                "after": change.after,
            }
            for change in made.values()
        ],
    }
    replaced = [(path, change.desired) for path, change in made.items() if change.desired.kind != "cert"]
    for path, desired in replaced[:1]:
        module.warn_of(Problem(path, "", RELOAD_SOON, name=desired.name))
    if problems:
        raise ProblemsError(problems, **result)
    return result


def main() -> t.NoReturn:
    Module(
        argument_spec={
            **ARGUMENTS,
            "certificates": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **CERTIFICATE},
            },
            "name": {"type": "str"},
            **CERTIFICATE,
        },
        mutually_exclusive=[("certificates", "name")],
        required_one_of=[("certificates", "name")],
    ).run(run)


if __name__ == "__main__":
    main()
