# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of nodes as the roles install them, but for the paths that they use."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.program import PROGRAMS, sources, text


def install(name: str, path: pathlib.Path, paths: t.Mapping[str, object] | None = None) -> pathlib.Path:
    """Write a program to ``path``; each path of the host in its modules becomes another one."""
    modules = sources(f"{PROGRAMS}.{name}")
    for old, new in (paths or {}).items():
        quoted = f'"{old}"'
        knowing = [module for module, source in modules.items() if quoted in source]
        assert knowing, f"The program {name} does not know {old}."
        for module in knowing:
            modules[module] = modules[module].replace(quoted, f'"{new}"')
    path.write_text(text(f"{PROGRAMS}.{name}", modules))
    path.chmod(0o755)
    return path
