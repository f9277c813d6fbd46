# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of the role that contradict each other, which the model of keepalived.conf cannot know."""

from __future__ import annotations

import typing as t

Variables = t.Mapping[str, t.Any]

_NO_AUTHENTICATION = (
    "haproxy_keepalived_authentication_password is set, but no VRRP instance has a password: VRRP version 3 has no"
    " authentication. Remove the variable; or keep authentication: set version 2, authentication_type and"
    " authentication_password of each instance in keepalived_instances_overrides, and whole seconds in"
    " keepalived_advert_int."
)


def conflicts(variables: Variables, password: str, secrets: t.Sequence[str], is_hardened: bool) -> list[str]:
    """A sentence for each.

    ``variables`` are those of keepalived without the prefix, ``password`` is the one for all instances, ``secrets`` are
    those in use.
    """
    found = [_NO_AUTHENTICATION] if password and not secrets else []
    namespaces = lines_with_namespace(variables) if is_hardened else []
    if namespaces:
        found.append(
            f"{', '.join(namespaces)} in keepalived_global_defs or keepalived_raw makes keepalived enter a network"
            " namespace, which the sandbox of its unit forbids: it would not start the next time. Set"
            " keepalived_systemd_hardening: false."
        )
    return found


def lines_with_namespace(variables: Variables) -> list[str]:
    """Raw lines that need more than the sandbox allows."""
    settings = variables.get("global_settings") or {}
    lines = [*(variables.get("global_defs") or ()), *(settings.get("raw") or ()), *(variables.get("raw") or ())]
    return [line.strip() for line in map(str, lines) if line.lstrip().startswith("net_namespace")]
