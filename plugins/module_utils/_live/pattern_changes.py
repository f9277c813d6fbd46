# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the wanted entries of a map or an ACL to changes in its file and in the running HAProxy.

The same comparison of lines serves both: a file with its comments, and what is loaded.
"""

from __future__ import annotations

import difflib
import itertools
import re
import stat
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.patterns import (
    Entry,
    PatternFile,
    entries,
    loaded,
    prepared,
    read_pair,
    read_pattern,
    written,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session

# A line of a file and the entry in it, None for comments; or an entry that is loaded.
Line = tuple[str, t.Optional[Entry]]

FEW = 50  # more changes become one new version: HAProxy 2.6 searches the whole list for each
_PLAIN = re.compile(r"[!\"$-~][!-~]*\n[!-~](?:[ -~]*[!-~])?\Z")
_SCHEME = re.compile(r"\A(?:opt|file)@")


class Step(t.NamedTuple):
    """A command that changes one key."""

    key: str
    command: str
    payload: str = ""


@dataclass(frozen=True)
class Change:
    """Lines before and after."""

    before: list[Line]
    after: list[Line]

    @property
    def needed(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of added, changed and removed keys."""
        if not self.needed:
            return {"added": 0, "updated": 0, "removed": 0}
        old, new = (
            {entry if isinstance(entry, str) else entry[0]: entry for _text, entry in side if entry}
            for side in (self.before, self.after)
        )
        return {
            "added": len(new.keys() - old.keys()),
            "updated": sum(name in old and old[name] != entry for name, entry in new.items()),
            "removed": len(old.keys() - new.keys()),
        }


# Wanted state


def desired_entries(kind: str, given: t.Any, state: str) -> tuple[list[Entry], list[Problem]]:
    """Read the option ``entries``: a dictionary, a list of items, or the text of a file. Report every mistake."""
    items: t.Iterable[tuple[t.Any, t.Any, t.Any]]
    if isinstance(given, str):
        lines = enumerate(lines_of(kind, given), 1)
        items = ((number, *_item(kind, entry)) for number, (_text, entry) in lines if entry is not None)
    elif isinstance(given, list):
        items = ((number, *_item(kind, item)) for number, item in enumerate(given))
    elif isinstance(given, dict) and kind == "map":
        items = ((name, name, value) for name, value in given.items())
    else:
        expected = "a dictionary or a list of items with key and value" if kind == "map" else "a list of patterns"
        return [], [Problem("entries", "", f"it must be {expected}, not {type(given).__name__}")]
    found: dict[str, Entry] = {}
    problems = []
    for place, name, value in items:
        why = "" if _is_plain(kind, name, value) else _problem(kind, name, value, state)
        if why or str(name) in found:
            path = f"entries, line {place}" if isinstance(given, str) else f"entries[{place!r}]"
            shown = "" if name is None else str(name)
            problems.append(Problem(path, "", why or "it is listed twice", name=shown))
        else:
            found[str(name)] = (str(name), "" if value is None else str(value)) if kind == "map" else str(name)
    return list(found.values()), problems


def refusals(given: t.Any, wanted: list[Entry], failed: dict[str, str]) -> list[Problem]:
    """The rejections of HAProxy, at their places in the option."""
    keys = list(map(key_of, wanted))
    places = {name: keys.index(name) if isinstance(given, list) else name for name in failed}
    return [Problem(f"entries[{places[name]!r}]", "", why, name=name) for name, why in failed.items()]


def _item(kind: str, item: t.Any) -> tuple[t.Any, t.Any]:
    if isinstance(item, tuple):
        return item[0], item[1] or None
    if kind == "map" and isinstance(item, dict) and item.keys() <= {"key", "value"}:
        return item.get("key"), item.get("value")
    return item, None


def _is_plain(kind: str, name: t.Any, value: t.Any) -> bool:
    """Whether an entry is valid at first glance, as most are: there may be many."""
    return kind == "map" and isinstance(name, str) and isinstance(value, str) and bool(_PLAIN.match(f"{name}\n{value}"))


