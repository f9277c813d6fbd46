# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes of a run as Ansible shows them with C(--diff)."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import fingerprint
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Host, Outcome


def diff_blocks(host: Host, outcome: Outcome) -> list[dict[str, str]]:
    """The changes file by file, without anything that only HAProxy may read."""
    found, wanted = outcome.found, outcome.wanted
    secrets = {*wanted.secrets, *host.store.secrets(found.current)}
    shown = [
        (
            host.store.config_dir / name,
            masked(found.contents.get(name, b"").decode(errors="replace"), secrets),
            masked(wanted.release.texts.get(name, ""), secrets),
        )
        for name in found.files
    ]
    shown += [
        (host.certificates.directory / name, fingerprint(before), fingerprint(wanted.certificates[name]))
        for name, before in found.certificates.items()
    ]
    blocks = [
        {"before_header": str(path), "after_header": str(path), "before": before, "after": after}
        for path, before, after in shown
    ]
    if responses := _responses(host, outcome):
        blocks.append({"prepared": masked("".join(f"{line}\n" for line in responses), secrets)})
    if outcome.plan.action != "nothing":
        how = "".join(f"{line}\n" for line in (outcome.plan.action, outcome.plan.reason, *outcome.plan.commands))
        blocks.append(
            {"before_header": "HAProxy", "after_header": "HAProxy", "before": "", "after": masked(how, secrets)}
        )
    return blocks


def _responses(host: Host, outcome: Outcome) -> list[str]:
    """How the responses to the expected requests change."""
    found, wanted, earlier = outcome.found, outcome.wanted, outcome.previous_release
    if outcome.plan.action == "nothing" or found.worker is None:
        return []
    # In check mode, files that no release has are not stored.
    before = host.store.read(earlier) if earlier in host.store.names() else found.contents
    try:
        return host.rehearsal.compare(before, wanted.release, found.certificates, wanted.certificates)
    except LbforgeError as error:
        return [f"The responses before and after cannot be compared: {error}"]
