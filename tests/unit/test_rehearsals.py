# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook haproxy_rehearse: the examples keep what their expectations promise, and a mistake is caught."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t
import xml.etree.ElementTree as ET

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.filter.rehearsal_junit import rehearsal_junit
from ansible_collections.lbforge.haproxy.plugins.filter.rehearsal_lines import rehearsal_lines
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = sorted(path.parents[1] for path in ROOT.glob("examples/*/group_vars/haproxy.yml"))
SEED = yaml.safe_load((ROOT / "tests" / "seed" / "expectations.yml").read_text())


def rehearse(
    example: pathlib.Path, playbook: str = "haproxy_rehearse", limit: str = "all", **variables: t.Any
) -> tuple[int, str]:
    """How the playbook ends with an example, and what it says."""
    if BINARY is None or not shutil.which("ip"):
        pytest.skip("needs haproxy and ip")
    done = subprocess.run(
        [
            *("ansible-playbook", "-i", example / "inventory.yml", f"lbforge.haproxy.{playbook}", "--limit", limit),
            *("-e", json.dumps({f"{playbook}_binary": str(BINARY), **variables})),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
    )
    return done.returncode, done.stdout + done.stderr


def changed(example: pathlib.Path, old: str, new: str) -> dict[str, t.Any]:
    """The services of an example with a change, as -e takes them."""
    text = (example / "group_vars" / "haproxy.yml").read_text()
    assert old in text
    services = yaml.safe_load(text.replace(old, new))["haproxy_service_configs"]
    return {"haproxy_service_configs": services}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_do_as_they_say(example: pathlib.Path, tmp_path: pathlib.Path) -> None:
    report = str(tmp_path / "junit.xml")
    code, output = rehearse(example, haproxy_rehearse_report=report, vault_haproxy_stats_password="only-an-example")
    assert code == 0, output
    suites = ET.parse(tmp_path / "junit.xml").getroot()
    names = [
        one["name"] for one in yaml.safe_load((example / "group_vars/haproxy.yml").read_text())["haproxy_expectations"]
    ]
    for suite in suites:
        assert (suite.get("tests"), suite.get("failures")) == (str(len(names)), "0")
        assert [case.get("name") for case in suite] == names


@pytest.mark.parametrize("case", SEED, ids=lambda case: " and ".join(case["files"]))
def test_the_examples_of_the_seed_do_what_its_text_says(case: dict[str, t.Any]) -> None:
    variables: dict[str, t.Any] = {}
    for file in case["files"]:
        variables.update(yaml.safe_load((ROOT / "tests" / "seed" / "chapter-1" / file).read_text()))
    variables["haproxy_expectations"] = case["expectations"]
    code, output = rehearse(ROOT / "tests" / "seed", limit="infra1", **variables)
    assert code == 0, output
    assert output.count(" ok      ") == len(case["expectations"])


def test_enough_examples_have_expectations() -> None:
    """Else nothing above could fail."""
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # HAProxy takes each of these.
        (
            "path_beg /api/",
            "path_beg /api/v2",
            [
                "FAILED  the API has servers of its own",
                "service: expected api, got web-back",
                "> web-front-1 > web-back/",
            ],
        ),
        ("10.0.0.0/24\n", "10.0.0.0/25\n      - 198.51.100.0/24\n", ["FAILED  strangers do not reach the database"]),
        ("haproxy_redirect_http_port: 80", "haproxy_redirect_scheme: https", ["FAILED  nobody stays without TLS"]),
    ],
    ids=["another path", "a wrong network", "no redirect"],
)
def test_a_mistake_is_caught(old: str, new: str, told: list[str], tmp_path: pathlib.Path) -> None:
    example = ROOT / "examples" / "three-nodes"
    services = changed(example, old, new)
    services["haproxy_service_configs"] = [
        {key: value for key, value in service.items() if key != "haproxy_redirect_scheme"}
        for service in services["haproxy_service_configs"]
    ]
    code, output = rehearse(example, **services, haproxy_rehearse_report=str(tmp_path / "junit.xml"))
    assert code != 0
    assert [words for words in told if words not in output] == [], output
    assert "Not all expectations are met with the configuration of lb1, lb2, lb3." in output
    assert ET.parse(tmp_path / "junit.xml").getroot().find("testsuite/testcase/failure") is not None


