# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a server matches the configuration in everything that an older worker's state must not change. Pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import ServerState

Key = tuple[str, str]
Compared = tuple[str, str, t.Any, t.Any]  # an aspect, its words, the wanted value, the actual value


@dataclass(frozen=True)
class Difference:
    """A difference, as values and as a sentence."""

    kind: str
    object: str
    desired: t.Any
    found: t.Any
    sentence: str


def compare_configured(key: Key, wanted: Server, state: ServerState) -> list[Difference]:
    """Compare everything that is neither set by hand nor measured, which no reload may carry over."""
    compared: list[Compared] = [("tls", "is reached by", _transport(wanted.uses_tls), _transport(state.ssl))]
    if wanted.address is not None and state.address:
        compared.append(
            ("address", "has the address", _endpoint(*wanted.address), _endpoint(state.address, state.port))
        )
    elif wanted.port is not None and state.address:
        compared.append(("port", "has the port", wanted.port or None, state.port or None))
    if wanted.is_checked:
        compared += [
            ("check_port", "has the check port", wanted.numbers.get("port"), state.check_port or None),
            _compared_address("check_address", wanted.check_address, state.check_address),
        ]
    if wanted.has_agent:
        compared += [
            ("agent_port", "has the agent port", wanted.agent_port or None, state.agent_port or None),
            _compared_address("agent_address", wanted.agent_address, state.agent_address),
        ]
    return differing(key, compared)


def _transport(uses_tls: bool) -> str:
    return "TLS" if uses_tls else "plain text"


def _compared_address(aspect: str, wanted: str, found: str) -> Compared:
    try:
        desired = str(ipaddress.ip_address(wanted.strip("[]"))) if wanted else ""
    except ValueError:
        desired = found  # a name, or an address with a port
    return aspect, f"has the {aspect.replace('_', ' ')}", desired or None, found or None


def differing(key: Key, compared: Iterable[Compared]) -> list[Difference]:
    """The aspects that differ."""
    name = "/".join(key)
    return [
        Difference(
            f"server_{aspect}", name, desired, found, f"Server {name} {words} {_shown(found)}, not {_shown(desired)}."
        )
        for aspect, words, desired, found in compared
        if desired != found
    ]


def _shown(value: t.Any) -> str:
    return "none" if value is None else str(value)


def _endpoint(address: str, port: int) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
