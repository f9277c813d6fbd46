#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_trust
short_description: Certificate authorities that a node trusts
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Puts certificates of authorities, each in a file of its own, where the system looks for trust anchors, and has the
    system make its bundle of them.
  - Looks into the bundle, so that a run cut off between the file and the bundle is finished by the next one.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  anchors:
    description:
      - Authorities to trust.
      - What M(lbforge.haproxy.pki_certificates) called C(NAME-DATE), because O(anchors[].name) was regenerated, is
        trusted no more once it is not among them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the file, without C(.crt).
        type: str
        required: true
      content:
        description: Certificate in PEM format.
        type: str
        required: true
  directory:
    description: Directory of the anchors.
    type: path
    default: /usr/local/share/ca-certificates
  bundle:
    description: File in which the system collects all trusted certificates.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  command:
    description:
      - Command that makes O(bundle).
      - C(update-ca-certificates --fresh) is none for a machine at work. Programs that look authorities up in
        C(/etc/ssl/certs) by their hash find none of them while it runs.
    type: list
    elements: str
    default: [update-ca-certificates]
seealso:
  - module: lbforge.haproxy.pki_certificates
"""

EXAMPLES = r"""
- name: Trust our root
  lbforge.haproxy.pki_trust:
    anchors:
      - name: HAProxyRoot
        content: "{{ lookup('ansible.builtin.file', '/etc/pki/haproxy-ca/roots/HAProxyRoot/certs/HAProxyRoot.crt') }}"
"""

RETURN = r"""
installed:
  description: Names of the anchors that were, or would be, written or taken into the bundle.
  returned: success
  type: list
  elements: str
removed:
  description: Names of the anchors that were, or would be, trusted no more.
  returned: success
  type: list
  elements: str
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: anchors[0].name
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

from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.trust import TrustError, TrustStore, parse_anchors


def run(module: Module) -> dict[str, t.Any]:
    """Install missing anchors, update the system's bundle, and check it."""
    params = module.params
    anchors = parse_anchors(params["anchors"])
    store = TrustStore(params["directory"], params["bundle"])
    before = {anchor: store.read(anchor) for anchor in anchors}
    outdated = [anchor for anchor in anchors if before[anchor] != anchor.content]
    untrusted = store.untrusted(anchors)
    wanting = [anchor for anchor in anchors if anchor in outdated or anchor in untrusted]
    retired = {path: path.read_text(encoding="utf-8", errors="replace") for path in store.retired(anchors)}

    if (wanting or retired) and not module.check_mode:
        module.get_bin_path(params["command"][0], required=True)
        for anchor in outdated:
            store.write(anchor)
        for path in retired:
            path.unlink()
        module.run_command(params["command"], check_rc=True)
        if refused := [anchor.name for anchor in store.untrusted(anchors)]:
            command = " ".join(params["command"])
            raise TrustError(f"{command} succeeded, but {params['bundle']} has no certificate of {', '.join(refused)}")
    return {
        "changed": bool(wanting or retired),
        "installed": [anchor.name for anchor in wanting],
        "removed": [path.stem for path in retired],
        "diff": [
            {
                "before_header": str(store.path(anchor)),
                "before": before[anchor],
                "after_header": str(store.path(anchor)),
                "after": anchor.content,
            }
            for anchor in outdated
        ]
        + [
            {"before_header": str(path), "before": text, "after_header": str(path), "after": ""}
            for path, text in retired.items()
        ],
    }


def main() -> t.NoReturn:
    anchor = {"name": {"type": "str", "required": True}, "content": {"type": "str", "required": True}}
    Module(
        argument_spec={
            "anchors": {"type": "list", "elements": "dict", "required": True, "options": anchor},
            "directory": {"type": "path", "default": "/usr/local/share/ca-certificates"},
            "bundle": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
            "command": {"type": "list", "elements": "str", "default": ["update-ca-certificates"]},
        },
    ).run(run)


if __name__ == "__main__":
    main()
