# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crt-lists of a running HAProxy: the certificates for names. For 2.6 and later.

HAProxy reorders options, leaves some out, and puts new entries at the end. So changes are found by comparing two texts
of the file; the running list only gives the line of an entry.
"""

from __future__ import annotations

import functools
import re
import typing as t
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.answers import CommandError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import Session, escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_ENTRY = re.compile(r"(?P<path>[^\s\[]+)(?:\s*\[(?P<options>[^\]]*)\])?(?P<filters>.*)")
_NUMBERED = re.compile(r"(?P<path>.*):(?P<line>\d+)")


class CrtListError(LbforgeError):
    """A list cannot be changed at run time, or differs after a change."""


@dataclass(frozen=True)
class Entry:
    """A line of a crt-list. ``line`` is known only for a running list, and 0 for a directory."""

    path: str
    options: str = ""
    filters: tuple[str, ...] = ()
    line: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.path, f"[{self.options}]" if self.options else "", *self.filters)))

    def serves(self, other: Entry) -> bool:
        """Whether a running entry may come from this line of a file."""
        return _is_one(self.path, other.path) and sorted(self.filters) == sorted(other.filters)


# Texts


def parse_text(text: str) -> list[Entry]:
    """Read a crt-list file."""
    return [parse_entry(line) for line in text.splitlines() if _counts(line)]


@functools.lru_cache(maxsize=10_000)  # a list is read again for each of many certificates
def parse_entry(line: str) -> Entry:
    """Read one line of it."""
    found = _ENTRY.fullmatch(line.strip())
    if found is None:
        raise CrtListError(f"Cannot read the line {line.strip()!r} of a crt-list: it is PATH [OPTIONS] NAMES.")
    return Entry(found["path"], " ".join((found["options"] or "").split()), tuple(found["filters"].split()))


def parse_shown(answer: str) -> list[Entry]:
    """Read the answer to ``show ssl crt-list -n``, in which 2.6 leaves the NUL bytes of its ALPN strings."""
    entries = []
    for entry in parse_text(answer.replace("\0", "")):
        numbered = _NUMBERED.fullmatch(entry.path)
        if numbered is None:
            raise CrtListError(f"Cannot read the entry '{entry}' of a crt-list: it has no line number.")
        entries.append(Entry(numbered["path"], entry.options, entry.filters, int(numbered["line"])))
    return entries


def with_entry(text: str, entry: Entry) -> str:
    """The text with this one entry for its certificate, at the end, where HAProxy puts a new one."""
    own = entries_of(parse_text(text), entry.path)
    if len(own) == 1 and own[0].serves(entry) and _alike(own[0], entry):
        return text
    return _joined([*without(text, entry.path).splitlines(), str(entry)])


def without(text: str, path: str) -> str:
    """The text without the entries of a certificate."""
    lines = text.splitlines()
    kept = [line for line in lines if not _counts(line) or not entries_of([parse_entry(line)], path)]
    return text if len(kept) == len(lines) else _joined(kept)


def entries_of(entries: t.Iterable[Entry], path: str) -> list[Entry]:
    """The entries of one certificate."""
    return [entry for entry in entries if _is_one(entry.path, path)]


def as_text(entries: t.Iterable[Entry]) -> str:
    """The text of a list."""
    return _joined(map(str, entries))


def reload_reason(before: t.Sequence[Entry], after: t.Sequence[Entry]) -> str | None:
    """The reason why a change needs a reload; None when it can be made at run time, with new entries put at the end."""
    if before == after:
        return None
    if before[:1] != after[:1]:
        return "the first entry changes, which is the default certificate"
    removed, added = Counter(before) - Counter(after), Counter(after) - Counter(before)
    kept_before = [entry for entry in before if entry not in removed]
    kept_after = [entry for entry in after if entry not in added]
    if kept_before != kept_after:
        return "the order of its entries changes"
    for number, entry in enumerate(after):
        if entry in added and any(_overlap(entry, later) for later in after[number + 1 :] if later not in added):
            return f"the new entry '{entry}' precedes others that may have the same names"
    return None


def _is_one(path: str, other: str) -> bool:
    # A name may omit HAProxy's crt-base.
    shorter, longer = sorted((path, other), key=len)
    return path == other or (not shorter.startswith("/") and longer.endswith(f"/{shorter}"))


def _overlap(one: Entry, other: Entry) -> bool:
    # Without filters an entry has the names of its certificate, which are not known here.
    if not one.filters or not other.filters:
        return True
    return bool({name.lower() for name in one.filters} & {name.lower() for name in other.filters})


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")  # HAProxy takes an indented # for a file


def _joined(lines: t.Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# The running list


def running(session: Session, path: str) -> list[Entry]:
    """The running entries of a list, or of a directory of certificates."""
    return parse_shown(session.run(f"show ssl crt-list -n {escaped(path)}"))


def apply(session: Session, path: str, before_text: str, after_text: str) -> None:
    """Change a running list from the first text to the second, and prove it. New certificates are already loaded.

    New entries come first, so that no name is ever without a certificate. The caller holds the lock.
    """
    before, after = parse_text(before_text), parse_text(after_text)
    if why := reload_reason(before, after):
        raise CrtListError(f"The crt-list {path} cannot be changed at run time: {why}. A reload applies it.")
    start = running(session, path)
    if not _same(start, before):
        raise CrtListError(
            f"The crt-list {path} cannot be changed at run time: HAProxy runs entries that differ from the file"
            f" ({_difference(start, before)}). A reload applies it."
        )
    added: list[Entry] = []
    try:
        for entry in (Counter(after) - Counter(before)).elements():
            _add(session, path, entry)
            added.append(entry)
        old = list(start)
        for entry in (Counter(before) - Counter(after)).elements():
            _remove(session, path, entry, old)
    except LbforgeError:
        for entry in added:
            with suppress(LbforgeError):
                _remove(session, path, entry, [new for new in running(session, path) if new not in start])
        raise
    end = running(session, path)
    if not _same(end, after):
        raise CrtListError(
            f"HAProxy reported that it changed the crt-list {path}, but shows {_difference(end, after)}."
        )


def _add(session: Session, path: str, entry: Entry) -> None:
    answer = session.run(f"add ssl crt-list {escaped(path)}", str(entry))
    if "Success!" not in answer.splitlines():
        raise CommandError(f"add ssl crt-list {path}", " ".join(answer.split()))


def _remove(session: Session, path: str, entry: Entry, among: list[Entry]) -> None:
    candidates = [found for found in among if found.serves(entry)]
    # Two entries may differ only in their options, which HAProxy shows in its own words.
    found = next((found for found in candidates if _alike(found, entry)), None)
    if found is None and len(candidates) != 1:
        raise CrtListError(f"Cannot tell which entry of the crt-list {path} is '{entry}'. A reload applies it.")
    found = found or candidates[0]
    among.remove(found)
    number = f":{found.line}" if found.line else ""
    session.run(f"del ssl crt-list {escaped(path)} {escaped(found.path)}{number}")


def _alike(found: Entry, entry: Entry) -> bool:
    return sorted(found.options.split()) == sorted(entry.options.split())


def _same(found: t.Sequence[Entry], wanted: t.Sequence[Entry]) -> bool:
    return not any(_unmatched(found, wanted))


def _difference(found: t.Sequence[Entry], wanted: t.Sequence[Entry]) -> str:
    more, missing = _unmatched(found, wanted)
    words = [f"'{entry}' in addition" for entry in more] + [f"no '{entry}'" for entry in missing]
    return ", ".join(words)


def _unmatched(found: t.Sequence[Entry], wanted: t.Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    more, missing = list(found), []
    for entry in wanted:
        match = next((running for running in more if running.serves(entry)), None)
        if match is None:
            missing.append(entry)
        else:
            more.remove(match)
    return more, missing
