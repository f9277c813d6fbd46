# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every public variable of a role is in its defaults, its argument_specs and its README, and nowhere else."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import (
    MISSING,
    SETTING_DEFAULTS,
    SETTINGS,
    collect,
)

ROLES = sorted(path for path in (pathlib.Path(__file__).parents[2] / "roles").iterdir() if path.is_dir())


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> pathlib.Path:
    return request.param


def test_defaults_and_argument_specs_name_the_same_variables(role: pathlib.Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    assert set(defaults) == {name for entry_point in specs.values() for name in entry_point["options"]}


def test_argument_specs_hold_no_template(role: pathlib.Path) -> None:
    """Ansible resolves them, descriptions too, and fails on the variables of an example."""
    assert "{{" not in (role / "meta" / "argument_specs.yml").read_text()


def test_every_default_has_a_sentence_of_prose(role: pathlib.Path) -> None:
    lines = (role / "defaults" / "main.yml").read_text().splitlines()
    bare = [line for above, line in zip(lines, lines[1:]) if re.match(r"\w+:", line) and not above.startswith("# ")]
    assert bare == []


def plain(text: str) -> str:
    """A text without the marks of YAML comments, of Markdown and of Ansible's documentation."""
    text = re.sub(r"\b[CV]\(((?:[^()]|\([^()]*\))*)\)", r"\1", text)
    return " ".join(text.replace("`", "").split())


def test_a_variable_is_explained_once(role: pathlib.Path) -> None:
    """The comment in defaults is the description in argument_specs, word by word; scripts/docs writes the README."""
    comments = {}
    above: list[str] = []
    for line in (role / "defaults" / "main.yml").read_text().splitlines():
        if line.startswith("# "):
            above.append(line.removeprefix("# "))
        else:
            if name := re.match(r"(\w+):", line):
                comments[name[1]] = plain(" ".join(above))
            above = []
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"].values()
    options = {name: option["description"] for entry_point in specs for name, option in entry_point["options"].items()}
    described = {name: plain(text if isinstance(text, str) else " ".join(text)) for name, text in options.items()}
    assert described == comments


def test_tasks_do_not_loop(role: pathlib.Path) -> None:
    """The number of tasks must not grow with services, certificates or map entries."""
    loops = [
        f"{path.name}: {line}"
        for path in (role / "tasks").glob("*.yml")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(loop|with_\w+):", line)
    ]
    assert loops == []


def test_settings_have_the_defaults_of_the_role() -> None:
    """What the validator assumes when a variable is left out is what the role would have passed."""
    role = next(role for role in ROLES if role.name == "haproxy_server")
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    literal = {
        name: value
        for name, value in defaults.items()
        if name in SETTING_DEFAULTS and "{{" not in str(value) and value != ""
    }
    assert len(literal) > 25
    problems = Problems()
    read, _is_whole = SETTINGS.read_keys(literal, Place(problems, ""))
    assert problems.errors == []
    assert {name: value for name, value in read.items() if value != SETTING_DEFAULTS[name]} == {}


def test_the_role_passes_every_setting_on() -> None:
    """The filter haproxy_settings finds every setting by its name; the others are what `collect` makes of variables."""
    role = next(role for role in ROLES if role.name == "haproxy_server")
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    given = {**defaults, "inventory_hostname": "lb1", "ansible_host": "192.0.2.1", "haproxy_pki_backend": "standalone"}
    passed = collect(lambda name: given.get(name, MISSING), ["lb1"])
    assert set(passed) | {"haproxy_stats_password"} == set(SETTING_DEFAULTS)
    assert "haproxy_stats_password" not in passed
