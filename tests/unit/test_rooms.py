# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rooms of the code stand on floors, and a room imports from those below it alone."""

from __future__ import annotations

import ast
import itertools
import pathlib
import typing as t

import pytest

ROOT = pathlib.Path(__file__).parents[2]
COLLECTION = "ansible_collections.lbforge.haproxy"
# From the ground up. Rooms of one floor do not know each other.
FLOORS = (
    ("addresses", "characters", "errors", "hints", "mask"),
    ("_host", "_haproxy_cfg", "_schema"),
    ("_x509", "_vips"),
    ("_runtime", "_vrrp"),
    ("_rehearsal",),
    ("_services",),
    ("_release", "_inventory"),
    ("_live",),
    ("_insight", "_node"),
    ("_module",),
    ("modules", "action", "filter", "callback", "doc_fragments"),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}


class Import(t.NamedTuple):
    """A file that imports another one, both as paths below plugins/."""

    importer: pathlib.PurePath
    imported: pathlib.PurePath

    @property
    def rooms(self) -> tuple[str, str]:
        return room(self.importer), room(self.imported)


def room(path: pathlib.PurePath) -> str:
    """The room of a file below plugins/."""
    inside = path.parts[1:] if path.parts[0] == "module_utils" else path.parts
    return inside[0].removesuffix(".py")


def imported_names(source: str) -> t.Iterator[str]:
    """The modules that a source imports, wherever it does so; ``from a import b`` may mean a.b or a."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "Imports name the whole path."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> t.Iterator[Import]:
    """What files of the collection import of each other."""
    plugins = ROOT / "plugins"
    for file in sorted(plugins.rglob("*.py")):
        for name in imported_names(file.read_text()):
            parts = name.removeprefix(f"{COLLECTION}.plugins.").split(".")
            for path in (pathlib.Path(*parts), pathlib.Path(*parts[:-1])):
                if name.startswith(f"{COLLECTION}.") and (plugins / path).with_suffix(".py").is_file():
                    yield Import(file.relative_to(plugins), path.with_suffix(".py"))
                    break


ALL = list(imports())


def test_it_reads_imports() -> None:
    """Else nothing below could fail."""
    assert len(ALL) > 300
    assert set(itertools.chain(*(one.rooms for one in ALL))) == set(FLOOR) - {"callback", "doc_fragments"}


@pytest.mark.parametrize(
    "room_name", sorted({room(path.relative_to(ROOT / "plugins")) for path in (ROOT / "plugins").rglob("*.py")})
)
def test_every_room_has_a_floor(room_name: str) -> None:
    assert room_name in FLOOR


def test_no_room_imports_from_its_floor_or_above() -> None:
    up = [one for one in ALL if (rooms := one.rooms)[0] != rooms[1] and FLOOR[rooms[0]] <= FLOOR[rooms[1]]]
    assert up == []


def test_no_file_is_imported_in_a_circle() -> None:
    """Within a room, too, files stand on each other."""
    under: dict[pathlib.PurePath, set[pathlib.PurePath]] = {}
    for one in ALL:
        under.setdefault(one.importer, set()).add(one.imported)
    standing: set[pathlib.PurePath] = set()
    files = {one.importer for one in ALL} | {one.imported for one in ALL}
    while ready := {file for file in files - standing if under.get(file, set()) <= standing}:
        standing |= ready
    assert files - standing == set()


def test_packages_of_the_collection_are_private() -> None:
    names = {path.name for path in (ROOT / "plugins" / "module_utils").iterdir() if path.is_dir()} - {"__pycache__"}
    assert {name for name in names if not name.startswith("_")} == set()


def test_the_architecture_page_quotes_the_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    quoted = "\n".join(f"{number}  {', '.join(floor)}" for number, floor in reversed(list(enumerate(FLOORS))))
    assert f"```text\n{quoted}\n```" in page
