# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release: the files that HAProxy reads, named after their content. Pure."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import (
    Section,
    description,
    parse,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

CONFIGURATION = "haproxy.cfg"
TOKEN = "@release@"  # noqa: S105 - a place holder
RESERVED = ("current", "releases")
ID = re.compile("[0-9a-f]{12}")


def digest(files: t.Mapping[str, bytes]) -> str:
    """Return the 12 hex digits that name these files. Lengths keep names and contents apart."""
    total = hashlib.sha256()
    for name in sorted(files):
        label = name.encode()
        total.update(b"%d:%b%d:%b" % (len(label), label, len(files[name]), files[name]))
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class Release:
    """The files of a release and its name: an id, or the name of stored files of the user."""

    id: str
    contents: t.Mapping[str, bytes]

    @classmethod
    def made_of(cls, files: t.Mapping[str, str]) -> Release:
        """Name the files after their content with the token, then replace the token by the id."""
        name = digest({file: text.encode() for file, text in files.items()})
        return cls(name, {file: text.replace(TOKEN, name).encode() for file, text in files.items()})

    @cached_property
    def texts(self) -> dict[str, str]:
        """The files as texts."""
        return {name: content.decode(errors="replace") for name, content in self.contents.items()}

    @cached_property
    def sections(self) -> list[Section]:
        """The configuration as HAProxy reads it."""
        return parse(self.texts.get(CONFIGURATION, ""))

    @cached_property
    def description(self) -> str:
        """The description of a worker that was started with this release."""
        return description(self.sections)

    @property
    def is_ours(self) -> bool:
        """Whether it is named after its content, not stored from elsewhere."""
        return bool(ID.fullmatch(self.id))

    @property
    def is_pristine(self) -> bool:
        """Whether the files still match the name of the release."""
        name = self.id.encode()
        return self.id == digest({file: text.replace(name, TOKEN.encode()) for file, text in self.contents.items()})


def name_problems(names: t.Iterable[str], option: str, reserved: t.Collection[str] = ()) -> list[Problem]:
    """The mistakes in file names of an option, which must be flat, visible and printable."""
    problems = []
    for name in names:
        path = f"{option}[{name!r}]"
        if not name or not name.isprintable() or "/" in name or name.startswith("."):
            why = "a name must not be empty, begin with a dot, or contain a slash or control character"
            problems.append(Problem(path, "", why))
        elif name in reserved:
            problems.append(Problem(path, "", "this name is reserved for the directory of releases or certificates"))
    return problems


def file_problems(files: t.Mapping[str, t.Any], reserved: t.Collection[str]) -> list[Problem]:
    """Every mistake in the files of a release."""
    problems = name_problems(files, "files", reserved)
    problems += [
        Problem(f"files[{name!r}]", "", f"the content must be text, not {type(content).__name__}")
        for name, content in files.items()
        if not isinstance(content, str)
    ]
    path, configuration = f"files[{CONFIGURATION!r}]", files.get(CONFIGURATION)
    if configuration is None:
        problems.append(Problem(path, "", "it is missing, but HAProxy reads it first"))
    elif isinstance(configuration, str) and not _carries_token(configuration):
        why = f"its global section needs the line 'description {TOKEN}'"
        hint = "The running worker reports it; nothing else proves which release runs."
        problems.append(Problem(path, "", why, hint))
    return problems


def _carries_token(configuration: str) -> bool:
    return TOKEN in description(parse(configuration))
