# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of another program as named fields, which another version may lack."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

V = t.TypeVar("V")


class MissingFieldError(LbforgeError):
    """The answer of a program lacks a required column or field."""

    def __init__(self, field: str, program: str = "A program", command: str = "") -> None:
        asked = f" '{command}'" if command else ""
        super().__init__(f"{program} answers{asked} without {field!r}, so the answer cannot be read.")
        self.field = field


class Fields(dict[str, V]):
    """A row or an object of an answer; a field that it lacks is a MissingFieldError, never a KeyError."""

    def __missing__(self, field: str) -> t.NoReturn:
        raise MissingFieldError(field)


@contextmanager
def answer_of(program: Callable[[], str], command: str) -> Iterator[None]:
    """Name the program, with its version where that is known, and the command in errors about missing fields."""
    try:
        yield
    except MissingFieldError as error:
        raise MissingFieldError(error.field, program(), command) from error
