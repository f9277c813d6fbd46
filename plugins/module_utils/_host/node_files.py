# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wanted files of a node, compared with the existing ones."""

from __future__ import annotations

import dataclasses
import grp
import pathlib
import pwd
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, ProblemsError, shown

_MODE = re.compile(r"0?[0-7]{3}")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


@dataclasses.dataclass(frozen=True)
class Owned:
    """Owner, group and mode of a file."""

    uid: int
    gid: int
    mode: int

    def __str__(self) -> str:
        return f"owner {self.uid}, group {self.gid}, mode {self.mode:04o}"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One file."""

    path: pathlib.Path
    content: bytes = dataclasses.field(repr=False)
    owned: Owned

    def differences(self) -> list[str]:
        """The aspects in which the file on the node differs from the wanted one, without a word of its content."""
        try:
            found = self.path.stat()
            same = self.path.read_bytes() == self.content
        except FileNotFoundError:
            return ["it is missing"]
        owned = Owned(found.st_uid, found.st_gid, found.st_mode & 0o7777)
        return [*([] if same else ["its content differs"]), *([] if owned == self.owned else [f"it has {owned}"])]

    def diff(self) -> dict[str, str]:
        """Return the existing and the wanted state as Ansible shows them, with texts only of world-readable files."""
        shown = {"before_header": str(self.path), "after_header": str(self.path)}
        before = self.path.read_bytes() if self.path.exists() else b""
        is_public = self.owned.mode & (self.path.stat().st_mode if self.path.exists() else -1) & 0o004
        if is_public and before != self.content:
            return {**shown, "before": before.decode(errors="replace"), "after": self.content.decode()}
        return {**shown, "before": f"{', '.join(self.differences())}\n", "after": f"{self.owned}\n"}

    def write(self) -> None:
        """Write the file, and create missing directories."""
        disk.make_directories(self.path.parent)
        disk.replace(self.path, self.content, self.owned.mode, (self.owned.uid, self.owned.gid))


def parse_files(entries: t.Sequence[t.Mapping[str, t.Any]], absent: t.Sequence[str] = ()) -> list[Wanted]:
    """Check a user's files, and the paths of files to remove; report every mistake at once."""
    problems = [
        Problem(f"absent[{at}]", shown(path), f"{path!r} is not the absolute path of a file")
        for at, path in enumerate(absent)
        if not path.startswith("/") or pathlib.Path(path).is_dir()
    ]
    wanted: list[Wanted] = []
    for at, entry in enumerate(entries):
        place = _Place(f"files[{at}]", entry, problems)
        dest, mode = str(entry["dest"]), str(entry["mode"])
        if not dest.startswith("/") or dest.endswith("/"):
            place.wrong("dest", f"{dest!r} is not the absolute path of a file")
        if dest in [str(other["dest"]) for other in entries[:at]]:
            place.wrong("dest", f"{dest!r} is listed twice")
        if dest in absent:
            place.wrong("dest", f"{dest!r} is also in absent")
        bits = int(mode, 8) if _MODE.fullmatch(mode) else None
        if bits is None:
            place.wrong("mode", f"{entry['mode']!r} is not a mode such as '0640', in quotes")
        elif bits & 0o007 and _KEY.search(entry["content"]):
            place.wrong("mode", f"{bits:04o} would make its private key world-readable")
        uid = place.found("owner", "user", lambda name: pwd.getpwnam(name).pw_uid)
        gid = place.found("group", "group", lambda name: grp.getgrnam(name).gr_gid)
        wanted.append(Wanted(pathlib.Path(dest), entry["content"].encode(), Owned(uid, gid, bits or 0)))
    if problems:
        raise ProblemsError(problems)
    return wanted


@dataclasses.dataclass(frozen=True)
class _Place:
    """One entry of the user's, and the list that its problems go to."""

    path: str
    entry: t.Mapping[str, t.Any]
    problems: list[Problem]

    def wrong(self, key: str, why: str) -> None:
        self.problems.append(Problem(f"{self.path}.{key}", shown(self.entry[key]), why))

    def found(self, key: str, kind: str, look_up: t.Callable[[str], int]) -> int:
        """The number of a user or group."""
        name = self.entry[key]
        try:
            return int(name) if name.isdecimal() else look_up(name)
        except KeyError:
            self.wrong(key, f"there is no {kind} {name!r} on this node")
            return -1
