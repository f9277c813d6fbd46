# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of every program that the collection lbforge.haproxy installs on a node.

The last line of the file holds the modules of the program, packed. All of it is read before any of it runs, so a file
that is replaced meanwhile does not matter. `PROGRAM --sources DIRECTORY` unpacks them for people.
"""

from __future__ import annotations

import base64
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import typing as t
import zlib


class Library(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Imports modules from their texts, by their full names."""

    def __init__(self, sources: t.Mapping[str, str]) -> None:
        self.sources = sources

    def find_spec(self, fullname: str, *_where: t.Any) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.sources and not self.is_package(fullname):
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def is_package(self, fullname: str) -> bool:
        return any(name.startswith(f"{fullname}.") for name in self.sources)

    def get_source(self, fullname: str) -> str:
        return self.sources.get(fullname, "")

    def get_filename(self, fullname: str) -> str:
        """What a traceback shows."""
        return f"{sys.argv[0]}/{fullname.replace('.', '/')}.py"

    def unpack(self, directory: pathlib.Path) -> None:
        """Write the modules as files."""
        for name, source in self.sources.items():
            path = directory / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")


def start(name: str, packed: str) -> None:
    """Run ``main`` of a module with the words of the command line."""
    library = Library(json.loads(zlib.decompress(base64.b64decode(packed))))
    if sys.argv[1:2] == ["--sources"]:
        library.unpack(pathlib.Path(sys.argv[2]))
        return
    sys.meta_path.insert(0, library)
    importlib.import_module(name).main(*sys.argv[1:])
