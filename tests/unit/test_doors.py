# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's `__` variables and its files are its own: others use what its README says that it publishes."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PRIVATE = re.compile(rf"\b__({'|'.join(ROLES)})_\w+")
# `role_path ~ '/../keepalived/…'` and the like.
BY_PATH = re.compile(rf"\.\./(?:roles/)?({'|'.join(ROLES)})/")


def texts(*places: str) -> t.Iterator[tuple[str, str]]:
    """The YAML files, templates and plugins below some directories, by their paths."""
    for place in places:
        for path in sorted((ROOT / place).rglob("*")):
            if path.suffix in (".yml", ".j2", ".py") and path.is_file():
                yield str(path.relative_to(ROOT)), path.read_text()


def found(pattern: re.Pattern[str], *places: str, own: str = "") -> list[str]:
    return [
        f"{path}: {match[0]}" for path, text in texts(*places) for match in pattern.finditer(text) if match[1] != own
    ]


def test_it_reads_files() -> None:
    """Else nothing below could fail."""
    assert len(found(PRIVATE, "roles")) > 300


@pytest.mark.parametrize("place", ["playbooks", "molecule", "examples", "plugins"])
def test_nobody_else_uses_a_private_variable_of_a_role(place: str) -> None:
    assert found(PRIVATE, place) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_uses_a_private_variable_of_another_role(role: str) -> None:
    assert found(PRIVATE, f"roles/{role}", own=role) == []


def test_nobody_reads_a_file_of_another_role_by_its_path() -> None:
    assert found(BY_PATH, "roles", "playbooks") == []


def published(role: str) -> set[str]:
    """What tasks register or set, and what vars have, under a name without underscores."""
    names = set(yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text()))
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text()):
            for one in [task, *task.get("block", ())]:
                names.update(one.get("ansible.builtin.set_fact", ()), [one["register"]] if "register" in one else [])
    return {name for name in names if not name.startswith("__")}


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_publishes_is_in_its_readme(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text()
    section = readme[readme.index("## Published variables") :].partition("\n## ")[0]
    assert published(role)
    assert published(role) - set(re.findall(r"`(\w+)`", section)) == set()
