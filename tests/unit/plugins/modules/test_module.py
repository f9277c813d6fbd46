# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of all modules: how one ends, what it shows and what it keeps to itself."""

from __future__ import annotations

import pathlib
import types
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._module import Module
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError

Run = t.Callable[..., dict[str, t.Any]]
Ends = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def ends(run_module: Run) -> Ends:
    """How a module ends that does this."""

    def end(work: t.Callable[[Module], t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        def main() -> t.NoReturn:
            Module(argument_spec={"text": {"type": "str"}}).run(work)

        return run_module(types.SimpleNamespace(main=main), text="s3cret")

    return end


def fails(error: Exception) -> t.Callable[[Module], t.NoReturn]:
    def work(module: Module) -> t.NoReturn:
        module.show_instead(text="")
        raise error

    return work


def test_a_result(ends: Ends) -> None:
    result = ends(lambda module: {"changed": True, "text": module.params["text"]})
    assert (result["changed"], result["text"], result["warning_details"]) == (True, "s3cret", [])
    assert "errors" not in result


def test_problems(ends: Ends) -> None:
    problems = [Problem("text", "'s'", "'s' is short", "Write more."), Problem("other", "", "is missing")]
    result = ends(fails(ProblemsError(problems, changed=True)))
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"] == "text: 's' is short. Write more.\nother: is missing."
    assert result["errors"] == [problem.as_dict() for problem in problems]
    assert "s3cret" not in str(result)


def test_a_failure_as_a_whole(ends: Ends, tmp_path: pathlib.Path) -> None:
    result = ends(fails(LbforgeError("HAProxy does not answer.", release="a")))
    assert (result["msg"], result["release"]) == ("HAProxy does not answer.", "a")
    assert [(error["path"], error["text"]) for error in result["errors"]] == [("", "HAProxy does not answer.")]
    result = ends(lambda _module: {"text": (tmp_path / "none").read_text()})
    assert result["msg"] == f"{tmp_path}/none: No such file or directory"
    assert [error["text"] for error in result["errors"]] == [f"{result['msg']}."]


@pytest.mark.parametrize("is_failure", [False, True])
def test_a_warning_is_shown_once_and_has_the_shape_of_errors(ends: Ends, is_failure: bool) -> None:
    warning = Problem("text", "", "is long", name="one")

    def work(module: Module) -> dict[str, t.Any]:
        module.warn_of(warning)
        if is_failure:
            raise LbforgeError("No.")
        return {"changed": False}

    result = ends(work)
    assert result["warning_details"] == [warning.as_dict()]
    assert [shown["event"]["msg"] for shown in result["warnings"]] == ["text (one): is long."]


def test_nothing_goes_to_the_log(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(Module, "log", lambda _self, msg, **_more: logged.append(msg))
    ends(lambda _module: {"changed": False})
    assert logged == []
