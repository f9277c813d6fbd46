# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that Ansible could not resolve: carried to the validator, which knows their service and key.

Ansible itself gives up at the first of them, and names the task that wanted the whole list.
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place

MARK = "__undefined__"


def mark(why: str) -> dict[str, str]:
    """What stands in the place of such a value; ``why`` is Ansible's own message."""
    return {MARK: why}


def is_marked(value: t.Any) -> bool:
    return isinstance(value, dict) and set(value) == {MARK}


def without_marks(value: t.Any) -> t.Any:
    """What could be resolved, with nothing in the place of the rest."""
    if is_marked(value):
        return None
    if isinstance(value, dict):
        return {name: without_marks(item) for name, item in value.items()}
    return [without_marks(item) for item in value] if isinstance(value, (list, tuple)) else value


def told(value: t.Any, place: Place) -> t.Any:
    """The value with nothing where it is undefined, once each of these places is noted as a mistake."""
    if is_marked(value):
        is_missing = any(words in value[MARK] for words in ("undefined", "has no attribute"))
        hint = "Define the variable, or give it a default." if is_missing else "Correct the template."
        place.wrong(None, f"cannot be resolved: {value[MARK]}", hint)
        return None
    if isinstance(value, dict):
        return {name: told(item, place.key(str(name))) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(item, place.item(index)) for index, item in enumerate(value)]
    return value