def _problem(kind: str, name: t.Any, value: t.Any, state: str) -> str:
    noun = "key" if kind == "map" else "pattern"
    if not _is_text(name):
        return f"the {noun} is {_shown(name)}, which is neither text nor a number; put it in quotes"
    if why := _text_problem(str(name)):
        return f"the {noun} {why}"
    if str(name).startswith("#"):
        return f"the {noun} begins with '#', which starts a comment in a file and a reference in a command"
    if kind == "map" and re.search(r"\s", str(name)):
        return "the key contains a blank, where HAProxy begins the value"
    if kind == "acl" or (state == "absent" and value is None):
        return ""
    if value is None:
        return "it has no value"
    if not _is_text(value):
        return f"the value is {_shown(value)}, which is neither text nor a number; put it in quotes"
    return f"the value {why}" if (why := _text_problem(str(value))) else ""


def _is_text(value: t.Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _shown(value: t.Any) -> str:
    return {dict: "a dictionary", list: "a list", type(None): "empty"}.get(type(value), str(value).lower())


def _text_problem(text: str) -> str:
    if CONTROL.search(text):
        return "holds a line break or another control character"
    if not text.strip():
        return "is empty"
    if text != text.strip():
        return "begins or ends with a blank, which HAProxy would drop from a file"
    return ""


# Changes


def lines_of(kind: str, text: str) -> list[Line]:
    """Read a file, comments and all."""
    read: t.Callable[[str], Entry | None] = read_pair if kind == "map" else read_pattern
    return [(line, read(line)) for line in text.removesuffix("\n").split("\n")] if text else []


def text_of(lines: t.Iterable[Line]) -> str:
    """Lines as a file."""
    return "".join(f"{text}\n" for text, _entry in lines)


def line_of(entry: Entry) -> Line:
    """An entry as it is written."""
    return written(entry), entry


def key_of(entry: Entry) -> str:
    """The key of an entry."""
    return entry if isinstance(entry, str) else entry[0]


def grouped(lines: t.Iterable[Line]) -> dict[str, list[Entry]]:
    """The entries of each key: HAProxy allows several, and finds the first."""
    groups: dict[str, list[Entry]] = {}
    for _text, entry in lines:
        if entry is not None:
            groups.setdefault(key_of(entry), []).append(entry)
    return groups


def merged(lines: list[Line], wanted: t.Sequence[Entry], state: str) -> list[Line]:
    """Bring entries into lines; comments and the order of what stays are kept.

    ``present`` adds what is missing, sets what has another value and leaves it once. ``absent`` removes, whatever the
    value. ``exact`` leaves nothing else but the comments at the top, for those in between belong to what was there.
    """
    if state == "exact":
        if [entry for _text, entry in lines if entry is not None] == list(wanted):
            return lines
        return [*itertools.takewhile(lambda line: line[1] is None, lines), *map(line_of, wanted)]
    named = {key_of(entry): entry for entry in wanted}
    after: list[Line] = []
    found = set()
    for line in lines:
        entry = line[1]
        name = None if entry is None else key_of(entry)
        if name is None or name not in named:
            after.append(line)
        elif state == "present" and name not in found:
            found.add(name)
            after.append(line if entry == named[name] else line_of(named[name]))
    if state == "present":
        after += [line_of(entry) for name, entry in named.items() if name not in found]
    return after


def steps(file: PatternFile, change: Change) -> list[Step] | None:
    """The commands for a few additions, new values and removals; None if a new version is needed."""
    kind, target = file.kind, escaped(file.path)
    before, after = grouped(change.before), grouped(change.after)
    found = []
    for name in {**before, **after}:
        old, new = before.get(name, []), after.get(name, [])
        if old == new:
            continue
        if not new:
            found.append(Step(name, f"del {kind} {target} {escaped(name)}"))
        elif len(old) > 1 or len(new) > 1:
            return None  # a command changes all entries of a key
        elif old:
            found.append(Step(name, f"set {kind} {target} {escaped(name)} {escaped(new[0][1])}"))
        elif kind == "map":
            found.append(Step(name, f"add map {target}", written(new[0])))
        else:
            found.append(Step(name, f"add acl {target} {escaped(name)}"))
    return found if len(found) <= FEW else None


@dataclass(frozen=True)
class Plan:
    """The changes to the loaded entries and, unless the file stays as it is, to the file."""

    file: PatternFile
    wanted: list[Entry]
    state: str
    live: Change
    stored: Change | None

    def without(self, keys: t.Collection[str]) -> Plan:
        """The plan without some keys."""
        wanted = [entry for entry in self.wanted if key_of(entry) not in keys]
        stored = None if self.stored is None else self.stored.before
        return planned(self.file, wanted, self.state, self.live.before, stored)


def planned(file: PatternFile, wanted: list[Entry], state: str, live: list[Line], stored: list[Line] | None) -> Plan:
    """Compare the current entries with the wanted ones."""
    after = None if stored is None else Change(stored, merged(stored, wanted, state))
    return Plan(file, wanted, state, Change(live, merged(live, wanted, state)), after)


# Execution


class DiskFile:
    """The file of a map or an ACL, outside of releases."""

    def __init__(self, path: str) -> None:
        if path.startswith("virt@"):
            raise LbforgeError(f"{path} has no file; HAProxy keeps it only in memory. Set persist: false.")
        if not path.startswith("/"):
            raise LbforgeError(
                f"HAProxy read {path!r} from its own working directory. Set option file to its path, or set"
                " persist: false for a change that lasts until the next reload."
            )
        self.path = Path(path).resolve()
        store = ReleaseStore(self.path.parent.parent.parent)
        if self.path.parent.parent == store.releases and store.pointer.is_symlink():
            raise LbforgeError(
                f"{path} belongs to a release of haproxy_config, which replaces it. Change its entries there"
                " (haproxy_map_entries of a service), or set persist: false for a change that lasts until the next"
                " reload."
            )

    def read(self) -> str:
        """Return its text; undecodable bytes survive a change of other entries."""
        try:
            return self.path.read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            raise LbforgeError(
                f"Cannot read {self.path}: {error.strerror}. If HAProxy's file is elsewhere on this host, as with a"
                " chroot, set option file. Set persist: false to leave files alone."
            ) from error

    def write(self, text: str) -> None:
        """Replace the text atomically, with the owner and mode of the old file."""
        try:
            old = self.path.stat()
            content, mode = text.encode(errors="surrogateescape"), stat.S_IMODE(old.st_mode)
            disk.replace(self.path, content, mode, (old.st_uid, old.st_gid))
            disk.sync(self.path.parent)
        except OSError as error:
            raise LbforgeError(f"Cannot write {self.path}: {error.strerror}.") from error


def find(session: Session, kind: str, name: str) -> PatternFile:
    """Find what is loaded by its file or its ``#ID``."""
    listed = loaded(session.run(f"show {kind}"))
    name = _SCHEME.sub("", name)
    found = [file for path, file in listed.items() if name in (path, f"#{file.id}")]
    if not found:
        similar = difflib.get_close_matches(name, listed) or [path for path in listed if not path.startswith("#")]
        others = f"It has {', '.join(similar)}." if similar else "It has none."
        raise LbforgeError(f"HAProxy has loaded no {kind} {name!r}. {others} Use the name in the configuration.")
    if found[0].kind != kind:
        raise LbforgeError(f"{name} is also used as a map, so its patterns have values. Set kind: map.")
    return found[0]


def read_live(session: Session, file: PatternFile) -> list[Line]:
    """Read what is loaded."""
    return [line_of(entry) for entry in entries(session, file.kind, file.path)]


def carry_out(session: Session, plan: Plan, disk_file: DiskFile | None) -> dict[str, str]:
    """Change the file, then the loaded entries. Return the reason for each rejected key, whose entry is in neither."""

    def save(change: Change | None) -> None:
        if disk_file is not None and change is not None and change.needed:
            disk_file.write(text_of(change.after))

    if not plan.live.needed:
        save(plan.stored)
        return {}
    few = None if plan.state == "exact" else steps(plan.file, plan.live)
    if few is None:
        wanted = [entry for _text, entry in plan.live.after if entry is not None]
        with prepared(session, plan.file.kind, plan.file.path, wanted) as commit:
            save(plan.stored)
            commit()
        return {}
    save(plan.stored)
    failed = _run(session, plan, few)
    if failed and plan.stored is not None and (left := plan.without(failed).stored) is not None:
        save(Change(plan.stored.after, left.after))
    return failed


def _run(session: Session, plan: Plan, few: list[Step]) -> dict[str, str]:
    failed = {}
    for step in few:
        try:
            session.run(step.command, step.payload)
        except CommandError as error:
            failed[step.key] = f"HAProxy rejected it: {error.why}"
    now, wanted = grouped(read_live(session, plan.file)), grouped(plan.live.after)
    for step in few:
        if step.key not in failed and now.get(step.key) != wanted.get(step.key):
            failed[step.key] = "HAProxy accepted the command without effect, as with a value of another type"
    return {step.key: failed[step.key] for step in few if step.key in failed}
