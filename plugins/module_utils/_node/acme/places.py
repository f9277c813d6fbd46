# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of haproxy-acme and its files."""

from __future__ import annotations

import pathlib

PROGRAM = pathlib.Path("/usr/local/sbin/haproxy-acme")
SETTINGS = pathlib.Path("/etc/haproxy-acme")
STATE = pathlib.Path("/var/lib/haproxy-acme")
HOST_KEYS = pathlib.Path("/etc/ssh")
