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
import yaml

ROOT = pathlib.Path(__file__).parents[2]

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
        haproxy_retries="{{ no_retries }}",
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
        "- haproxy_retries: cannot be resolved: 'no_retries' is undefined. Define the variable, or give it a default.",
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
        haproxy_security_txt_dir="/etc/haproxy",
        haproxy_backend_servers=[{"name": "app1", "address": "192.0.2.1:80"}],
        haproxy_frontend_port=80,
    )
    assert code == 0, output
    for told in (
        "haproxy_intervall: is an unused variable. Did you mean haproxy_interval?",
        "haproxy_ssl_pem: is an unused variable here.",
        "haproxy_bufsize: is an unused variable here. Set tune.bufsize in haproxy_tuning_params.",
        "haproxy_security_txt_dir: is an unused variable here. Remove it: security.txt is in /etc/haproxy,",
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


def test_the_recipe_for_services_of_openstack_ansible(tmp_path: pathlib.Path) -> None:
    """Its inventory keeps a service with the group that runs it, where load balancers do not see the variable."""
    page = (ROOT / "docs" / "migrating-from-openstack-ansible.md").read_text()
    (recipe,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "_haproxy_services" in block]
    groups = {
        "haproxy_all": {"hosts": {"infra1": {"management_address": "172.29.236.11", "ansible_host": "10.0.3.1"}}},
        "haproxy": {"children": {"haproxy_all": {}}, "vars": yaml.safe_load(recipe)},
        "keystone_all": {
            "hosts": {f"infra{number}-keystone": {"management_address": f"172.29.238.{number}"} for number in (1, 2)},
            "vars": {
                "keystone_service_port": 5000,
                "haproxy_keystone_service": {
                    "haproxy_service_name": "keystone_service",
                    "haproxy_backend_nodes": "{{ groups['keystone_all'] | default([]) }}",
                    "haproxy_port": "{{ keystone_service_port }}",
                    "haproxy_ssl": "{{ haproxy_ssl }}",
                    "haproxy_ssl_all_vips": "{{ haproxy_ssl_all_vips }}",
                    "haproxy_balance_type": "http",
                    "haproxy_backend_httpcheck_options": [
                        'send hdr User-Agent "osa-haproxy-healthcheck" meth HEAD uri /healthcheck'
                    ],
                },
                "keystone_haproxy_services": [
                    "{{ haproxy_keystone_service | combine(haproxy_keystone_service_overrides | default({})) }}"
                ],
            },
        },
        # A group that nothing is deployed to.
        "glance_all": {"hosts": {}},
    }
    variables = {
        "external_lb_vip_address": "203.0.113.10",
        "internal_lb_vip_address": "172.29.236.9",
        "haproxy_ssl": True,
        "haproxy_ssl_all_vips": False,
        "haproxy_default_services": [{"service": {**WEB, "haproxy_service_name": "base", "haproxy_backend_nodes": []}}],
        "haproxy_extra_services": [
            {"haproxy_service_name": "own", "haproxy_port": 81, "haproxy_backend_nodes": ["infra1"]}
        ],
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"children": groups, "vars": variables}}))
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            inventory,
            "lbforge.haproxy.haproxy_validate",
            "-e",
            f"haproxy_render_to={tmp_path}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "infra1" / "haproxy.cfg").read_text()
    for line in (
        "bind 203.0.113.10:5000 ssl crt",
        "server infra1-keystone 172.29.238.1:5000 ",
        "server infra2-keystone 172.29.238.2:5000 ",
        "server infra1 172.29.236.11:81 ",
    ):
        assert line in text
