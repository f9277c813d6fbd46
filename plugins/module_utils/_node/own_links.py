# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links of this node with the addresses that it holds now."""

from __future__ import annotations

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.links import Link, links
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError


def own_links(*, loopback: bool = False) -> tuple[Link, ...]:
    """The links in the kernel. Binding is no test: load balancers may bind addresses that they do not hold."""
    shown = run(["ip", "-json", "address", "show"], timeout=10)
    if shown.code:
        raise LbforgeError(f"ip -json address show failed: {' '.join(shown.stderr.split())}")
    return links(shown.stdout, loopback=loopback)
