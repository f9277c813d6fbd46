# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that Ansible could not resolve: carried to the validator, which knows their service and key.

Ansible itself gives up at the first of them, and names the task that wanted the whole list.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place

MARK = "__undefined__"
# Ansible's words before those of a filter.
_FILTER = re.compile(r"^The filter plugin '\S+' failed: ")


def mark(why: str) -> dict[str, str]:
    """What stands in the place of such a value; ``why`` is Ansible's own message."""
    return {MARK: why}


def is_marked(value: t.Any) -> bool:
    return isinstance(value, dict) and set(value) == {MARK}


def is_missing(value: t.Any) -> bool:
    """Whether it is the mark of a template that reads what is not defined, as facts are before they are known."""
    return is_marked(value) and any(words in value[MARK] for words in ("undefined", "has no attribute"))


def certain_mistakes(found: t.Iterable[t.Any]) -> list[str]:
    """What is wrong whatever facts tell, each once.

    An item is a list of sentences, or the mark of one that could not be made: its reason counts, unless it is missing.
    """
    texts: list[str] = []
    for item in found:
        if not is_missing(item):
            texts += [_FILTER.sub("", item[MARK])] if is_marked(item) else item
    return list(dict.fromkeys(texts))


def without_marks(value: t.Any) -> t.Any:
    """What could be resolved, with nothing in the place of the rest."""
    if is_marked(value):
        return None
    if isinstance(value, dict):
        return {name: without_marks(item) for name, item in value.items()}
    return [without_marks(item) for item in value] if isinstance(value, (list, tuple)) else value


def resolved(value: t.Any, place: Place) -> t.Any:
    """The value with nothing where it is undefined, once each of these places is noted as a mistake."""
    if is_marked(value):
        hint = "Define the variable, or give it a default." if is_missing(value) else "Correct the template."
        place.wrong(None, f"cannot be resolved: {value[MARK]}", hint)
        return None
    if isinstance(value, dict):
        return {name: resolved(item, place.key(str(name))) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolved(item, place.item(index)) for index, item in enumerate(value)]
    return value
