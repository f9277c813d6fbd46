# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build a program for nodes from a module of the collection and its imports: one file, replaced atomically.

Nodes need Python 3.9 and its standard library, as for the modules that Ansible runs there.
"""

from __future__ import annotations

import ast
import functools
import pathlib
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.packing import pack
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

ROOM = "ansible_collections.lbforge.haproxy.plugins.module_utils"
PROGRAMS = f"{ROOM}._node"
_DIRECTORY = pathlib.Path(__file__).parents[1]


class ProgramError(LbforgeError):
    """There is no such program."""


@functools.cache
def program(name: str) -> str:
    """The text of a program, by its module in this package; its arguments go to ``main``."""
    main = f"{PROGRAMS}.{name}"
    if not _file(main).is_file():
        raise ProgramError(f"There is no program {name!r} in {_DIRECTORY / '_node'}.")
    return text(main, sources(main))


def sources(name: str) -> dict[str, str]:
    """The sources of a module and of all modules of this collection that it needs, by name."""
    found: dict[str, str] = {}
    missing = {name}
    while missing:
        module = missing.pop()
        found[module] = _file(module).read_text(encoding="utf-8")
        missing |= set(_imported(found[module])) - found.keys()
    return dict(sorted(found.items()))


def text(main: str, modules: t.Mapping[str, str]) -> str:
    """The text of a program of these modules that runs ``main``."""
    boot = (_DIRECTORY / "_node" / "boot.py").read_text(encoding="utf-8")
    # Only the standard library of the node's Python is used.
    return f'#!/usr/bin/python3 -IS\n{boot}\n\nstart("{main}", "{pack(dict(modules))}")\n'


def _file(module: str) -> pathlib.Path:
    return _DIRECTORY.joinpath(*module[len(ROOM) + 1 :].split(".")).with_suffix(".py")


def _imported(source: str) -> t.Iterator[str]:
    """The modules of this collection that a source imports at its top, without those for types."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(f"{ROOM}."):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _file(inner).is_file() else node.module
