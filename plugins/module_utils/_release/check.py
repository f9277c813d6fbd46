# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let HAProxy check a release before anything of it is in place."""

from __future__ import annotations

import os
import re
import tempfile
import typing as t
import zlib
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import state_file
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import (
    Message,
    alerts,
    parse_messages,
    warning,
    warnings,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.states import NO_STATES
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release

# Owned by root, and in memory: private keys never reach a disk, and do not outlive a reboot.
SCRATCH = Path("/run")


class Checker:
    """Runs ``haproxy -c`` on a private copy of the configuration directory as it will be.

    The copy holds the files of the release, the wanted certificates beside those that are there, and links to
    everything else. Paths into the two directories are rewritten in the copied files, so absolute paths in users' own
    lines find the new files too, also on the very first run.
    """

    def __init__(self, binary: str | None, store: ReleaseStore, certificate_dir: Path, scratch: Path = SCRATCH) -> None:
        self._binary = binary
        self._store = store
        self._certificate_dir = certificate_dir
        self._scratch = scratch if os.access(scratch, os.W_OK) else Path(tempfile.gettempdir())
        # The holder of a directory's lock finds the copies of its killed runs, and only those.
        self._prefix = f"haproxy-check-{zlib.crc32(os.fsencode(store.config_dir)):08x}-"

    def tidy(self) -> None:
        """Remove the copy of a run that was killed: it holds private keys."""
        disk.tidy(self._scratch, self._prefix)

    def check(self, release: Release, certificates: t.Mapping[str, bytes]) -> list[Message]:
        """Return HAProxy's warnings; a rejection is an error."""
        if self._binary is None:
            return [warning("HAProxy is not installed yet, so the configuration was not checked.")]
        config_dir = self._store.config_dir
        with tempfile.TemporaryDirectory(prefix=self._prefix, dir=self._scratch) as name:
            root = Path(name)
            copies = {config_dir: root / "config", self._certificate_dir: root / "certificates"}
            self._copy(release, certificates, copies)
            result = run([self._binary, "-W", "-c", "-f", str(copies[config_dir] / CONFIGURATION)])
        output = f"{result.stdout}\n{result.stderr}"
        for real, copy in copies.items():
            output = output.replace(str(copy), str(real))
        messages = parse_messages(output, release.texts[CONFIGURATION], str(config_dir / CONFIGURATION))
        if result.code != 0:
            raise _refusal(alerts(messages), output)
        return warnings(messages)

    def _copy(self, release: Release, certificates: t.Mapping[str, bytes], copies: dict[Path, Path]) -> None:
        config_dir, certificate_dir = self._store.config_dir, self._certificate_dir
        config, store = copies[config_dir], copies[certificate_dir]
        ours = {*self._store.linked(), *release.contents, self._store.pointer.name}
        if certificate_dir.parent == config_dir:
            ours.add(certificate_dir.name)
        _mirror(config_dir, config, ours)
        _mirror(certificate_dir, store, certificates)
        if certificate_dir.parent == config_dir:
            (config / certificate_dir.name).symlink_to(store)
        (config / self._store.pointer.name).symlink_to(".")
        moves = {**copies, **self._without_states(release, config.parent)}
        for name, text in release.texts.items():
            disk.write(config / name, rewritten(text, moves).encode(), 0o600)
        for name, content in certificates.items():
            disk.write(store / name, content, 0o600)

    def _without_states(self, release: Release, root: Path) -> dict[Path, Path]:
        """Drop the state file, which matters only to the next worker; HAProxy would warn of a missing one."""
        if (path := state_file(release.sections)) is None:
            return {}
        disk.write(root / "states", NO_STATES.encode(), 0o600)
        return {Path(path): root / "states"}


def rewritten(text: str, moves: t.Mapping[Path, Path]) -> str:
    """Rewrite paths into the moved directories, but not longer names with the same prefix."""
    targets = {str(old): str(new) for old, new in moves.items()}
    longest_first = "|".join(re.escape(old) for old in sorted(targets, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])(?:{longest_first})(?![\w.~-])", lambda match: targets[match[0]], text)


def _mirror(real: Path, copy: Path, without: t.Container[str]) -> None:
    copy.mkdir()
    for path in real.iterdir() if real.is_dir() else ():
        if path.name not in without:
            (copy / path.name).symlink_to(path)


def _refusal(found: list[Message], output: str) -> LbforgeError:
    heading = "HAProxy rejects the configuration; nothing was changed:"
    if not found:
        return LbforgeError(f"{heading}\n  {output.strip()}")
    return ProblemsError(found, heading, bullet="  ")
