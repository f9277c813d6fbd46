# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases on a host: directories under releases/, a link to the current one, and a link per file."""

from __future__ import annotations

import grp
import json
import os
import re
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import acquire
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION, ID, Release, digest
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Files = t.Mapping[str, bytes]

ORIGINAL = "original"
_NAME = re.compile(rf"{ID.pattern}|{ORIGINAL}|edited-{ID.pattern}")
_SECRETS = ".secrets"  # what to hide when this release is the old side of a difference
_JOURNAL = ".journal"
UNREADABLE = "unreadable"
_REMEMBERED = 20  # releases; more than anybody stores


class Runtime(t.TypedDict):
    """A worker that commands brought to a release other than the one that it was started with and reports."""

    worker: int  # its process
    description: str  # of the release it was started with
    release: str


@dataclass(frozen=True)
class Journal:
    """The record of the release that HAProxy should run. It is beside the releases and replaced atomically."""

    history: list[str] = field(default_factory=list)  # the releases as they came into use, the last is in use
    pending: str | None = None  # the release of an interrupted run
    back: bool = False  # whether that run was going back
    rolled_back: bool = False  # whether the last run that ended was
    runtime: Runtime | None = None
    unjudged: str | None = None  # the release that is being watched, or was when its run was interrupted

    @classmethod
    def read(cls, text: str) -> Journal:
        """Read it; ValueError if it is invalid. Fields of later versions are ignored."""
        data = json.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get("history"), list):
            raise ValueError("not a journal")
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})

    @property
    def before(self) -> str | None:
        """The release to go back to: the previous one, or the one in use after an interrupted rollback.

        A run that was cut off is gone back from; a way back that was cut off is finished.
        """
        if self.pending is not None:
            return self.pending if self.back else next(reversed(self.history), None)
        if self.rolled_back:
            return next(reversed(self.history), None)
        return self.history[-2] if len(self.history) > 1 else None


