# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the programs of the host."""

from __future__ import annotations

import os
import subprocess
import types
import typing as t


class Result(t.NamedTuple):
    """The result of a program. As in a shell, 127 means a missing program and 124 a timeout."""

    code: int
    stdout: str
    stderr: str


def run(
    command: t.Sequence[str],
    *,
    text: str = "",
    timeout: float | None = None,
    environment: t.Mapping[str, str] = types.MappingProxyType({}),
) -> Result:
    """Run a program from the root directory, where systemd runs services, with messages in English.

    ``text`` is its standard input, ``timeout`` is in seconds, ``environment`` is added to this process's own.
    """
    try:
        # run_command belongs to AnsibleModule, which this room does not know.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            input=text.encode(),
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        return Result(127, "", f"{command[0]}: no such program")
    except subprocess.TimeoutExpired:
        return Result(124, "", f"{command[0]} did not end within {timeout:g} s")
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def start(command: t.Sequence[str], output: t.IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program that goes on beside this one, from the root directory. ``output`` takes all that it prints."""
    return subprocess.Popen(  # pylint: disable=ansible-bad-function
        command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )
