# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people mean, and what nobody means."""

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean, nearest

KEYS = [key.name for key in SERVICE.keys]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("haproxy_prot", "haproxy_port"),
        ("haproxy_backend_sll", "haproxy_backend_ssl"),
        ("haproxy_backend_node", "haproxy_backend_nodes"),
        ("haproxy_servicename", "haproxy_service_name"),
        ("haproxy_whitelist_network", "haproxy_allowlist_networks"),
        ("haproxy-port", "haproxy_port"),
    ],
)
def test_a_slip_of_the_pen(written: str, meant: str) -> None:
    assert nearest(written, KEYS) == meant
    assert did_you_mean(written, KEYS) == f"Did you mean {meant}?"


@pytest.mark.parametrize("written", ["haproxy_bogus", "haproxy_", "bogus", "haproxy_backend_colour", ""])
def test_another_word(written: str) -> None:
    """What our names have in common is no likeness."""
    assert did_you_mean(written, KEYS) == ""


def test_nothing_is_known() -> None:
    assert did_you_mean("web", []) == ""
