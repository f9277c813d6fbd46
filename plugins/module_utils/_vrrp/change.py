# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing a new keepalived.conf into service, or leaving the old one in it."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import ChangeFailed
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.scripts import Scripts

Action = t.Literal["nothing", "start", "reload"]


@dataclass(frozen=True)
class Outcome:
    """What was, or in check mode would be, done."""

    action: Action
    before: str
    scripts: t.Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The text before and after of every script that changed."""
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def deploy(daemon: Keepalived, path: Path, content: str, scripts: Scripts, check_mode: bool) -> Outcome:
    """Write the scripts, stage, check, switch, reload and prove; restore everything if the check or the proof fails.

    ``PATH.previous`` exists from the switch until the proof. An interrupted run leaves it behind, which shows the next
    run that the daemon may not know the text yet.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    previous = path.with_name(f"{path.name}.previous")
    pid = daemon.pid()
    changes = scripts.changes()
    is_proven = not previous.exists() and not scripts.are_unproven
    if content == before and pid and not changes and is_proven:
        return Outcome("nothing", before)
    # The last reload dropped missing scripts, so a new one needs another reload.
    action: Action = "reload" if pid else "start"
    if check_mode:
        remarks, warnings = _preview(daemon, path, content, scripts)
        return Outcome(action, before, changes, remarks, warnings)
    existed = path.exists()
    remarks = _switch(daemon, path, content, scripts)
    try:
        if pid:
            running_text = previous.read_text(encoding="utf-8") if previous.exists() else before
            daemon.reload(pid, running_text, remarks)
        else:
            daemon.start(content)
    except ChangeFailed as error:
        scripts.restore()
        if not existed:
            path.unlink()
        raise ChangeFailed(f"{error} {_restore(daemon, path, previous, content)}", **error.details) from error
    previous.unlink(missing_ok=True)
    scripts.settle()
    return Outcome(action, before, changes, remarks)


def _preview(daemon: Keepalived, path: Path, content: str, scripts: Scripts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The remarks of the check on a text in check mode, and the reason if the check was impossible."""
    if not daemon.installed:
        return (), ("keepalived is not installed yet and could not check the text.",)
    if scripts.missing:
        missing = ", ".join(scripts.missing)
        return (), (f"keepalived could not check the text, because these scripts are missing yet: {missing}.",)
    with _staged(path, content) as staged:
        return tuple(daemon.check(staged, path)), ()


def _switch(daemon: Keepalived, path: Path, content: str, scripts: Scripts) -> tuple[str, ...]:
    """Install scripts and text, or nothing if keepalived rejects the text."""
    previous = path.with_name(f"{path.name}.previous")
    try:
        scripts.write()
        with _staged(path, content) as staged:
            remarks = daemon.check(staged, path)
            if not path.exists():
                staged.replace(path)
            elif path.read_text(encoding="utf-8") != content:
                if not previous.exists():
                    os.link(path, previous)
                staged.replace(path)
    except BaseException:
        scripts.restore()
        raise
    return tuple(remarks)


def _restore(daemon: Keepalived, path: Path, previous: Path, content: str) -> str:
    """Restore the previous text; return the outcome as a sentence."""
    if not previous.exists():
        return f"There is no earlier {path} to restore."
    previous.replace(path)
    try:
        pid = daemon.pid()
        if pid:
            daemon.reload(pid, content)
        else:
            daemon.start(path.read_text(encoding="utf-8"))
    except ChangeFailed as error:
        return f"The earlier {path} was restored, but keepalived does not run with it either: {error}"
    return f"The earlier {path} was restored and is in service."


def _staged(path: Path, content: str) -> t.ContextManager[Path]:
    """The text beside ``path``, so that relative includes mean the same and the switch is one rename."""
    disk.make_directories(path.parent)
    return disk.staged(path, content.encode(), 0o640)
