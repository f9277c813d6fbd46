#!/usr/bin/python
# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_certificates
short_description: A private certificate authority and all its certificates in one call
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Makes certificate authorities, signed by themselves or by each other, and the certificates below them, all in one
    directory of the setup host, however many there are.
  - Compares wanted and existing certificates by meaning, and reissues those that differ in names, usages, kind of key
    or lifetime, are not signed by their authority, are damaged or missing, or have less than a third of their lifetime
    left.
  - The key of an authority is replaced only by O(regen_ca). Everything below a new key is signed again.
  - Concurrent calls wait for each other, and the next call finishes an interrupted one.
  - Keys have mode C(0600) in directories of mode C(0700) from their first byte.
extends_documentation_fragment:
  - lbforge.haproxy.attributes
attributes:
  check_mode:
    support: full
    details: Certificates that would be issued are made in memory and thrown away, so they have no serial number yet.
  diff_mode:
    support: full
    details: Shows names, serial numbers, dates and reasons, never a key.
requirements:
  - cryptography >= 42 on the host that runs the module
options:
  directory:
    description:
      - Directory of the keys and certificates. C(roots/NAME/) holds an authority, C(certs/) all certificates, each
        with C(private/NAME.key.pem), C(certs/NAME.crt) and C(certs/NAME-chain.crt).
      - Back the directory up. A lost key of an authority cannot be recovered.
    type: path
    required: true
  authorities:
    description: Certificate authorities, in any order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the authority and of its files. Required.
        type: str
      condition:
        description: An entry whose condition is false is left out.
        type: bool
        default: true
      provider:
        description:
          - V(selfsigned) for a root, V(ownca) for an authority that another one signs.
          - The default follows from O(authorities[].signed_by).
        type: str
      signed_by:
        description: Name of the authority that signs this one, in this list or already in the directory.
        type: str
      cn:
        description: Common name. Required.
        type: str
        aliases: [common_name]
      country_name:
        description: Country of the subject, two letters.
        type: str
        aliases: [country]
      state_or_province_name:
        description: State or province of the subject.
        type: str
        aliases: [state]
      locality_name:
        description: Locality of the subject.
        type: str
        aliases: [locality]
      organization_name:
        description: Organization of the subject.
        type: str
        aliases: [organization]
      organizational_unit_name:
        description: Organizational unit of the subject.
        type: str
        aliases: [organizational_unit]
      email_address:
        description: E-mail address in the subject.
        type: str
        aliases: [email]
      basic_constraints:
        description: V(CA:TRUE) is always true here; V(pathlen:N) limits how many authorities may follow below.
        type: list
        elements: str
      key_usage:
        description: Usages beside V(keyCertSign) and V(cRLSign), which an authority always has.
        type: list
        elements: str
      ttl:
        description: Lifetime, such as V(3650d) or V(+3650d). The default is V(3650d).
        type: str
        aliases: [not_after]
      name_constraints_permitted:
        description:
          - Names that the authority, and all below it, may sign for, such as V(DNS:example.org) (with everything below
            it) or V(IP:192.0.2.0/24). Names of other kinds stay allowed.
          - A certificate with another name is rejected, as clients would reject it.
        type: list
        elements: str
      name_constraints_excluded:
        description: Names that it may not sign for, in the same form.
        type: list
        elements: str
      key_passphrase:
        description:
          - Passphrase of the key file. A key that has none yet is encrypted with it.
          - Otherwise only its mode protects the key of an authority.
        type: str
      revoked:
        description:
          - Revoked certificates of the authority. With this, even as an empty list, the authority has a
            revocation list, C(crl/NAME.crl.pem), which is signed again when the entries change or when it is due.
        type: list
        elements: dict
        suboptions:
          serial:
            description: Serial number in hexadecimal, as in RV(certificates[].serial) and openssl's output. Required.
            type: str
          reason:
            description:
              - V(unspecified), V(keyCompromise), V(cACompromise), V(affiliationChanged), V(superseded) or
                V(cessationOfOperation). The default is V(unspecified).
            type: str
      crl_ttl:
        description:
          - Lifetime of the revocation list. The default is V(365d). A server with an expired list rejects all clients.
        type: str
      key_type:
        description:
          - V(ECDSA), V(RSA) or V(Ed25519). The default for a new authority is V(ECDSA).
          - Without it an authority keeps the key that it has, of whatever kind.
        type: str
      key_size:
        description:
          - V(256), V(384) or V(521) for ECDSA, V(256) by default.
          - V(2048), V(3072), V(4096) or V(8192) for RSA, V(4096) by default.
        type: int
  certificates:
    description: Certificates, each signed by an authority.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the certificate and of its files. Required.
        type: str
      condition:
        description: An entry whose condition is false is left out.
        type: bool
        default: true
      provider:
        description: V(ownca), the only one.
        type: str
      signed_by:
        description: Name of the authority that signs it, in O(authorities) or already in the directory. Required.
        type: str
      cn:
        description: Common name. Required.
        type: str
        aliases: [common_name]
      country_name:
        description: Country of the subject, two letters.
        type: str
        aliases: [country]
      state_or_province_name:
        description: State or province of the subject.
        type: str
        aliases: [state]
      locality_name:
        description: Locality of the subject.
        type: str
        aliases: [locality]
      organization_name:
        description: Organization of the subject.
        type: str
        aliases: [organization]
      organizational_unit_name:
        description: Organizational unit of the subject.
        type: str
        aliases: [organizational_unit]
      email_address:
        description: E-mail address in the subject.
        type: str
        aliases: [email]
      san:
        description:
          - Names and addresses that clients accept the certificate for. A dict with the lists C(dns), C(ip) and C(uri),
            or a text such as V(DNS:www.example.org,IP:192.0.2.1).
          - The default is O(certificates[].cn), if it is a host name or an address.
        type: raw
      key_usage:
        description:
          - Key usages. The default is V(digitalSignature), for RSA keys also V(keyEncipherment).
        type: list
        elements: str
      extended_key_usage:
        description: V(serverAuth), V(clientAuth) or both. The default is V(serverAuth).
        type: list
        elements: str
      ttl:
        description:
          - Lifetime, such as V(90d). The default is V(365d).
          - A certificate never outlives the authority that signs it.
        type: str
        aliases: [not_after]
      key_type:
        description:
          - V(ECDSA), V(RSA) or V(Ed25519), which browsers do not support. The default is V(ECDSA).
        type: str
      key_size:
        description:
          - V(256), V(384) or V(521) for ECDSA, V(256) by default.
          - V(2048), V(3072), V(4096) or V(8192) for RSA, V(2048) by default.
        type: int
  user_certificates:
    description:
      - Certificates of the user's own, read from the setup host and checked before anything is written.
      - The key must belong to the certificate, the chain must be in order, nothing may have expired, and the
        certificate must be for a host that clients ask for.
      - One with the name of a certificate in O(certificates) replaces it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the certificate in O(bundles). Required.
        type: str
      condition:
        description: An entry whose condition is false is left out.
        type: bool
        default: true
      cert:
        description: Path of the certificate, which its chain may follow. Required.
        type: str
      key:
        description: Path of the private key, without a passphrase. Required.
        type: str
      ca_cert:
        description: Path of the chain, or the rest of it; a root in it is not sent to clients.
        type: str
      names:
        description:
          - Names and addresses by which clients ask for it. It must be for one of them, or for any host if only
            addresses are known.
          - By default they are unknown.
        type: list
        elements: str
  bundles:
    description:
      - Names of certificates, of O(certificates) or O(user_certificates), to return with chain and B(private key).
      - A task that uses this needs C(no_log=true).
    type: list
    elements: str
    default: []
  files:
    description:
      - Files to return for M(lbforge.haproxy.node_files), as the variable C(pki_install_certificates) lists them.
      - A task that uses this for private keys needs C(no_log=true).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of a certificate of O(certificates) or O(user_certificates). Required, or O(files[].src).
        type: str
      condition:
        description: An entry whose condition is false is left out.
        type: bool
        default: true
      type:
        description:
          - The part of it, V(certificate), V(certificate_chain) (without the root), V(ca_bundle) (the authorities above
            it) or V(private_key).
        type: str
      src:
        description: A file of the setup host, instead.
        type: str
      dest:
        description: Its path on the node. Required.
        type: str
      owner:
        description: Its user on the node. The default is V(root).
        type: str
      group:
        description: Its group on the node. The default is V(root).
        type: str
      mode:
        description: Its mode, in quotes. The default is V(0600) for keys and O(files[].src), V(0644) for the others.
        type: str
  anchors:
    description: Authorities to return as trust anchors, for M(lbforge.haproxy.pki_trust).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of an authority of O(authorities), or of one already in the directory. Required.
        type: str
      condition:
        description: An entry whose condition is false is left out.
        type: bool
        default: true
  ca_files:
    description:
      - Names of authorities whose certificate, and whose revocation list if there is one, are returned for servers that
        verify client certificates, such as HAProxy's C(ca-file) and C(crl-file).
    type: list
    elements: str
    default: []
  regen_ca:
    description:
      - Name of an authority that gets a new key and certificate, or V(true) for all of them. Everything below is signed
        again. The old files stay beside the new ones under a name with the date.
      - Every call with it repeats that.
    type: str
    default: ""
  regen_cert:
    description: Name of a certificate that is issued again, or V(true) for all of them.
    type: str
    default: ""
  renew_before:
    description:
      - Time before its end at which a certificate is reissued, such as V(30d). It must be shorter than the lifetimes of
        all O(certificates).
      - The default is a third of its lifetime. This default also applies to authorities, which keep their keys.
    type: str
    default: ""
