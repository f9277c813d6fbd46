# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of the controller go with the scripts of a configuration."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE, Section
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown


def uploads(variables: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Path on the node to file on the controller, from ``src_KEY`` beside each script ``KEY``.

    The file goes to ``dest_KEY``, which is only needed where the command does not begin with its path.
    """
    found: dict[str, str] = {}
    errors: list[Problem] = []
    for path, section, entry in _entries(FILE, FILE.name, variables):
        for key in section.scripts:
            source = str(entry.get(f"src_{key.name}") or "")
            if not source:
                continue
            command = str(entry.get(key.name) or "").split()
            target = str(entry.get(f"dest_{key.name}") or "") or (command or [""])[0]
            if not target.startswith("/"):
                why = f"{target!r} is no full path to put the file at"
                hint = f"Begin {key.name} with one, or set dest_{key.name}."
                errors.append(Problem(f"{path}.src_{key.name}", shown(source), why, hint))
            elif found.setdefault(target, source) != source:
                why = f"{target} is already made from {found[target]}, and cannot be {source} as well"
                hint = "Give one of them another path."
                errors.append(Problem(f"{path}.src_{key.name}", shown(source), why, hint))
    if errors:
        raise VrrpError(errors)
    return found


def _entries(section: Section, path: str, value: t.Any) -> t.Iterator[tuple[str, Section, t.Mapping[str, t.Any]]]:
    """Every dictionary of a section and of those within it; what is none is a mistake that the model tells."""
    if not isinstance(value, t.Mapping):
        return
    yield path, section, value
    for row in section.rows:
        inner = value.get(row.name)
        if not isinstance(row, Section) or not inner:
            continue
        where = f"{path}_{row.name}" if section is FILE else f"{path}.{row.name}"
        if row.shape == "single":
            yield from _entries(row, where, inner)
        elif row.shape == "list" and isinstance(inner, t.Sequence):
            for index, entry in enumerate(inner):
                yield from _entries(row, f"{where}[{index}]", entry)
        elif row.shape == "named" and isinstance(inner, t.Mapping):
            for name, entry in inner.items():
                yield from _entries(row, f"{where}.{name}", entry)
