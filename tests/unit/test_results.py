# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors and warnings have one shape in all modules, in their documentation as well."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError

MODULES = sorted((pathlib.Path(__file__).parents[2] / "plugins" / "modules").glob("*.py"))


def returned(module: pathlib.Path) -> dict[str, t.Any]:
    """What a module documents as its result."""
    (text,) = (
        node.value.value
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "RETURN"
    )
    result: dict[str, t.Any] = yaml.safe_load(str(text))
    return result


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_module_documents_the_one_shape(module: pathlib.Path) -> None:
    fields = Problem("path", "value", "why").as_dict()
    found = returned(module)
    shape = found["errors"]["contains"]
    assert [name for name in shape if name in fields] == ["path", "name", "value", "why", "hint", "text"]
    assert set(fields) <= set(shape)
    assert found["warning_details"]["contains"] == shape
    assert found["errors"]["elements"] == found["warning_details"]["elements"] == "dict"
    reference = returned(MODULES[0])["errors"]["contains"]
    for field in ("value", "why", "hint", "text"):
        assert shape[field] == reference[field]


def test_a_problem_is_one_sentence_after_its_place() -> None:
    problem = Problem("servers[0].port", "99999", "99999 is not between 1 and 65535", "Use one of these.", "web/one")
    assert str(problem) == "servers[0].port (web/one): 99999 is not between 1 and 65535. Use one of these."
    assert problem.as_dict() == {
        "path": "servers[0].port",
        "name": "web/one",
        "value": "99999",
        "why": "99999 is not between 1 and 65535",
        "hint": "Use one of these.",
        "text": str(problem),
    }


def test_all_problems_are_in_one_error() -> None:
    problems = [Problem("a", "", "is missing"), Problem("b", "'x'", "'x' is wrong.")]
    error = ProblemsError(problems, "2 mistakes:", bullet="- ", changed=False)
    assert str(error) == "2 mistakes:\n- a: is missing.\n- b: 'x' is wrong."
    assert error.details == {"errors": [problem.as_dict() for problem in problems], "changed": False}
