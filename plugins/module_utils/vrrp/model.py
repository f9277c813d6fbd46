# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of keepalived.conf as data: the template only lays it out."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from difflib import get_close_matches

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.schema import (
    INSTANCE,
    SCRIPT,
    SYNC_GROUP,
    TRACK_FILE,
    TRACK_PROCESS,
    Key,
    Section,
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Block:
    """``title { settings, blocks }``; a setting is one whole line, a block of lines has settings only."""

    title: str
    settings: tuple[str, ...]
    blocks: tuple[Block, ...] = ()


def keepalived_model(
    global_defs: t.Sequence[str],
    scripts: t.Mapping[str, t.Any],
    track_files: t.Mapping[str, t.Any],
    track_processs: t.Mapping[str, t.Any],
    sync_groups: t.Mapping[str, t.Any],
    instances: t.Mapping[str, t.Any],
) -> tuple[Block, ...]:
    """All blocks in the order keepalived wants them: what is tracked before who tracks it."""
    errors: list[str] = []
    blocks: list[Block] = []
    lines = [
        _line(f"keepalived_global_defs[{index}]", text, errors, forbidden="") for index, text in enumerate(global_defs)
    ]
    if lines:
        blocks.append(Block("global_defs", tuple(lines)))
    if "vrrp_version 3" in (" ".join(line.split()) for line in lines):
        errors += _unauthenticated(instances)
    used = _tracked_scripts(sync_groups) | _tracked_scripts(instances)
    for section, entries in (
        # keepalived 2.2 calls a text with an unused script valid, and then ends with an error when it meets it.
        (SCRIPT, {name: script for name, script in scripts.items() if name in used}),
        (TRACK_FILE, track_files),
        (TRACK_PROCESS, track_processs),
        (SYNC_GROUP, sync_groups),
        (INSTANCE, instances),
    ):
        for name, entry in entries.items():
            blocks.append(_block(section, str(name), entry, errors))
    if errors:
        raise VrrpError(errors)
    return tuple(blocks)


def _unauthenticated(instances: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """keepalived would leave the password out and run all the same."""
    for name, entry in instances.items():
        if isinstance(entry, t.Mapping) and entry.get("authentication_password"):
            yield (
                f"keepalived_instances.{name}.authentication_password: VRRPv3 has no authentication; leave it out, or"
                " put vrrp_version 2 into keepalived_global_defs and whole seconds into keepalived_advert_int."
            )


def _tracked_scripts(entries: t.Mapping[str, t.Any]) -> set[str]:
    lists = [entry.get("track_scripts") or [] for entry in entries.values() if isinstance(entry, t.Mapping)]
    # An item is a name, or a name with a weight.
    return {str(item).split()[0] for items in lists for item in items if str(item).strip()}


def _block(section: Section, name: str, entry: t.Any, errors: list[str]) -> Block:
    path = f"{section.variable}.{name}"
    if not _NAME.fullmatch(name):
        errors.append(f"{section.variable}: the name {name!r} must be made of letters, digits and _ . : - only.")
    if not isinstance(entry, t.Mapping):
        errors.append(f"{path}: must be a dictionary, not {_shown(entry)}.")
        return Block(name, ())
    errors += _unknown_keys(section, path, entry)
    settings: list[str] = []
    blocks: list[Block] = []
    nested: dict[str, list[str]] = {}
    for key in section.keys:
        value = entry.get(key.name)
        where = f"{path}.{key.name}"
        if value in (None, "", []):
            if key.required:
                errors.append(f"{where}: is missing.")
        elif key.kind == "list":
            blocks.append(Block(key.written, _lines(where, value, errors)))
        else:
            line = _setting(key, value, where, errors)
            into = nested.setdefault(key.block, []) if key.block else settings
            into += [line] if line else []
    blocks += [Block(title, tuple(lines)) for title, lines in nested.items()]
    return Block(f"{section.keyword} {name}", tuple(settings), tuple(blocks))


def _unknown_keys(section: Section, path: str, entry: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    known = [key.name for key in section.keys]
    for unknown in (key for key in entry if key not in known and key not in section.also):
        close = get_close_matches(str(unknown), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."
        yield f"{path}.{unknown}: no such key; {hint}"


def _setting(key: Key, value: t.Any, where: str, errors: list[str]) -> str:
    """The line of a single value; an empty string for a flag that is off."""
    if key.kind in ("integer", "seconds"):
        return _number(key, value, where, errors)
    if key.kind in ("flag", "flag_or_word"):
        flag = _FLAGS.get(str(value).lower())
        if flag is not None:
            return key.written if flag else ""
        if key.kind == "flag":
            errors.append(f"{where}: must be true or false, not {_shown(value, key)}.")
            return ""
    text = _line(where, value, errors)
    if key.choices and text not in key.choices:
        errors.append(f"{where}: must be {' or '.join(key.choices)}, not {_shown(value, key)}.")
    if key.kind == "word" and " " in text:
        errors.append(f"{where}: must be one word, not {_shown(value, key)}.")
    if key.kind == "text":
        if '"' in text:
            errors.append(f"{where}: must not hold a double quote, which would end the value.")
        return f'{key.written} "{text}"'
    return f"{key.written} {text}"


def _number(key: Key, value: t.Any, where: str, errors: list[str]) -> str:
    kind = "a whole number" if key.kind == "integer" else "a number of seconds"
    bounds = f"from {key.low:g} to {key.high:.10g}"
    try:
        number = float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError):
        number = None
    if number is None or (key.kind == "integer" and number != int(number)) or not key.low <= number <= key.high:
        errors.append(f"{where}: must be {kind} {bounds}, not {_shown(value, key)}.")
        return ""
    return f"{key.written} {number:.10g}"


def _shown(value: t.Any, key: Key | None = None) -> str:
    """A value for a message; a container may hold a password, wherever it was put."""
    if key and key.secret:
        return "(hidden)"
    if isinstance(value, (t.Mapping, list, tuple)):
        return f"a {'dictionary' if isinstance(value, t.Mapping) else 'list'}"
    return repr(value)


def _lines(where: str, value: t.Any, errors: list[str]) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, t.Sequence):
        errors.append(f"{where}: must be a list, not {_shown(value)}.")
        return ()
    return tuple(_line(f"{where}[{index}]", item, errors) for index, item in enumerate(items))


def _line(where: str, value: t.Any, errors: list[str], forbidden: str = "{}") -> str:
    text = str(value).strip()
    if isinstance(value, (t.Mapping, list)):
        errors.append(f"{where}: must be text, not {_shown(value)}.")
    elif _CONTROL.search(text):
        errors.append(f"{where}: must not hold a line break or another control character.")
    elif any(character in text for character in forbidden):
        errors.append(f"{where}: must not hold a brace, which would begin or end a block.")
    return text