def test_another_version_is_compared(tmp_path: pathlib.Path) -> None:
    """As a CI does: the files of the main branch, and then the change, which meets all expectations."""
    example = ROOT / "examples" / "three-nodes"
    written = subprocess.run(
        [
            *("ansible-playbook", "-i", example / "inventory.yml", "lbforge.haproxy.haproxy_validate"),
            *("-e", f"haproxy_render_to={tmp_path}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.returncode == 0, written.stdout
    order = {"name": "an order", "request": {"url": "https://www.example.org/api/orders"}, "expect": {"status": 200}}
    variables = {"haproxy_expectations": [order], "haproxy_rehearse_against": str(tmp_path)}
    code, output = rehearse(example, **variables)
    assert code == 0, output
    assert "Every request gets the same response as before." in output
    code, output = rehearse(example, **variables, **changed(example, "path_beg /api/", "path_beg /api/v2"))
    assert code == 0, output
    assert "CHANGED an order (GET https://www.example.org/api/orders)" in output
    assert "backend: api-back -> web-back" in output
    code, output = rehearse(example, **{**variables, "haproxy_rehearse_against": str(tmp_path / "nowhere")})
    assert code != 0
    assert "nowhere/lb1 has no haproxy.cfg" in output


def test_what_was_learned_of_an_example_holds_until_it_changes(tmp_path: pathlib.Path) -> None:
    example, file = ROOT / "examples" / "pair", tmp_path / "learned.yml"
    code, output = rehearse(example, haproxy_rehearse_learn=str(file), haproxy_expectations=[])
    assert code == 0, output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["learned.yml"]
    assert file.stat().st_mode & 0o777 == 0o644
    learned = yaml.safe_load(file.read_text())["haproxy_expectations"]
    code, output = rehearse(example, haproxy_expectations=learned)
    assert code == 0, output
    services = changed(example, "haproxy_redirect_http_port: 80", "haproxy_redirect_http_port: 81")
    code, output = rehearse(example, haproxy_expectations=learned, **services)
    assert code != 0
    assert "FAILED  http://" in output


def test_the_page_shows_what_comes_of_its_example() -> None:
    page = (ROOT / "docs" / "rehearsals.md").read_text()
    variables = page.split("```yaml\n")[1].split("```")[0]
    shown = page.split("```text\n")[1].split("```")[0].splitlines()
    code, output = rehearse(ROOT / "examples" / "pair", **yaml.safe_load(variables))
    assert code != 0
    # Which of the two servers has its turn is HAProxy's matter.
    assert [line for line in shown if re.sub("web2$", "web", line) not in output] == []
    assert "path_beg /api\n" in variables
    mended = yaml.safe_load(variables.replace("path_beg /api\n", "path_beg /api/\n"))
    code, output = rehearse(ROOT / "examples" / "pair", **mended)
    assert code == 0, output


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"haproxy_explain_url": "https://www.example.org/api/x", "haproxy_explain_down": ["api-back/web1"]},
            ["GET https://www.example.org/api/x: status 200", "443 > web-front-1 > api-back/web2"],
        ),
        (
            {"haproxy_explain_url": "http://www.example.org:443/", "haproxy_explain_to": "10.0.0.10"},
            ["GET http://www.example.org:443/: status 200", "the way: bind 10.0.0.10:443 > web-front-"],
        ),
        ({"haproxy_explain_url": "http://203.0.113.10:99/"}, ["/: refused", "203.0.113.10:99: nobody listens"]),
    ],
)
def test_the_way_of_one_request(variables: dict[str, t.Any], told: list[str]) -> None:
    code, output = rehearse(ROOT / "examples" / "three-nodes", "haproxy_explain", **variables)
    assert code == 0, output
    assert [words for words in told if words not in output] == [], output


def test_a_service_that_is_not_there_is_a_mistake() -> None:
    expectation = {"name": "x", "request": {"url": "http://192.0.2.10/"}, "expect": {"service": "wbe"}}
    code, output = rehearse(ROOT / "examples" / "pair", haproxy_expectations=[expectation])
    assert code != 0
    assert "haproxy_expectations[0].expect.service: 'wbe' is not a service. Did you mean web?" in output


def test_what_a_service_expects() -> None:
    """Together with what is expected of all, and each mistake with its service and key."""
    example = ROOT / "examples" / "pair"
    service = changed(example, "", "")["haproxy_service_configs"][0]
    right = {"name": "the health page is a page", "request": {"url": "https://192.0.2.10/healthz"}}
    wrong = {**right, "name": "the health page is gone", "expect": {"status": 404}}
    code, output = rehearse(example, haproxy_service_configs=[{**service, "haproxy_expect": [right, wrong]}])
    assert code != 0
    assert "ok      nobody stays without TLS" in output
    assert "ok      the health page is a page" in output
    assert "FAILED  the health page is gone" in output
    nobody = {**right, "expect": {"service": "wbe"}}
    code, output = rehearse(example, haproxy_service_configs=[{**service, "haproxy_expect": [nobody]}])
    assert code != 0
    place = 'haproxy_service_configs[0].haproxy_expect[0].expect.service (service "web")'
    assert f"{place}: 'wbe' is not a service. Did you mean web?" in output


def result(name: str, **failure: str) -> dict[str, t.Any]:
    told = {"key": "status", "expected": "200", "got": "503", "way": "bind *:80 > web", "text": "a\x00b < c", **failure}
    failures = [told] if failure else []
    lines = [f"{'FAILED' if failures else 'ok    '}  {name}"]
    return {"lines": lines, "results": [{"name": name, "passed": not failures, "failures": failures}]}


def test_load_balancers_that_are_alike_are_told_once() -> None:
    rehearsals = {"lb1": result("a"), "lb2": result("a"), "lb3": result("a", got="404")}
    assert rehearsal_lines(rehearsals) == ["lb1, lb2:", "ok      a", "lb3:", "FAILED  a"]


def test_the_report_is_xml_whatever_a_server_says() -> None:
    root = ET.fromstring(rehearsal_junit({"lb1": result("<a>", got="404"), "lb2": result("b")}))
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("lb1", "1"), ("lb2", "0")]
    case = root.find("testsuite/testcase")
    assert case is not None
    assert (case.get("name"), case.get("classname")) == ("<a>", "lb1")
    assert case.findtext("failure") == "a?b < c"
