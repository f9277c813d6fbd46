# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers to ``show stat`` and ``show info`` with the types that their values have. Pure.

HAProxy Management Guide, sections 9.1, "CSV format", and 9.2, "Typed output format".
"""

from __future__ import annotations

import csv
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import Fields

Value = t.Union[str, int, float, None]
Row = Fields[Value]

# A proxy may be called 0815, so these never become numbers. Fields of later versions are typed by their form.
TEXTS = (
    *("pxname", "svname", "status", "tracked", "addr", "cookie", "mode", "algo"),
    *("check_status", "check_desc", "last_chk", "agent_status", "agent_desc", "last_agt"),
    *("agg_server_status", "agg_server_check_status", "agg_check_status"),
)
KINDS = {"0": "frontend", "1": "backend", "2": "server", "3": "listener"}

_INTEGER = re.compile(r"-?\d+")
_TYPED = re.compile(r"\d+\.(?P<name>.+?)\.\d+:\w+:(?P<type>\w+):(?P<value>.*)")


def parse_stats(text: str, columns: t.Collection[str] = ()) -> list[Row]:
    """Read the CSV of ``show stat``: a dict of fields for each frontend, backend, server and listener.

    Of thousands of rows, a few ``columns`` are read much faster than all. The JSON of the same data takes HAProxy a
    hundred times longer.
    """
    header, *lines = text.lstrip("# \n").splitlines() or [""]
    places = [
        (place, field)
        for place, field in enumerate(header.split(","))
        if field not in ("", "-") and (not columns or field in columns)
    ]
    return [
        Fields((field, _value(field, values[place])) for place, field in places if place < len(values))
        for values in csv.reader(line for line in lines if line)
    ]


def parse_typed_info(text: str) -> Row:
    """Read the answer to ``show info typed``."""
    rows = (_TYPED.fullmatch(line) for line in text.splitlines())
    return Fields((row["name"], _typed(row["type"], row["value"])) for row in rows if row)


def _value(field: str, value: str) -> Value:
    if value == "" or (field == "lastsess" and value == "-1"):  # -1: there was none
        return None
    if field == "type":
        return KINDS.get(value, value)
    return int(value) if field not in TEXTS and _INTEGER.fullmatch(value) else value


def _typed(kind: str, value: str) -> Value:
    if kind == "flt":
        return float(value)
    return value if kind == "str" else int(value)
