# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keywords that begin a section of HAProxy's configuration: Configuration Manual, chapters 3 to 12."""

from __future__ import annotations

SECTIONS = (
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "http-errors",
    "cache",
    "ring",
    "program",
    "log-forward",
    "log-profile",
    "fcgi-app",
    "crt-store",
    "traces",
    "acme",
)

#: the first HAProxy that knows a section, if newer than the oldest supported one
SINCE = {"crt-store": (3, 0), "log-profile": (3, 1), "traces": (3, 1), "acme": (3, 2)}
