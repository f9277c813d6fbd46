# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which settings are made of the variables of a host."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import MISSING, collect
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import mark


def settings(**variables: t.Any) -> dict[str, t.Any]:
    return collect(lambda name: variables.get(name, MISSING), ["lb1", "lb2"])


def test_a_variable_that_nobody_sets_is_left_out_for_its_default() -> None:
    assert settings(haproxy_retries=5) == {
        "haproxy_retries": 5,
        "haproxy_hosts": ["lb1", "lb2"],
        "haproxy_pki_names": [],
        "haproxy_pki_roots": [],
        "haproxy_pki_revoking": [],
        "haproxy_static_files": [],
    }


def test_the_first_name_of_a_variable_that_says_something_counts() -> None:
    old, new = [{"address": "192.0.2.1"}], [{"address": "192.0.2.2"}]
    assert settings(haproxy_vip_binds=[], haproxy_tls_vip_binds=old)["haproxy_vip_binds"] == old
    assert settings(haproxy_vip_binds=new, haproxy_tls_vip_binds=old)["haproxy_vip_binds"] == new
    assert settings(haproxy_vip_binds=[])["haproxy_vip_binds"] == []


def test_a_password_goes_its_own_way() -> None:
    assert "haproxy_stats_password" not in settings(haproxy_stats_password="geheim")


def test_authorities_and_certificates_are_known_by_their_names() -> None:
    found = settings(
        haproxy_pki_authorities=[{"name": "Root", "revoked": []}, {"name": "Below", "signed_by": "Root"}],
        haproxy_pki_extra_certificates=[{"name": "shop"}],
        haproxy_user_certificates=[{"name": "old"}, {}],
    )
    assert found["haproxy_pki_roots"] == ["Root"]
    assert found["haproxy_pki_revoking"] == ["Root"]
    assert found["haproxy_pki_names"] == ["shop", "old", ""]


def test_what_cannot_be_resolved_hides_only_what_is_made_of_it() -> None:
    found = settings(haproxy_pki_authorities=mark("'root' is undefined"), haproxy_user_certificates=[{"name": "old"}])
    assert found["haproxy_pki_roots"] == found["haproxy_pki_revoking"] == mark("'root' is undefined")
    assert found["haproxy_pki_names"] == ["old"]


def test_static_files_are_those_whose_condition_holds() -> None:
    files: list[dict[str, t.Any]] = [
        {"dest": "a"},
        {"dest": "b", "condition": True},
        {"dest": "c", "condition": False},
        {"dest": "d", "condition": ""},
    ]
    assert [file["dest"] for file in settings(haproxy_static_files=files)["haproxy_static_files"]] == ["a", "b"]
    assert settings(haproxy_static_files="none")["haproxy_static_files"] == "none"
