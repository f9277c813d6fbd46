# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what came is what was expected. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import (
    ANSWERED,
    STAND_IN,
    Answer,
    header,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import (
    Certificate,
    Expectation,
    Expected,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem


@dataclasses.dataclass(frozen=True)
class Failure(Problem):
    """An expectation that was not met, in one ``key`` of it; ``way`` is the way the request took."""

    key: str = ""
    expected: str = ""
    got: str = ""
    way: str = ""

    @classmethod
    def of(cls, told: t.Mapping[str, str]) -> Failure:
        """The failure that ``as_dict`` has told."""
        return cls(**{field.name: told[field.name] for field in dataclasses.fields(cls)})


class Fact(t.NamedTuple):
    """What came, for one key of an expectation."""

    key: str
    expected: str
    got: str
    is_met: bool


NOTHING = "nothing"
LONGEST_BODY = 80  # characters of it that a failure shows


def judge(expectation: Expectation, answers: t.Sequence[Answer]) -> list[Failure]:
    """Every way in which the answers to an expectation's request differ from it, each once."""
    failures: dict[Failure, None] = {}
    for answer in answers:
        if answer.visit and answer.visit.problem:
            failures[_failure(expectation, Fact("request", "a rehearsal", answer.visit.problem, False), answer)] = None
            continue
        for fact in facts(expectation.expected, answer):
            if not fact.is_met:
                failures[_failure(expectation, fact, answer)] = None
        for fact in facts(expectation.unwanted, answer, by_default=False):
            if fact.is_met:
                unwanted = fact._replace(key=f"not.{fact.key}", expected=f"not {fact.expected}")
                failures[_failure(expectation, unwanted, answer)] = None
    if answers and expectation.request.times > 1:
        asked = {answer.server for answer in answers} | {f"{answer.backend}/{answer.server}" for answer in answers}
        for name in expectation.expected.server:
            if name not in asked:
                got = ", ".join(sorted({answer.server or NOTHING for answer in answers}))
                failures[_failure(expectation, Fact("server", f"{name}, too", got, False), answers[-1])] = None
    return list(failures)


def unjudged(expectation: Expectation, answers: t.Sequence[Answer]) -> list[str]:
    """What was expected and cannot be judged: a certificate that is not on the host that rehearses."""
    is_asked = expectation.expected.certificate or expectation.unwanted.certificate
    shown = [answer.reply.certificate.names for answer in answers if answer.reply.certificate]
    return ["certificate"] if is_asked and any(STAND_IN in names for names in shown) else []


def facts(expected: Expected, answer: Answer, *, by_default: bool = True) -> t.Iterator[Fact]:
    """What of an answer was asked for. ``by_default`` an answer is expected if nothing is said of the connection."""
    reply = answer.reply
    if expected.connection or by_default:
        wanted = expected.connection or ANSWERED
        yield Fact("connection", wanted, str(reply), wanted == reply.connection)
        if by_default and wanted != reply.connection:
            return  # All else follows from it.
    yield from _places(expected, answer)
    if expected.status:
        yield Fact("status", str(expected.status), str(reply.status or NOTHING), expected.status == reply.status)
    if expected.target:
        asked = answer.visit.target if answer.visit else ""
        yield Fact("target", expected.target, asked or NOTHING, asked == expected.target)
    if expected.location:
        location = reply.header("location")
        yield Fact("location", expected.location, location or NOTHING, location == expected.location)
    sent = answer.visit.headers if answer.visit else ()
    yield from _headers("request_headers", expected.request_headers, expected.without_request_headers, sent)
    yield from _headers("response_headers", expected.response_headers, expected.without_response_headers, reply.headers)
    if expected.body:
        yield Fact("body", expected.body, reply.body[:LONGEST_BODY] or NOTHING, expected.body in reply.body)
    if expected.http:
        yield Fact("http", expected.http, reply.http or NOTHING, expected.http == reply.http)
    if expected.certificate:
        yield from _certificate(expected.certificate, reply.certificate)


def _places(expected: Expected, answer: Answer) -> t.Iterator[Fact]:
    """Where the request went."""
    frontends = [hop.frontend for hop in answer.hops]
    if service := expected.service:
        got = answer.backend or ", ".join(frontends) or NOTHING
        # A service without a backend answers in its frontend.
        yield Fact("service", service, got, is_of_service(service, answer.backend, frontends))
    if expected.frontend:
        yield Fact("frontend", expected.frontend, ", ".join(frontends) or NOTHING, expected.frontend in frontends)
    if expected.backend:
        yield Fact("backend", expected.backend, answer.backend or NOTHING, expected.backend == answer.backend)
    if expected.server:
        is_met = bool({answer.server, f"{answer.backend}/{answer.server}"} & set(expected.server))
        yield Fact("server", " or ".join(expected.server), answer.server or NOTHING, is_met)


def is_of_service(service: str, backend: str, frontends: t.Iterable[str]) -> bool:
    """Whether a backend, or else a frontend, is that of a service, by the names that the role gives them."""
    if backend:
        return backend in (service, f"{service}-back")
    return any(name == service or name.startswith((f"{service}-front-", f"{service}-redirect-")) for name in frontends)


def _headers(
    key: str, wanted: t.Iterable[tuple[str, str]], unwanted: t.Iterable[str], found: tuple[tuple[str, str], ...]
) -> t.Iterator[Fact]:
    for name, value in wanted:
        got = header(found, name)
        yield Fact(f"{key}.{name}", f"{name}: {value}", f"{name}: {got}" if got is not None else NOTHING, got == value)
    for name in unwanted:
        got = header(found, name)
        yield Fact(f"without_{key}", f"no {name}", f"{name}: {got}" if got is not None else NOTHING, got is None)


def _certificate(wanted: Certificate, found: Certificate | None) -> t.Iterator[Fact]:
    names, issuer = (found.names, found.issuer) if found else ((), "")
    if STAND_IN in names:
        return  # It says nothing of the one in whose place it is shown.
    if wanted.names:
        is_met = set(wanted.names) <= set(names)
        yield Fact("certificate.names", ", ".join(wanted.names), ", ".join(names) or NOTHING, is_met)
    if wanted.issuer:
        yield Fact("certificate.issuer", wanted.issuer, issuer or NOTHING, wanted.issuer == issuer)


def _failure(expectation: Expectation, fact: Fact, answer: Answer) -> Failure:
    why = f"{fact.key.partition('.')[0]}: expected {fact.expected}, got {fact.got}; the way: {answer.way}"
    return Failure(
        f"{expectation.path}.expect.{fact.key}" if fact.key != "request" else f"{expectation.path}.request",
        repr(fact.expected),
        why,
        "",
        expectation.name,
        fact.key,
        fact.expected,
        fact.got,
        answer.way,
    )
