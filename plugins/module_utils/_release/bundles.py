# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a release, and those of them that HAProxy has loaded. Pure."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]


def with_release(
    bundles: t.Iterable[Data], ca_files: t.Iterable[Data], acme: t.Iterable[Data]
) -> list[dict[str, t.Any]]:
    """The option ``certificates`` of haproxy_config.

    If an ACME server renews a certificate (``acme`` of the model), the authority's is only the first one.
    """
    renewed = {f"{name}.pem" for certificate in acme for name in certificate["files"]}
    return [
        *({**bundle, "bootstrap": True} if bundle["name"] in renewed else dict(bundle) for bundle in bundles),
        *map(dict, ca_files),
    ]


def loaded(bundles: t.Iterable[Data], running: Data, directory: str) -> dict[str, list[dict[str, t.Any]]]:
    """Those that ``running``, the result of haproxy_info, has in ``directory``.

    ``certificates`` are in the form of haproxy_certificate, without those that an ACME server renews; ``client_files``,
    authorities of clients and their revocation lists, in that of node_files.
    """
    certificates = {one["path"] for one in running["certificates"]}
    client_files = {one["path"] for one in running["ca_files"]}
    by_path = [(f"{directory}/{bundle['name']}", bundle) for bundle in bundles if not bundle.get("bootstrap")]
    return {
        "certificates": [
            {"name": path, "content": bundle["content"]} for path, bundle in by_path if path in certificates
        ],
        "client_files": [
            {"dest": path, "content": bundle["content"], "owner": "root", "group": "root", "mode": "0600"}
            for path, bundle in by_path
            if path in client_files
        ],
    }