seealso:
  - module: lbforge.haproxy.pki_trust
"""

EXAMPLES = r"""
- name: Issue a certificate of our own authority
  lbforge.haproxy.pki_certificates:
    directory: /etc/pki/haproxy-ca
    authorities:
      - name: HAProxyRoot
        cn: HAProxy Root CA
      - name: HAProxyIntermediate
        cn: HAProxy Intermediate CA
        signed_by: HAProxyRoot
        basic_constraints: ["CA:TRUE", "pathlen:0"]
    certificates:
      - name: haproxy_lb1-192.0.2.10
        cn: lb1.example.org
        signed_by: HAProxyIntermediate
        san:
          dns: [lb1.example.org, www.example.org]
          ip: [192.0.2.10]
  delegate_to: localhost

- name: Read it for HAProxy, and the root for a trust store
  lbforge.haproxy.pki_certificates:
    directory: /etc/pki/haproxy-ca
    certificates:
      - name: haproxy_lb1-192.0.2.10
        cn: lb1.example.org
        signed_by: HAProxyIntermediate
        san: "DNS:lb1.example.org,DNS:www.example.org,IP:192.0.2.10"
    bundles: [haproxy_lb1-192.0.2.10]
    anchors:
      - name: HAProxyRoot
  delegate_to: localhost
  register: pki
  no_log: true
