# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The linting half of the module; the integration target has the other."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.modules import keepalived_config

Run = t.Callable[..., dict[str, t.Any]]

TEXT = """\
global_defs {
vrrp_version 3
vrrp_garp_master_delay 1
reload_check_config /run/check.log
reload_file /run/reload
}
vrrp_instance one {
interface lo
virtual_router_id 51
priority %s
advert_int 0.25
authentication {
auth_type PASS
auth_pass geheim
}
virtual_ipaddress {
192.0.2.10/24
}
}
"""


@pytest.fixture
def lint(run_module: Run, tmp_path: Path) -> Run:
    def run(content: str = TEXT % 100, **args: t.Any) -> dict[str, t.Any]:
        defaults = {"state": "linted", "path": f"{tmp_path}/keepalived.conf", "binary": "none-such"}
        result = run_module(keepalived_config, content=content, **{**defaults, **args})
        assert [*tmp_path.iterdir()] == []
        assert "geheim" not in str(result)
        return result

    return run


def test_an_error_ends_it(lint: Run) -> None:
    result = lint()

    assert "1 error:\nline 12 (authentication {): Instance one has version 3 and an auth" in result["msg"]
    assert [error["rule"] for error in result["errors"]] == ["authentication-in-version-3"]
    assert [error["text"] for error in result["errors"]] == [result["msg"].partition("1 error:\n")[2]]


def test_nothing_is_changed_when_present_either(lint: Run) -> None:
    assert "was not changed" in lint(state="present")["msg"]


def test_a_warning_is_warned_of(lint: Run) -> None:
    result = lint(TEXT % 255, ignore_rules=["authentication-in-version-3"])

    assert (result["changed"], [one["severity"] for one in result["warning_details"]]) == (False, ["warning"])
    assert [warning for warning in result["warnings"] if "[priority-of-owner]" in str(warning)]


def test_ignored_rules_find_nothing(lint: Run) -> None:
    result = lint(ignore_rules=["authentication-in-version-3"])

    assert (result.get("errors", []), result["warning_details"]) == ([], [])


def test_other_nodes_count(lint: Run) -> None:
    same = {"interface": "lo", "virtual_router_id": 51, "priority": 90, "advert_int": 0.25, "vips": ["192.0.2.10/24"]}
    nodes = {"lb1": {"one": {}}, "lb2": {"one": {**same, "authentication_password": "geheim", "virtual_router_id": 9}}}
    result = lint(nodes=nodes, node="lb1", ignore_rules=["authentication-in-version-3"])

    assert [one["rule"] for one in result["errors"]] == ["router-ids-unequal"]


@pytest.mark.parametrize(
    "args, words",
    [
        ({"ignore_rules": ["no-such"]}, "no-such is not a rule"),
        ({"files": {"a/b": "x"}}, "a/b is not an absolute path"),
        ({"nodes": {"lb1": {}}, "node": "lb2"}, "'lb2' is not one of the nodes lb1"),
    ],
)
def test_wrong_options(args: dict[str, t.Any], words: str, lint: Run) -> None:
    assert words in lint(**args)["msg"]


def test_nothing_of_the_arguments_goes_to_the_log(lint: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.log", lambda _self, msg, **_kw: logged.append(msg))
    lint(files={"/x": "geheim"})

    assert not [line for line in logged if "geheim" in line or "Invoked" in line]
