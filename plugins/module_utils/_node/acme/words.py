# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of haproxy-acme: changes on standard output, errors on standard error."""

from __future__ import annotations

import sys
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError


class Refused(LbforgeError):
    """A step was refused, with the reason."""


def report(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def listed(words: t.Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nobody"
