# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP addresses as texts."""

from __future__ import annotations

import ipaddress


def is_ip(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, without brackets, port and prefix length."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
