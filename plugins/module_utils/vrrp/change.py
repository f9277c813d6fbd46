# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing a new keepalived.conf into service, or leaving the old one in it."""

from __future__ import annotations

import os
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import ChangeFailed

Action = t.Literal["nothing", "start", "reload"]


@dataclass(frozen=True)
class Outcome:
    """What was, or in check mode would be, done."""

    action: Action
    before: str
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def bring_into_service(daemon: Keepalived, path: Path, content: str, check_mode: bool) -> Outcome:
    """Stage, check, switch, reload and prove; put the old text back if the proof fails.

    ``PATH.previous`` exists from the switch until the proof. A run that was cut off in between leaves it behind, which
    tells the next run that the daemon may not know the text yet.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    previous = path.with_name(f"{path.name}.previous")
    pid = daemon.pid()
    if content == before and pid and not previous.exists():
        return Outcome("nothing", before)
    action: Action = "reload" if pid else "start"
    if check_mode and not daemon.installed:
        return Outcome(action, before, warnings=("keepalived is not installed yet and could not check the text.",))
    with _staged(path, content) as staged:
        remarks = daemon.check(staged, path)
        if check_mode:
            return Outcome(action, before, tuple(remarks))
        existed = path.exists()
        if content != before:
            if existed and not previous.exists():
                os.link(path, previous)
            staged.replace(path)
    try:
        if pid:
            running_text = previous.read_text(encoding="utf-8") if previous.exists() else before
            daemon.reload(pid, running_text, remarks)
        else:
            daemon.start(content)
    except ChangeFailed as error:
        if not existed:
            path.unlink()
        raise ChangeFailed(f"{error} {_back(daemon, path, previous, content)}", **error.details) from error
    previous.unlink(missing_ok=True)
    return Outcome(action, before, tuple(remarks))


def _back(daemon: Keepalived, path: Path, previous: Path, content: str) -> str:
    """Return to the text that was in service before; says what became of it."""
    if not previous.exists():
        return f"There is no earlier {path} to go back to."
    previous.replace(path)
    try:
        pid = daemon.pid()
        if pid:
            daemon.reload(pid, content)
        else:
            daemon.start(path.read_text(encoding="utf-8"))
    except ChangeFailed as error:
        return f"The earlier {path} is back in place, but keepalived does not run with it either: {error}"
    return f"The earlier {path} is back in service."


@contextmanager
def _staged(path: Path, content: str) -> t.Iterator[Path]:
    """A file next to ``path``, so that relative includes mean the same and the switch is one rename."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o640)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield staged
    finally:
        staged.unlink(missing_ok=True)