"""

RETURN = r"""
actions:
  description: The action, or the predicted one in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(authority), V(certificate) or V(crl).
      type: str
    name:
      description: Its name.
      type: str
    action:
      description: V(create), V(reissue), or V(repair) for a file beside an unchanged certificate.
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
authorities:
  description: The authorities of the call, and those that signed for it.
  returned: success
  type: list
  elements: dict
  sample:
    - name: HAProxyRoot
      path: /etc/pki/haproxy-ca/roots/HAProxyRoot/certs/HAProxyRoot.crt
      serial: 5f1e0c2d
      not_before: "2026-11-20T10:25:00Z"
      not_after: "2036-11-17T10:30:00Z"
      fingerprint: "d4:1d:8c"
      subject: CN=HAProxy Root CA
      issuer: CN=HAProxy Root CA
      san: []
certificates:
  description:
    - The certificates of the call, with the same keys.
    - RV(certificates[].serial) and RV(certificates[].fingerprint) are null in check mode for what would be issued.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    path:
      description: Path of the certificate on the setup host.
      type: str
    serial:
      description: Serial number in hexadecimal.
      type: str
    not_before:
      description: Beginning of its validity in UTC.
      type: str
    not_after:
      description: End of its validity in UTC.
      type: str
    fingerprint:
      description: SHA-256 of the certificate.
      type: str
    subject:
      description: Whose certificate it is.
      type: str
    issuer:
      description: Its issuer.
      type: str
    san:
      description: Names and addresses it is valid for.
      type: list
      elements: str
user_certificates:
  description: The user's own certificates, with the same keys.
  returned: success
  type: list
  elements: dict
bundles:
  description:
    - Certificate, chain without root, and B(private key) of each of O(bundles), as HAProxy reads them.
    - In check mode those that would be issued are throw-away ones.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: File name, C(NAME.pem).
      type: str
    content:
      description: PEM text. Secret.
      type: str
files:
  description: Content, place, owner and mode of each of O(files).
  returned: success
  type: list
  elements: dict
  contains:
    dest:
      description: Path on the node.
      type: str
    owner:
      description: User on the node.
      type: str
    group:
      description: Group on the node.
      type: str
    mode:
      description: Mode on the node.
      type: str
    content:
      description: PEM text. Secret if it is a key.
      type: str
ca_files:
  description:
    - What a server knows clients of each of O(ca_files) by. After O(regen_ca) also what it was before, as in
      RV(anchors).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: File name, C(NAME.ca.pem) or C(NAME.crl.pem).
      type: str
    content:
      description: PEM text.
      type: str
