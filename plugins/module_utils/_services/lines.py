# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy does with a line: where it is evaluated, where it has an effect.

Sources: configuration manual, sections 4.1 (keyword matrix) and 4.2.
"""

from __future__ import annotations

import re
import typing as t

# HAProxy runs rules class by class, whatever their order in the file, and warns about files that
# pretend otherwise. ACLs come first since conditions may only name those that are known already.
EVALUATION_ORDER = (
    re.compile(r"acl\b"),
    re.compile(r"(?!acl|tcp-request|monitor\s+fail|http-request|redirect|use_backend|use-server|default_backend)"),
    re.compile(r"tcp-request\s+connection\b"),
    re.compile(r"tcp-request\s+session\b"),
    re.compile(r"tcp-request\b"),
    re.compile(r"monitor\s+fail\b"),
    re.compile(r"http-request\b"),
    re.compile(r"redirect\b"),
    re.compile(r"use_backend\b"),
    re.compile(r"use-server\b"),
    re.compile(r"default_backend\b"),
)
HTTP_ONLY = re.compile(
    r"(http-request|http-response|http-after-response|http-error|redirect|capture\s+(cookie|request|response)"
    r"|compression|http-send-name-header|monitor-uri|cookie|option\s+(forwardfor|forwarded|originalto|https?log|http-[a-z-]+"
    r"|httpclose|prefer-last-server|checkcache|accept-invalid-http-[a-z]+|disable-h2-upgrade|idle-close-on-response))\b"
)
FRONTEND_OPTIONS = {
    "accept-invalid-http-request",
    "clitcpka",
    "contstats",
    "disable-h2-upgrade",
    "dontlog-normal",
    "dontlognull",
    "h1-case-adjust-bogus-client",
    "http-ignore-probes",
    "http-use-proxy-header",
    "httplog",
    "httpslog",
    "idle-close-on-response",
    "log-separate-errors",
    "logasap",
    "socket-stats",
    "tcp-smart-accept",
    "tcplog",
}


def is_http_only(line: str) -> bool:
    return HTTP_ONLY.match(line.strip()) is not None


def is_frontend_option(option: str) -> bool:
    return option.split()[0] in FRONTEND_OPTIONS


def evaluation_rank(line: str) -> int:
    """The class of a line: the lower, the earlier HAProxy evaluates it."""
    for rank, pattern in enumerate(EVALUATION_ORDER):
        if pattern.match(line):
            return rank
    return 1


def in_evaluation_order(lines: t.Iterable[str]) -> list[str]:
    """The same lines, class by class; within a class the user's order stays."""
    return sorted((line.strip() for line in lines), key=evaluation_rank)


def for_mode(lines: t.Iterable[str], mode: str) -> list[str]:
    """Lines meant for all sections, without those that have no effect in this mode."""
    return [line for line in lines if mode == "http" or not is_http_only(line)]
