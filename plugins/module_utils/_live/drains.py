# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a host in the pools of a running HAProxy, and the pools that depend on it. Pure."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]


def servers_of(host: str, address: str, servers: t.Sequence[Data]) -> dict[str, t.Any]:
    """The ``servers`` of a host by their name or address, and the ``pools`` that only they serve.

    ``servers`` are those of a result of haproxy_backend_server.
    """
    addresses = {one for one in (host, address) if not is_loopback(one)}
    picked = [one for one in servers if one["name"] == host or one["before"]["address"] in addresses]
    serving = [one for one in servers if serves(one)]
    kept = {one["backend"] for one in serving if one not in picked}
    lost = [one["backend"] for one in serving if one in picked and one["backend"] not in kept]
    return {
        "servers": [{"backend": one["backend"], "name": one["name"]} for one in picked],
        "pools": list(dict.fromkeys(lost)),
    }


def is_loopback(address: str) -> bool:
    """Whether the address is a loopback one, behind which any host may be."""
    return address.startswith("127.") or address == "::1"


def serves(server: Data) -> bool:
    """Whether new requests go to a server."""
    is_up = str(server["status"]).startswith(("UP", "no check"))
    return is_up and server["before"]["state"] == "ready" and bool(server["before"]["weight"])
