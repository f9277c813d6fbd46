# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services by the number."""

from __future__ import annotations

import typing as t


def services(number: int, servers: int = 3, algorithm: str = "leastconn") -> list[dict[str, t.Any]]:
    """Ordinary services, each on its own port, with servers that nobody will find (RFC 5737)."""
    return [
        {
            "haproxy_service_name": f"service{service}",
            "haproxy_port": 10000 + service,
            "haproxy_balance_alg": algorithm,
            "haproxy_backend_port": 8080,
            "haproxy_backend_httpcheck_options": ["send meth GET uri /healthz", "expect status 200"],
            "haproxy_backend_nodes": [
                {"name": f"server{server}", "ip_addr": f"198.51.100.{server + 1}"} for server in range(servers)
            ],
        }
        for service in range(number)
    ]
