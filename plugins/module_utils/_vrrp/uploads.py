# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files on the controller for the scripts of a configuration."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import entries
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import Section
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown


def uploads(variables: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Path on the node to file on the controller, from ``src_KEY`` beside each script ``KEY``.

    The destination is ``dest_KEY``, or the path that the command begins with.
    """
    found: dict[str, str] = {}
    errors: list[Problem] = []
    for path, section, entry in entries(FILE, variables):
        for key in section.scripts if isinstance(section, Section) else ():
            source = str(entry.get(f"src_{key.name}") or "")
            if not source:
                continue
            command = str(entry.get(key.name) or "").split()
            target = str(entry.get(f"dest_{key.name}") or "") or (command or [""])[0]
            if not target.startswith("/"):
                why = f"{target!r} is not an absolute path"
                hint = f"Begin {key.name} with an absolute path, or set dest_{key.name}."
                errors.append(Problem(f"{path}.src_{key.name}", shown(source), why, hint))
            elif found.setdefault(target, source) != source:
                why = f"{target} is already installed from {found[target]}, so {source} cannot go there"
                hint = "Set another path for one of them."
                errors.append(Problem(f"{path}.src_{key.name}", shown(source), why, hint))
    if errors:
        raise VrrpError(errors)
    return found
