# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was observed of a request, in the form of ``expect``: it is met when the same comes again. Pure.

What changes from one request to the next is left out: whose turn it is in a pool, and headers with a time, a number of
the request or a random value.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import (
    ANSWERED,
    STAND_IN,
    STAND_IN_HEADERS,
    Answer,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Request
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.judge import LONGEST_BODY
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

Observed = dict[str, t.Any]
Headers = t.Iterable[tuple[str, str]]

# Those of one connection (RFC 9110, section 7.6.1) and of the length of a body, and those that curl adds.
_OF_CONNECTIONS = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
_UNTOLD = (*_OF_CONNECTIONS, "content-length")
_OF_CURL = ("accept", "user-agent")
_ANSWERED = {name.lower(): value for name, value in STAND_IN_HEADERS}
# What only says when (RFC 9110, sections 6.6.1 and 8.8.2; RFC 9111, section 5).
_TIMES = ("date", "age", "expires", "last-modified")
# Samples (Configuration Manual, section 7.3) and variables of log formats (8.2.6) with another value each time.
_CHANGING = re.compile(
    r"\[(?:date|rand|uuid|unique-id|src_port|pid|hostname|uptime|thread|nbproc|cpu_|\w*_(?:rate|cnt|conn|queue)|be_|fe_|srv_)"
    r"|%(?:\{[^}]*\})?(?:\[?ID|pid|cp|bp|sp|rt|lc|H|[tT]|[Tt]s|ms|T[aAcdDhiIqrRtuUw]|Tr?l?|tr|trg|trl|ac|fc|bc|sc|rc|bq|sq)\b"
)
_SETS = re.compile(r"(?:set|add|replace)-header")


def observed(
    request: Request, answers: t.Sequence[Answer], turns: t.Mapping[str, int], changing: t.Collection[str] = ()
) -> Observed:
    """What all answers to a request have in common, and the servers that gave them where that is no matter of chance.

    ``turns`` tells after how many requests each server of a backend has had its turn, of backends where that is
    known. ``changing`` are names of headers, in small letters, whose value is another one each time.
    """
    facts = common([_facts(request, answer, turns.get(answer.backend) == 1, changing) for answer in answers])
    servers = list(dict.fromkeys(answer.server for answer in answers))
    turn = turns.get(facts.get("backend", ""))
    if turn and all(servers) and (turn == 1 or len(answers) >= 2 * turn):
        facts["server"] = servers[0] if len(servers) == 1 else sorted(servers)
    return facts


def common(found: t.Sequence[Observed]) -> Observed:
    """What several observations have in common; nothing if their connections ended in different ways."""
    first, *others = found
    if any(other.get("connection") != first.get("connection") for other in others):
        return {}
    return {key: value for key, value in _shared(first, others).items() if value not in ({}, [])}


def changing_headers(sections: t.Iterable[Section]) -> set[str]:
    """The names, in small letters, of headers that a configuration gives another value each time."""
    found: set[str] = set()
    for line in (line for section in sections for line in section.lines):
        if line[0] == "unique-id-header":
            found.update(line[1:2])
        for at, word in enumerate(line[:-1]):
            if _SETS.fullmatch(word) and _CHANGING.search(" ".join(line[at + 2 :])):
                found.add(line[at + 1])
    return {name.lower() for name in found}


def _shared(first: Observed, others: t.Sequence[Observed]) -> Observed:
    shared: Observed = {}
    for key, value in first.items():
        if any(key not in other for other in others):
            continue
        if isinstance(value, dict):
            shared[key] = _shared(value, [other[key] for other in others])
        elif key.startswith("without_"):
            shared[key] = [name for name in value if all(name in other[key] for other in others)]
        elif all(other[key] == value for other in others):
            shared[key] = value
    return shared


def _facts(request: Request, answer: Answer, is_sole: bool, changing: t.Collection[str]) -> Observed:
    """What came of one answer; ``is_sole``: no other server could have given it."""
    reply = answer.reply
    facts: Observed = {} if reply.connection == ANSWERED else {"connection": reply.connection}
    if answer.hops:
        facts["frontend"] = answer.hops[-1].frontend
    if answer.backend:
        facts["backend"] = answer.backend
    if reply.status:
        facts["status"] = reply.status
    if request.http == "2" and reply.http:
        facts["http"] = reply.http
    server = "" if is_sole else answer.server
    got = _told(reply.headers, (*_TIMES, *changing, *([] if is_sole else ["set-cookie"])), server)
    if location := got.pop("location", ""):
        facts["location"] = location
    if answer.visit and answer.visit.request:
        sent = {"host": request.authority, **{name.lower(): value for name, value in request.headers}}
        added = [name for name in _OF_CURL if request.http == "2" and name not in sent]
        if answer.visit.target != request.target:
            facts["target"] = answer.visit.target
        asked = _told(answer.visit.headers, (*added, *changing), server)
        facts["request_headers"] = {name: value for name, value in asked.items() if sent.get(name) != value}
        names = {name.lower() for name, _value in answer.visit.headers}
        facts["without_request_headers"] = [name for name in sent if name not in names and name not in _UNTOLD]
        got = {name: value for name, value in got.items() if _ANSWERED.get(name) != value}
        came = {name.lower() for name, _value in reply.headers}
        facts["without_response_headers"] = [name for name in _ANSWERED if name not in came]
    elif reply.status:
        facts["body"] = _longest_line(reply.body)
    facts["response_headers"] = got
    if reply.certificate and reply.certificate.names and STAND_IN not in reply.certificate.names:
        facts["certificate"] = {"names": list(reply.certificate.names)}
    return {key: value for key, value in facts.items() if value}


def _told(headers: Headers, unwanted: t.Collection[str], server: str) -> dict[str, str]:
    """The headers that an expectation can hold, with names in small letters; not those that name the server."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    told = {name: ", ".join(values) for name, values in found.items() if name not in (*_UNTOLD, *unwanted)}
    return {
        name: value
        for name, value in told.items()
        if value and not CONTROL.search(value) and not _is_secret(name, value) and not (server and server in value)
    }


def _is_secret(name: str, value: str) -> bool:
    line = f"{name}: {value}"
    return masked(line) != line


def _longest_line(body: str) -> str:
    """The line that tells most of a short answer."""
    lines = [line.strip() for line in body.splitlines()]
    longest = max(lines, key=len, default="")
    return longest if len(longest) <= LONGEST_BODY and not CONTROL.search(longest) else ""
