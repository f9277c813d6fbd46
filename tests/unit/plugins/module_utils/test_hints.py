# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people mean, and what nobody means."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import keepalived_model
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import PkiError, parse_request
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean


def service_says(**keys: t.Any) -> str:
    service = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": [], **keys}
    return "\n".join(map(str, check({"haproxy_service_configs": [service]}, {}, {}).problems.errors))


def keepalived_says(**keys: t.Any) -> str:
    with pytest.raises(VrrpError) as caught:
        keepalived_model({"instances": {"one": keys}})
    return str(caught.value)


def pki_says(**keys: t.Any) -> str:
    with pytest.raises(PkiError) as caught:
        parse_request({"certificates": [keys]})
    return str(caught.value)


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
    # A key that is told has its own name, also where an older one is nearer.
    assert SERVICE.nearest(written) == f"Did you mean {meant}?"


@pytest.mark.parametrize("written", ["haproxy_bogus", "haproxy_", "bogus", "haproxy_backend_colour", ""])
def test_another_word(written: str) -> None:
    """What our names have in common is no likeness."""
    assert did_you_mean(written, KEYS) == ""


def test_nothing_is_known() -> None:
    assert did_you_mean("web", []) == ""


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (service_says(ip_addr="192.0.2.1"), "haproxy_backend_nodes and haproxy_backup_nodes"),
        (service_says(haproxy_stats_port=1936), "the variables of the role"),
        (service_says(haproxy_backend_nodes=[{"name": "a", "haproxy_port": 80}]), "a service"),
        (keepalived_says(check_script="/bin/true"), "keepalived_scripts"),
        (keepalived_says(router_id="a"), "keepalived_global_settings"),
        (keepalived_says(sync_group_tracking_weight=True), "keepalived_sync_groups"),
        (pki_says(name_constraints_excluded=["DNS:a.example"]), "authorities"),
        (pki_says(dest="/a"), "files"),
    ],
)
def test_a_key_of_another_dictionary(text: str, hint: str) -> None:
    assert f" It belongs to {hint}; write it there." in text
