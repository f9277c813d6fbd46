# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Large arguments of modules, packed for the way to the node. Pure.

Ansible pipes a module with its arguments to Python, which reads a program from a pipe byte by byte, and that takes a
second for two megabytes. Configurations repeat themselves, so there is little left of them.
"""

from __future__ import annotations

import base64
import json
import typing as t
import zlib


def pack(data: t.Any) -> str:
    """Data of JSON types as a short text."""
    return base64.b64encode(zlib.compress(json.dumps(data).encode())).decode("ascii")


def unpack(text: str) -> t.Any:
    """The data again; raises ValueError or zlib.error for any other text."""
    return json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