crls:
  description: The revocation lists of authorities that have O(authorities[].revoked).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the authority.
      type: str
    path:
      description: Path of the list on the setup host.
      type: str
    content:
      description: PEM text.
      type: str
    number:
      description: Its number, which grows.
      type: int
    next_update:
      description: Its end in UTC.
      type: str
    revoked:
      description: Serial numbers in hexadecimal.
      type: list
      elements: str
anchors:
  description:
    - Certificates of O(anchors).
    - After O(regen_ca) also what they were before, C(NAME-DATE), until that expires or its file is deleted, so that
      what was signed before is trusted while everything changes.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the authority.
      type: str
    content:
      description: PEM text of its certificate.
      type: str
errors:
  description: Every mistake.
  returned: failure
  type: list
  elements: dict
  contains: &problem
    path:
      description: Its place in the data; empty if no single value is the cause.
      type: str
      sample: authorities[1].signed_by
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
import pathlib
import traceback
import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import report
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.issue import issue
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import (
    InstalledFile,
    PkiError,
    parse_request,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.schema import TABLES, module_options
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import (
    Store,
    authority_place,
    certificate_place,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.user import load_user_certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, shown

try:
    import cryptography

    CRYPTOGRAPHY_ERROR = ""
    CRYPTOGRAPHY_VERSION = int(cryptography.__version__.split(".")[0])
except ImportError:
    CRYPTOGRAPHY_ERROR = traceback.format_exc()
    CRYPTOGRAPHY_VERSION = 0

MINIMAL_CRYPTOGRAPHY = 42


def run(params: dict[str, t.Any], check_mode: bool, now: datetime.datetime) -> dict[str, t.Any]:
    """Execute or only plan one call, and return its result."""
    store = Store(pathlib.Path(params["directory"]))
    with store.lock(read_only=check_mode):
        present_authorities = store.authorities()
        request = parse_request(params, present_authorities)
        names = {*present_authorities, *(authority.name for authority in request.authorities)}
        places = [authority_place(name) for name in names]
        places += [certificate_place(certificate.name) for certificate in request.certificates]
        users = load_user_certificates(request.user_certificates, lambda path: pathlib.Path(path).read_bytes(), now)
        sources = {file.src: _read(file) for file in request.files if file.src}
        outcome = issue(request, store.read(places), now)
        retired = report.Retired(store, {*request.anchors, *request.ca_files}, now)
        if not check_mode:
            store.apply(outcome.changes)

    holdings = {**outcome.certificates, **users}
    facts = report.Facts(outcome, store.directory, check_mode)
    return {
        "changed": bool(outcome.actions),
        "diff": facts.diff(),
        "actions": [action.to_dict() for action in outcome.actions],
        "authorities": facts.authorities(),
        "certificates": facts.certificates(),
        "user_certificates": facts.user_certificates(request, users),
        "files": report.files(request, holdings, sources),
        "bundles": [{"name": f"{name}.pem", "content": holdings[name].bundle().decode()} for name in request.bundles],
        "anchors": report.anchors(request, outcome, retired),
        "ca_files": list(report.ca_files(request, outcome, retired)),
        "crls": report.crls(outcome, store.directory),
    }


def _read(file: InstalledFile) -> bytes:
    try:
        return pathlib.Path(file.src).read_bytes()
    except OSError as error:
        why = f"{file.src} cannot be read: {error.strerror}"
        raise PkiError([Problem(f"{file.path}.src", shown(file.src), why)]) from error


def run_now(module: Module) -> dict[str, t.Any]:
    """Execute one call, if the library is installed."""
    if CRYPTOGRAPHY_VERSION < MINIMAL_CRYPTOGRAPHY:
        library = missing_required_lib(f"cryptography >= {MINIMAL_CRYPTOGRAPHY}")
        raise LbforgeError(library, exception=CRYPTOGRAPHY_ERROR or None)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return run(module.params, module.check_mode, now)


def main() -> t.NoReturn:
    def entries(table: Record) -> dict[str, t.Any]:
        return {"type": "list", "elements": "dict", "default": [], "options": module_options(table)}

    Module(
        argument_spec={
            "directory": {"type": "path", "required": True},
            **{option: entries(table) for option, table in TABLES.items()},
            "bundles": {"type": "list", "elements": "str", "default": []},
            "ca_files": {"type": "list", "elements": "str", "default": []},
            "regen_ca": {"type": "str", "default": ""},
            "regen_cert": {"type": "str", "default": ""},
            "renew_before": {"type": "str", "default": ""},
        },
    ).run(run_now)


if __name__ == "__main__":
    main()
