# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What haproxy_validate says of a whole inventory, as a user runs it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import typing as t

import pytest

Data = dict[str, t.Any]
Validate = t.Callable[..., tuple[int, str]]

VIPS = {"external_lb_vip_address": "203.0.113.10", "internal_lb_vip_address": "10.0.0.9"}
WEB = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": "{{ groups['web'] }}"}
GROUPS = {
    "haproxy": {"hosts": {"lb1": {"ansible_host": "10.0.0.1"}, "lb2": {"ansible_host": "10.0.0.2"}}},
    "web": {"hosts": {"web1": {"ansible_host": "10.0.0.21"}}},
}


@pytest.fixture
def validate(tmp_path: pathlib.Path) -> Validate:
    """The exit code and the output of the playbook for one load balancer, on an inventory with these variables."""

    def run(groups: Data | None = None, **variables: t.Any) -> tuple[int, str]:
        inventory = tmp_path / "inventory.json"
        children = {**GROUPS, **(groups or {})}
        inventory.write_text(json.dumps({"all": {"children": children, "vars": {**VIPS, **variables}}}))
        done = subprocess.run(
            ["ansible-playbook", "-i", inventory, "--limit", "lb1", "lbforge.haproxy.haproxy_validate"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        # Ansible wraps what it warns of.
        return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)

    return run


def test_undefined_variables_are_told_with_their_service_and_key(validate: Validate) -> None:
    code, output = validate(
        haproxy_maxconn="{{ no_maxconn }}",
        haproxy_service_configs=[
            {**WEB, "haproxy_port": "{{ web_port }}", "haproxy_backend_port": 80},
            {
                **WEB,
                "haproxy_service_name": "api",
                "haproxy_port": 81,
                "haproxy_backend_nodes": "{{ groups['nowhere'] }}",
                "haproxy_acls": {"docs": {"rule": "path_beg {{ docs_path }}"}},
            },
            "{{ one_more_service }}",
        ],
        haproxy_extra_services="{{ some_services | default([]) + more_services }}",
    )
    assert code != 0
    for told in (
        "- haproxy_maxconn: cannot be resolved: 'no_maxconn' is undefined. Define the variable, or give it a default.",
        "- haproxy_service_configs[0].haproxy_port (service \"web\"): cannot be resolved: 'web_port' is undefined.",
        "- haproxy_service_configs[1].haproxy_acls.docs.rule (service \"api\"): cannot be resolved: 'docs_path' is",
        "- haproxy_service_configs[2]: cannot be resolved: 'one_more_service' is undefined.",
        "- haproxy_extra_services: cannot be resolved: a variable in its template is undefined.",
    ):
        assert told in output
    assert '- haproxy_service_configs[1].haproxy_backend_nodes (service "api"): cannot be resolved:' in output
    assert "'nowhere'" in output
    assert "while resolving value" not in output
    assert "6 mistakes" in output


def test_variables_of_others_are_told_but_not_those_that_templates_read(validate: Validate) -> None:
    code, output = validate(
        haproxy_service_configs=[
            {**WEB, "haproxy_frontend_raw": "{{ haproxy_security_headers }}"},
            "{{ haproxy_letsencrypt_service }}",
        ],
        # OpenStack-Ansible's own inventory has helpers like these.
        haproxy_security_headers=["http-response set-header X-Frame-Options DENY"],
        haproxy_letsencrypt_service={**WEB, "haproxy_service_name": "letsencrypt", "haproxy_port": 8888},
        haproxy_keepalived_external_vip_cidr_az1="203.0.113.10/24",
        haproxy_keepalived_external_vip_cidr="{{ haproxy_keepalived_external_vip_cidr_az1 }}",
        haproxy_keepalived_internal_vip_cidr="10.0.0.9/24",
        haproxy_pki_backend="standalone",
        # Nothing reads these.
        haproxy_intervall=3,
        haproxy_ssl_pem="/etc/ssl/private/haproxy.pem",
        haproxy_bufsize=32768,
        haproxy_backend_servers=[{"name": "app1", "address": "192.0.2.1:80"}],
        haproxy_frontend_port=80,
    )
    assert code == 0, output
    for told in (
        "haproxy_intervall: is a variable that nothing reads. Did you mean haproxy_interval?",
        "haproxy_ssl_pem: is a variable that nothing reads here.",
        "haproxy_bufsize: is a variable that nothing reads here. Set tune.bufsize in haproxy_tuning_params.",
        "haproxy_backend_servers, haproxy_frontend_port: belong to the role geerlingguy.haproxy and set nothing here.",
    ):
        assert told in output
    for helper in ("haproxy_security_headers", "haproxy_letsencrypt_service", "_cidr_az1", "haproxy_pki_backend"):
        assert helper not in output


def test_a_service_that_is_switched_off_may_name_hosts_that_are_gone(validate: Validate) -> None:
    old = {**WEB, "haproxy_service_name": "old", "haproxy_backend_nodes": ["gone1"], "state": "absent"}
    assert validate(haproxy_service_configs=[WEB, old])[0] == 0
    code, output = validate(haproxy_service_configs=[WEB, {**old, "haproxy_prot": 80}])
    assert code != 0
    assert 'haproxy_prot (service "old"): is not a key of a service. Did you mean haproxy_port?' in output
    assert "gone1" not in output
