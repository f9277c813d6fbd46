# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors in VRRP data or of keepalived, for the messages of modules."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError


class VrrpError(ProblemsError):
    """The data does not describe working VRRP instances; all reasons are in it."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(problems, f"{count} in the keepalived data:", separator=" ")


class CheckRefused(LbforgeError):
    """``keepalived -t`` does not accept the text."""


class ChangeFailed(LbforgeError):
    """The text was accepted, but the daemon did not take it; the text before it is back in place."""


class NoState(LbforgeError):
    """A running keepalived does not report its state."""


class ProbeRefused(LbforgeError):
    """The probing cannot begin."""
