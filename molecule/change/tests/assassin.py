# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a run of haproxy_config that has begun to change this node, and kill it there and then."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import time

CONFIG_DIR = pathlib.Path("/etc/haproxy")
JOURNAL = CONFIG_DIR / "releases" / ".journal"


def holder_of_the_lock() -> int:
    """The process that has the directory open, which is what the module locks."""
    for handle in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if handle.readlink() == CONFIG_DIR:
                return int(handle.parts[2])
        except OSError:  # the process or the handle is gone already
            pass
    return 0


def is_at_work(victim: int) -> bool:
    return bool(victim) and pathlib.Path(f"/proc/{victim}").exists()


deadline = time.monotonic() + 60
victim = 0
print("ready", flush=True)
while time.monotonic() < deadline:
    if not is_at_work(victim):
        # To look through all processes takes longer than a change of a weight, and shorter than the checks before it.
        victim = holder_of_the_lock()
    elif json.loads(JOURNAL.read_text())["pending"]:
        os.kill(victim, signal.SIGKILL)
        print(f"killed {victim}")
        break
    time.sleep(0.0005)
