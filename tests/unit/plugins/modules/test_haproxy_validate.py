# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""haproxy_validate as Ansible runs it."""

from __future__ import annotations

import pathlib
import types
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.lbforge.haproxy.plugins.action.haproxy_validate import ActionModule
from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_model import haproxy_model
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_validate

Run = t.Callable[..., dict[str, t.Any]]
WEB = {"haproxy_service_name": "web", "haproxy_port": "80", "haproxy_backend_nodes": "web1", "haproxy_interval": 100}
HOSTS = {"web1": "10.0.0.21"}


@pytest.fixture
def run_module(tmp_path: pathlib.Path) -> Run:
    """It runs in Ansible itself, with no more of Ansible than this."""

    def run(_module: types.ModuleType, _ansible_check_mode: bool = False, **args: t.Any) -> dict[str, t.Any]:
        task = types.SimpleNamespace(args=args, check_mode=_ansible_check_mode, async_val=0, action="haproxy_validate")
        connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/nowhere"))
        task.get_search_path = lambda: [str(tmp_path)]
        loader = DataLoader()
        return ActionModule(task, connection, None, loader, Templar(loader), None).run(task_vars={})

    return run


def test_good_services_come_back_in_their_normal_form(run_module: Run) -> None:
    result = run_module(haproxy_validate, services=[{"service": WEB}], hosts=HOSTS, _ansible_check_mode=True)
    assert result["changed"] is False
    (service,) = result["services"]
    assert service["haproxy_port"] == 80
    assert service["haproxy_backend_nodes"] == [{"name": "web1", "ip_addr": "10.0.0.21"}]
    assert service["haproxy_balance_alg"] == "leastconn"


def test_warnings_do_not_fail(run_module: Run) -> None:
    result = run_module(haproxy_validate, services=[WEB], hosts=HOSTS)
    assert [warning["path"] for warning in result["warning_details"]] == ["haproxy_service_configs[0].interval"]
    assert "very short" in result["warning_details"][0]["text"]
    assert result["warnings"] == [result["warning_details"][0]["text"]]


def test_the_configuration_comes_with_its_password_and_is_not_shown(run_module: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "own.j2").write_text(
        "{{ ansible_managed | comment('c') }}\n"
        "{% for each in haproxy.frontends %}\n{{ each.name }} {{ each.service.haproxy_frontend_raw }}\n{% endfor %}\n"
    )
    settings = {"haproxy_stats_enabled": True}
    # What a value says is no template.
    web = {**WEB, "haproxy_frontend_raw": ["log-format {{ 6 * 7 }}"]}
    result = run_module(
        haproxy_validate,
        services=[web],
        hosts=HOSTS,
        settings=settings,
        stats_password="tell-nobody",
        template="own.j2",
    )
    assert result["configuration"].splitlines()[1] == "// Ansible managed"
    assert result["configuration"].endswith("\nweb-front-1 ['log-format {{ 6 * 7 }}']\n")
    model = haproxy_model([web], settings={**settings, "haproxy_stats_password": "tell-nobody"}, hosts=HOSTS)
    assert result["model"]["stats"] == model["stats"]
    assert "tell-nobody" in result["model"]["stats"]["auth"]
    assert "frontends" not in result["model"] and "services" not in result
    assert result["_ansible_no_log"] is True
    # Mistakes are shown, so they hold no password.
    result = run_module(haproxy_validate, services=[{**WEB, "haproxy_port": 0}], hosts=HOSTS, template="own.j2")
    assert result["failed"] is True and "_ansible_no_log" not in result


def test_mistakes_of_both_lists_and_of_settings_fail_together(run_module: Run) -> None:
    result = run_module(
        haproxy_validate,
        services=[{**WEB, "haproxy_port": 0}],
        extra_services=[{**WEB, "haproxy_service_name": "a b"}],
        settings={"haproxy_stats_enabled": "yes", "haproxy_maxconn": "x"},
        hosts=HOSTS,
    )
    assert result["failed"] is True
    assert {error["path"] for error in result["errors"]} >= {
        "haproxy_service_configs[0].haproxy_port",
        "haproxy_extra_services[0].haproxy_service_name",
        "haproxy_stats_password",
        "haproxy_maxconn",
    }
    assert all(error["text"] in result["msg"] for error in result["errors"])


def test_a_password_is_never_in_the_result(run_module: Run) -> None:
    result = run_module(
        haproxy_validate, settings={"haproxy_stats_enabled": True}, stats_password="tell\nnobody", services=[], hosts={}
    )
    assert result["failed"] is True
    assert "nobody" not in repr(result)


def test_a_password_in_a_line_is_never_in_the_result(run_module: Run) -> None:
    lines = ['http-request set-header Authorization "Basic bm9ib2R5"', "http-request deny if { hdr(x) nobody }"]
    known = {"secrets": ["nobody"], "hosts": HOSTS, "settings": {"haproxy_frontend_extra_raw": lines}}
    good = {**WEB, "haproxy_frontend_raw": lines}
    result = run_module(haproxy_validate, services=[good], **known)
    assert result["services"][0]["haproxy_frontend_raw"] == [
        "http-request set-header Authorization ********",
        "http-request deny if { hdr(x) ******** }",
    ]
    assert "nobody" not in repr(result) and "bm9ib2R5" not in repr(result)
    # A mistake shows what stands there, and is cut in the middle of the password.
    bad = {**WEB, "haproxy_frontend_raw": [{line: 1} for line in lines], "haproxy_balance_alg": "x" * 76 + "nobody"}
    result = run_module(haproxy_validate, services=[bad], **known)
    assert result["failed"] is True and len(result["errors"]) == 3
    assert "nob" not in repr(result) and "bm9ib" not in repr(result)


def test_files_of_network_lists_are_found_as_copy_finds_its_sources(run_module: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "partners.txt").write_text("192.0.2.0/24\n192.0.3.0/24\n", encoding="utf-8")
    (tmp_path / "list.j2").write_text("{{ haproxy.network_lists['partners.acl'] }}", encoding="utf-8")
    arguments: dict[str, t.Any] = {
        "services": [{**WEB, "haproxy_denylist_networks": ["partners"]}],
        "hosts": HOSTS,
        "template": str(tmp_path / "list.j2"),
    }
    result = run_module(
        haproxy_validate, settings={"haproxy_network_lists": {"partners": {"file": "partners.txt"}}}, **arguments
    )
    assert result["configuration"] == "192.0.2.0/23\n"
    assert result["model"]["network_lists"] == {"partners.acl": "192.0.2.0/23\n"}
    result = run_module(
        haproxy_validate, settings={"haproxy_network_lists": {"partners": {"file": "partner.txt"}}}, **arguments
    )
    assert result["failed"]
    assert [error["path"] for error in result["errors"]] == ["haproxy_network_lists.partners.file"]
    assert "partner.txt" in result["errors"][0]["why"]