class ReleaseStore:
    """The releases on disk. Every method leaves whole releases behind, even if it is interrupted.

    ``CONFIG_DIR/NAME -> current/NAME``, ``CONFIG_DIR/current -> releases/ID``.
    """

    def __init__(self, config_dir: Path, group: str = "haproxy") -> None:
        self.config_dir = config_dir
        self.releases = config_dir / "releases"
        self.pointer = config_dir / "current"
        self._group = group

    # Reading

    @property
    def current(self) -> str | None:
        """The name of the release behind the link, None if the link is dangling."""
        if not self.pointer.is_symlink():
            return None
        target = self.config_dir / self.pointer.readlink()
        return target.name if target.parent == self.releases and target.is_dir() else None

    def names(self) -> list[str]:
        """All releases, newest first. Other files in the directory are not ours."""
        if not self.releases.is_dir():
            return []
        ours = [path for path in self.releases.iterdir() if _NAME.fullmatch(path.name) and _is_directory(path)]
        return [path.name for path in sorted(ours, key=lambda path: path.stat().st_mtime_ns, reverse=True)]

    def read(self, name: str | None) -> dict[str, bytes]:
        """The files of a release; empty if it does not exist."""
        directory = self.releases / (name or "")
        if name is None or not directory.is_dir():
            return {}
        return {
            path.name: path.read_bytes()
            for path in directory.iterdir()
            if path.is_file() and not path.name.startswith(".")
        }

    def running(self, pid: int, description: str) -> Release | None:
        """The release that a worker runs: the one that commands brought it to, or the one in its description."""
        brought, names = self.journal.runtime, self.names()
        if brought and (brought["worker"], brought["description"]) == (pid, description):
            name = brought["release"]
            return Release(name, self.read(name)) if name in names else None
        # Only files from elsewhere may have any description.
        named = [name for name in names if name in description] or [name for name in names if not ID.fullmatch(name)]
        releases = (Release(name, self.read(name)) for name in named)
        return next((release for release in releases if release.description == description), None)

    def is_edited(self, name: str) -> bool:
        """Whether the configuration of a release changed since it was staged."""
        release = self.releases / name
        return (release / CONFIGURATION).stat().st_mtime_ns > (release / _SECRETS).stat().st_mtime_ns

    def secrets(self, name: str | None) -> list[str]:
        """The secrets of a release."""
        path = self.releases / (name or "") / _SECRETS
        return json.loads(path.read_text()) if name is not None and path.is_file() else []

    def linked(self) -> set[str]:
        """The links to the current release. Only these are ever removed."""
        if not self.config_dir.is_dir():
            return set()
        return {path.name for path in self.config_dir.iterdir() if self._is_link(path)}

    def live(self, names: t.Iterable[str]) -> dict[str, bytes]:
        """The files that HAProxy would read under these names and the linked ones."""
        paths = (self.config_dir / name for name in {*names, *self.linked()})
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def loose(self, names: t.Iterable[str]) -> list[str]:
        """The names that are not our links."""
        return sorted(name for name in names if not self._is_link(self.config_dir / name))

    def foreign(self, names: t.Iterable[str]) -> dict[str, bytes]:
        """Files from elsewhere at the paths of our links."""
        paths = (self.config_dir / name for name in self.loose(names))
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def obstacles(self, names: t.Iterable[str]) -> list[Problem]:
        """Directories at the paths of our links, which are never replaced."""
        paths = (self.config_dir / name for name in [*names, self.pointer.name])
        return [
            Problem(str(path), "", "it is a directory", "Move it away; a link belongs there.")
            for path in paths
            if _is_directory(path)
        ]

    # Writing

    @contextmanager
    def lock(self, timeout: float) -> Iterator[None]:
        """Let one apply run at a time. The lock is on the directory itself, so no file remains."""
        if not self.config_dir.is_dir():
            yield
            return
        handle = os.open(self.config_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            acquire(handle, self.config_dir, timeout, str(self.config_dir))
            yield
        finally:
            os.close(handle)

    def tidy(self) -> None:
        """Remove the partial files of an interrupted run."""
        disk.tidy(self.config_dir)
        disk.tidy(self.releases)

    def stage(self, files: Files, secrets: t.Sequence[str] = ()) -> Path:
        """Write a tree that nothing refers to yet."""
        gid = self._gid()
        if not self.releases.is_dir():
            self.releases.mkdir(parents=True)
            _open_to_group(self.releases, gid)
        staging = Path(tempfile.mkdtemp(prefix=disk.NEW, dir=self.releases))
        try:
            for name, content in files.items():
                disk.write(staging / name, content, 0o640, (-1, gid))
            disk.write(staging / _SECRETS, json.dumps(list(secrets)).encode(), 0o600)
            _open_to_group(staging, gid)
            disk.sync(staging)
        except OSError:
            shutil.rmtree(staging)
            raise
        return staging

    def commit(self, staging: Path, name: str) -> None:
        """Give a staged tree its name. A tree of this name is replaced unless it is current."""
        if name == self.current:
            raise ValueError(f"{name} is current and cannot be replaced")
        if (self.releases / name).is_dir():
            shutil.rmtree(self.releases / name)
        staging.rename(self.releases / name)
        disk.sync(self.releases)

    def switch(self, name: str | None) -> None:
        """Make a release the current one atomically. None removes the link, as before the first run."""
        if name is None:
            self.pointer.unlink(missing_ok=True)
        else:
            disk.link(self.pointer, f"{self.releases.name}/{name}")
        disk.sync(self.config_dir)

    def add_links(self, names: t.Iterable[str]) -> None:
        """Link these names to the current release. The links may be dangling until the switch."""
        for name in self.loose(names):
            disk.link(self.config_dir / name, f"{self.pointer.name}/{name}")
        disk.sync(self.config_dir)

    def remove_links(self) -> None:
        """Remove the links that are dangling since the switch."""
        for name in self.linked():
            if not (self.config_dir / name).exists():
                (self.config_dir / name).unlink()
        disk.sync(self.config_dir)

    def adopted_name(self, names: t.Iterable[str], wanted: str, contents: Files) -> str | None:
        """Name the files that HAProxy would read now if they are in no release: from elsewhere, or edited."""
        current = self.read(self.current)
        found = self._found(names)
        edited = self.current == wanted and found != dict(contents)
        if not found or (found == current and not edited):
            return None
        return ORIGINAL if self.current is None and ORIGINAL not in self.names() else f"edited-{digest(found)}"

    def adopt(self, names: t.Collection[str], name: str) -> None:
        """Store the files that HAProxy would read now as a release for a rollback, and make it current."""
        found = self._found(names)
        self.commit(self.stage(found, self.secrets(self.current)), name)
        self._note(replace(self.journal, history=_with(self.journal.history, name, back=False)))
        self.switch(name)
        self.add_links(found)

    def prune(self, keep: int, protected: t.Collection[str | None]) -> None:
        """Remove the least needed releases: those that a rollback left, then the oldest.

        The user's own files are never removed.
        """
        ran = list(dict.fromkeys(reversed(self.journal.history)))
        for name in [*ran, *(name for name in self.names() if name not in ran)][keep:]:
            if name != ORIGINAL and name not in protected:
                shutil.rmtree(self.releases / name)

    def discard(self, name: str) -> None:
        """Remove a release that does not run, as far as possible: leftovers do no harm."""
        if name == self.current:
            raise ValueError(f"{name} is current and cannot be removed")
        shutil.rmtree(self.releases / name, ignore_errors=True)

    # History

    @property
    def journal(self) -> Journal:
        """The record of the last run's action, done or planned."""
        names, path = self.names(), self.releases / _JOURNAL
        try:
            journal = Journal.read(path.read_text())
        except FileNotFoundError:
            journal = Journal(history=names[::-1])
        except (ValueError, TypeError):  # a change by hand, or a broken disk: like an interrupted run
            journal = Journal(history=names[::-1], pending=UNREADABLE)
        return replace(journal, history=[name for name in journal.history if name in names])

    def begin(self, name: str, *, back: bool) -> None:
        """Record that from now until the proof HAProxy may run a release other than that on the disk."""
        self._note(replace(self.journal, pending=name, back=back))

    def finish(self, name: str, *, back: bool, runtime: Runtime | None, is_watched: bool = False) -> None:
        """Record that HAProxy runs this release, how it came to, and whether real traffic is yet to judge it."""
        history, unjudged = _with(self.journal.history, name, back), name if is_watched else None
        self._note(Journal(history, rolled_back=back, runtime=runtime, unjudged=unjudged))

    def judged(self) -> None:
        """Record that no release waits to be judged."""
        self._note(replace(self.journal, unjudged=None))

    def abandon(self) -> None:
        """Record that HAProxy runs what it ran before."""
        self._note(replace(self.journal, pending=None, back=False))

    def _note(self, journal: Journal) -> None:
        disk.replace(self.releases / _JOURNAL, json.dumps(asdict(journal)).encode(), 0o600)
        disk.sync(self.releases)

    def _found(self, names: t.Iterable[str]) -> dict[str, bytes]:
        return {**self.read(self.current), **self.foreign(names)}

    def _is_link(self, path: Path) -> bool:
        return path.is_symlink() and str(path.readlink()) == f"{self.pointer.name}/{path.name}"

    def _gid(self) -> int:
        if os.geteuid() != 0:
            return -1
        try:
            return grp.getgrnam(self._group).gr_gid
        except KeyError:
            return -1


def _with(history: list[str], name: str, back: bool) -> list[str]:
    """The history after a release came into use. A rollback drops the later ones."""
    if back and name in history:
        return history[: history.index(name) + 1]
    return history if history[-1:] == [name] else [*history[-_REMEMBERED:], name]


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _open_to_group(directory: Path, gid: int) -> None:
    if gid != -1:
        os.chown(directory, -1, gid)
    directory.chmod(0o750)
