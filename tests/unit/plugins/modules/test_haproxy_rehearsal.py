# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_rehearsal
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY

pytestmark = pytest.mark.skipif(BINARY is None or not shutil.which("ip"), reason="needs haproxy and ip")

WEB = """\
global
    stats socket /run/haproxy/admin.sock level admin
defaults
    mode http
    timeout client 9s
    timeout server 9s
    timeout connect 2s
userlist admins
    user admin insecure-password only-here
frontend web-front-1
    bind 203.0.113.10:80
    http-request set-header X-Key only-here-too
    use_backend %[path,map(/etc/haproxy/pools.map,web-back)]
backend web-back
    server web1 10.0.0.1:8080 check
backend api-back
    server api1 10.0.0.2:8080 check
"""
FILES = {"haproxy.cfg": WEB, "pools.map": "/api api-back\n"}
Run = t.Callable[..., dict[str, t.Any]]


def expectation(url: str, **expect: t.Any) -> dict[str, t.Any]:
    return {"name": f"where {url} goes", "request": {"url": url}, "expect": expect}


API = expectation("http://www.example.com/api", service="api")
WRONG = expectation("http://www.example.com/api/", service="api")


def test_all_is_as_expected(run_module: Run) -> None:
    result = run_module(haproxy_rehearsal, files=FILES, expectations=[API], binary=BINARY)
    assert (result["changed"], result["lines"]) == (False, ["ok      where http://www.example.com/api goes"])
    assert result["results"][0] == {
        "name": "where http://www.example.com/api goes",
        "passed": True,
        "unjudged": [],
        "request": "GET http://www.example.com/api",
        "connection": "answered",
        "status": 200,
        "backend": "api-back",
        "servers": ["api1"],
        "way": "bind 203.0.113.10:80 > web-front-1 > api-back/api1",
        "observed": {
            "frontend": "web-front-1",
            "backend": "api-back",
            "server": "api1",
            "status": 200,
            "request_headers": {"x-key": "only-here-too"},
        },
        "failures": [],
    }


def test_errors_name_the_place_that_is_given(run_module: Run) -> None:
    """As the role gives it for each service."""
    lists = {"haproxy_expectations": [API], "haproxy_service_configs[2].haproxy_expect": [API, WRONG]}
    result = run_module(haproxy_rehearsal, files=FILES, expectations=lists, binary=BINARY)
    assert [case["passed"] for case in result["results"]] == [True, True, False]
    assert [error["path"] for error in result["errors"]] == [
        "haproxy_service_configs[2].haproxy_expect[1].expect.service"
    ]


def test_something_else_comes(run_module: Run) -> None:
    """Check mode is no different."""
    for check_mode in (False, True):
        result = run_module(
            haproxy_rehearsal, files=FILES, expectations=[API, WRONG], binary=BINARY, _ansible_check_mode=check_mode
        )
        assert result["failed"]
        assert result["msg"].startswith("1 of 2 expectations are not met:\n  haproxy_expectations[1].expect.service")
        (error,) = result["errors"]
        assert (error["expected"], error["got"]) == ("api", "web-back")
        assert [case["passed"] for case in result["results"]] == [True, False]
        assert result["lines"][1:] == [
            "FAILED  where http://www.example.com/api/ goes",
            "        service: expected api, got web-back",
            "        the way: bind 203.0.113.10:80 > web-front-1 > web-back/web1",
        ]


def test_a_configuration_that_lies_there(run_module: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "own.cfg").write_text(WEB.replace("/etc/haproxy", str(tmp_path)))
    (tmp_path / "pools.map").write_text("/api/ api-back\n")
    arguments = {"path": str(tmp_path / "own.cfg"), "binary": BINARY}
    assert not run_module(haproxy_rehearsal, expectations=[WRONG], **arguments).get("failed")
    assert run_module(haproxy_rehearsal, expectations=[WRONG], files={"pools.map": ""}, **arguments)["failed"]


def test_mistakes_are_told_at_once(run_module: Run) -> None:
    result = run_module(haproxy_rehearsal, files=FILES, expectations=[{"name": "x"}, {"request": 1}], binary=BINARY)
    assert {error["path"] for error in result["errors"]} == {
        "haproxy_expectations[0].request",
        "haproxy_expectations[0].expect",
        "haproxy_expectations[1].name",
        "haproxy_expectations[1].request",
        "haproxy_expectations[1].expect",
    }


def test_secrets_are_not_shown(run_module: Run) -> None:
    wrong = expectation("http://www.example.com/", request_headers={"X-Key": "another"})
    result = run_module(haproxy_rehearsal, files=FILES, expectations=[wrong], binary=BINARY, secrets=["only-here-too"])
    assert result["failed"]
    assert "only-here" not in str(result)


def test_haproxy_is_missing(run_module: Run) -> None:
    result = run_module(haproxy_rehearsal, files=FILES, expectations=[API], binary="no-such-haproxy")
    assert "no-such-haproxy" in result["msg"]


def test_what_is_learned_of_a_configuration_is_met(run_module: Run) -> None:
    learned = run_module(haproxy_rehearsal, files=FILES, learn=True, binary=BINARY, timeout=300)
    assert {one["expect"].get("backend") for one in learned["learned"]} >= {"web-back", "api-back"}
    assert learned["untold"] == []
    result = run_module(haproxy_rehearsal, files=FILES, expectations=learned["learned"], binary=BINARY)
    assert (result["failures"], len(result["results"])) == (0, len(learned["learned"]))
    moved = {**FILES, "pools.map": "/api/v2 api-back\n"}
    assert run_module(haproxy_rehearsal, files=moved, expectations=learned["learned"], binary=BINARY)["failed"]


def test_nothing_to_do_is_a_mistake(run_module: Run) -> None:
    assert "one of the following is required: expectations, learn" in run_module(haproxy_rehearsal)["msg"]
