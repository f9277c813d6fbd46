# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program of the host."""

from __future__ import annotations

import os
import subprocess
import typing as t


class Result(t.NamedTuple):
    """How a program ended. 127 stands for a program that is not there, as in a shell."""

    code: int
    stdout: str
    stderr: str


def run(command: list[str]) -> Result:
    """Run a program from the root directory, where systemd runs services, with messages in English."""
    try:
        # run_command is AnsibleModule's, which this room does not know.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, cwd="/", env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, check=False
        )
    except FileNotFoundError:
        return Result(127, "", f"{command[0]}: no such program")
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
