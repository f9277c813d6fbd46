# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that decide whether to order a certificate, and which of two is newer."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.bundle import Bundle
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import listed
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import instant


def due(bundle: Bundle | None, wanted: Wanted, server: str, now: float) -> str:
    """The reason to order a certificate now; empty if there is none."""
    if bundle is None:
        return "there is none"
    if bundle.names != {name.lower() for name in wanted.domains}:
        return f"it is for {listed(bundle.names)}"
    if bundle.key_type != wanted.key_type:
        return f"its key is {bundle.key_type.upper()}"
    if server and server != wanted.server:
        return f"it comes from {server}"
    before = wanted.renew_before or (bundle.not_after - bundle.not_before) / 3
    return f"it expires at {instant(bundle.not_after)}" if bundle.not_after - now <= before else ""


def is_overdue(bundle: Bundle | None, now: float) -> bool:
    """Whether its renewal is long overdue."""
    return bundle is None or (bundle.not_after - now) * 6 <= bundle.not_after - bundle.not_before


def age_of(status: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """The sort key for the newer of two, from their reported status."""
    return str(status.get("not_before", "")), str(status.get("serial", ""))
