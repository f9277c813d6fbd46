# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network namespaces for tests, in which keepalived finds the interfaces and addresses of a node."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import typing as t
import uuid

import pytest


@contextlib.contextmanager
def network_namespace(*commands: str) -> t.Iterator[str]:
    """The name of a new namespace, set up by these commands of ``ip``, which is gone afterwards."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and ip")
    # Not by the number of this process: one that was killed may have left its namespace, and numbers come again.
    name = f"lbforge-{uuid.uuid4().hex[:12]}"
    try:
        for command in (f"netns add {name}", *(f"-n {name} {command}" for command in commands)):
            subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
