# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one family of exceptions that modules and filters turn into a message for the user."""

from __future__ import annotations

import typing as t


class LbforgeError(Exception):
    """Something the user has to know about: a sentence, and the facts behind it.

    A module ends with ``module.fail_json(msg=str(error), **error.details)``, so the keys of
    ``details`` are return values and must be JSON types.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.details = details
