# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specifications of this collection on the controller."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

_COLLECTION = Path(__file__).resolve().parents[3]


def specifications(directory: str) -> dict[str, dict[str, t.Any]]:
    """The options of each entry of a role or of the playbooks; ``directory`` is such as ``roles/pki``."""
    specs = _read(f"{directory}/meta/argument_specs.yml")["argument_specs"]
    return {name: spec.get("options", {}) for name, spec in specs.items()}


def facts(playbook: str) -> list[str]:
    """The variables that a playbook sets itself."""
    return list(_read("playbooks/meta/facts.yml").get(playbook, ()))


@functools.lru_cache
def _read(path: str) -> dict[str, t.Any]:
    found: dict[str, t.Any] = yaml_load((_COLLECTION / path).read_text(encoding="utf-8"))
    return found
