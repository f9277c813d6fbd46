# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of this host that decide whether keepalived can run a text."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import typing as t
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.links import links
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.state import version
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import (
    Address,
    File,
    Host,
    Interface,
    Subject,
    to_address,
)

# Marks that container engines and systemd leave inside.
_CONTAINER_MARKS = ("/run/systemd/container", "/run/.containerenv", "/.dockerenv")
_SCRIPT_USER = "keepalived_script"


@dataclass(frozen=True)
class HostFacts:
    """Gathers a ``Host``. Without ``is_ready``, files and directories may still come, so a missing one is unknown."""

    daemon: Keepalived
    path: Path
    is_ready: bool

    def gather(self, subject: Subject, coming: t.Container[str] = ()) -> Host:
        """``coming`` are the paths of files that are still to be written, whatever is there now."""
        return Host(
            version=self._version(),
            links=self._links(),
            cpus=len(os.sched_getaffinity(0)),
            is_container=any(Path(mark).exists() for mark in _CONTAINER_MARKS),
            can_balance=_can_balance(),
            has_script_user=_has_account(_SCRIPT_USER),
            files={path: file for path, file in self._files(subject).items() if path not in coming},
            virtual=self._virtual(),
        )

    def _version(self) -> tuple[int, ...]:
        if not self.daemon.installed:
            return ()
        _rc, out, err = self.daemon.run([self.daemon.binary, "--version"])
        return tuple(int(part) for part in (version(out + err) or "").split(".") if part)

    def _links(self) -> dict[str, tuple[Interface, ...]]:
        """The links; empty on a host without the program ip."""
        if not shutil.which("ip"):
            return {}
        rc, out, _err = self.daemon.run(["ip", "-json", "address"])
        return {} if rc else {link.interface: tuple(map(ip_interface, link.addresses)) for link in links(out)}

    def _files(self, subject: Subject) -> dict[str, File]:
        sections = subject.root.all("track_file", "vrrp_track_file")
        paths = {command.words[0] for command in subject.commands if command.words}
        paths |= {section.value("file").rpartition("/")[0] for section in sections}
        found = {path: look_at(path) for path in paths if path.startswith("/")}
        for statement in subject.root.walk():
            if statement.keyword.startswith("include"):
                # A relative name is one beside the file that includes it.
                found[statement.name] = look_at(str(self.path.parent / statement.name))
        return {path: file for path, file in found.items() if file.is_found or self.is_ready}

    def _virtual(self) -> frozenset[Address]:
        """All virtual addresses of the text in service and its includes."""
        texts = [_read(self.path), _read(self.path.with_name(f"{self.path.name}.previous"))]
        for text in texts[:]:
            patterns = [statement.name for statement in _root(text).walk() if statement.keyword.startswith("include")]
            absolute = [str(self.path.parent / pattern).lstrip("/") for pattern in patterns]
            texts += [_read(found) for pattern in absolute for found in Path("/").glob(pattern)]
        blocks = ("virtual_ipaddress", "virtual_ipaddress_excluded")
        entries = (e for text in texts for s in _root(text).walk() if s.keyword in blocks for e in s.body)
        addresses = (to_address(entry.keyword) for entry in entries)
        return frozenset(address for address in addresses if address)


def look_at(path: str) -> File:
    """The facts of a path and of every directory above it."""
    link = next((str(part) for part in reversed(Path(path).parents) if part.is_symlink()), "")
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError):  # the latter is a loop of links
        return File(is_found=False, link=link)
    flaws = (_flaw(part) for part in [*reversed(real.parents), real])
    return File(is_executable=os.access(real, os.X_OK), flaw=next(filter(None, flaws), ""), link=link)


def _flaw(path: Path) -> str:
    """Why users other than root can change the path. In a sticky directory they cannot replace root's files."""
    found = path.stat()
    if found.st_uid:
        return f"{path} belongs to user {found.st_uid}"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""
    if found.st_mode & stat.S_IWGRP and found.st_gid:
        return f"{path} is writable by group {found.st_gid}"
    return f"{path} is world-writable" if found.st_mode & stat.S_IWOTH else ""


def _root(text: str) -> Statement:
    return Statement((), 0, parse(text))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _can_balance() -> bool:
    """Whether the kernel has the IP virtual server, or a module of it that can be loaded."""
    modules = Path("/lib/modules", os.uname().release)
    lists = (modules / "modules.dep", modules / "modules.builtin")
    return Path("/proc/net/ip_vs").exists() or any(
        "/ip_vs.ko" in path.read_text(encoding="utf-8", errors="replace") for path in lists if path.exists()
    )


def _has_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
