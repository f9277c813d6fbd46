# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds texts in files, and says who can read those files. Runs on this machine and on the nodes.

    searcher.py SINCE AREA... <TEXTS

looks through all files below the areas that were written since then (seconds), and prints a JSON list of path, line,
text and readers. The texts come by standard input, as they are secret.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pathlib
import pwd
import stat
import subprocess
import sys
import typing as t

# Not files of this machine: the kernel's, and those of the nodes.
SKIPPED = {"/proc", "/sys", "/var/lib/containers"}
FILES_AT_ONCE = 1000


def files(area: str, since: float) -> t.Iterator[pathlib.Path]:
    for directory, names, found in os.walk(area):
        names[:] = [name for name in names if f"{directory}/{name}" not in SKIPPED]
        for name in found:
            path = pathlib.Path(directory, name)
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and max(status.st_mtime, status.st_ctime) >= since:
                    yield path


def search(paths: t.Sequence[pathlib.Path], texts: bytes) -> t.Iterator[tuple[str, int, str]]:
    """Path, line and text of everything that is found."""
    for start in range(0, len(paths), FILES_AT_ONCE):
        command = ["grep", "--fixed-strings", "--text", "--only-matching", "--no-messages", "--null"]
        command += [
            "--with-filename",
            "--line-number",
            "--file=-",
            "--",
            *map(str, paths[start : start + FILES_AT_ONCE]),
        ]
        answer = subprocess.run(command, input=texts, stdout=subprocess.PIPE, check=False)
        for line in answer.stdout.decode(errors="replace").splitlines():
            path, _null, rest = line.partition("\0")
            number, _colon, text = rest.partition(":")
            yield path, int(number), text


def readers(path: pathlib.Path, area: pathlib.Path) -> list[str]:
    """All users but root who can read a file, as far as the directories from the area on let them."""
    directories = [directory for directory in path.parents if directory == area or area in directory.parents]
    steps = [step.stat() for step in (path, *directories)]
    return [user.pw_name for user in pwd.getpwall() if user.pw_uid and may(user, steps)]


def may(user: pwd.struct_passwd, steps: t.Sequence[os.stat_result]) -> bool:
    groups = {user.pw_gid, *(group.gr_gid for group in grp.getgrall() if user.pw_name in group.gr_mem)}
    wanted = [stat.S_IROTH, *[stat.S_IXOTH] * (len(steps) - 1)]
    shifts = [6 if step.st_uid == user.pw_uid else 3 if step.st_gid in groups else 0 for step in steps]
    return all(step.st_mode >> shift & bit for step, shift, bit in zip(steps, shifts, wanted))


def main(since: str, *areas: str) -> None:
    texts = sys.stdin.buffer.read()
    found = []
    for area in areas:
        for path, line, text in search(list(files(area, float(since))), texts):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, line, text, readers(pathlib.Path(path), pathlib.Path(area))))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
