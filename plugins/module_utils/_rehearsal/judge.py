# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare results with expectations. Pure."""

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
    Step,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem


@dataclasses.dataclass(frozen=True)
class Failure(Problem):
    """One ``key`` of an expectation that is not met; ``way`` is the way of the request."""

    key: str = ""
    expected: str = ""
    got: str = ""
    way: str = ""

    @classmethod
    def of(cls, told: t.Mapping[str, str]) -> Failure:
        """A failure from the result of ``as_dict``."""
        return cls(**{field.name: told[field.name] for field in dataclasses.fields(cls)})


class Fact(t.NamedTuple):
    """The result for one key of an expectation."""

    key: str
    expected: str
    got: str
    is_met: bool


NOTHING = "nothing"
LONGEST_BODY = 80  # characters of it that a failure shows


#: the answers to the request of each step
Answers = t.Sequence[t.Sequence[Answer]]


def judge(expectation: Expectation, answers: Answers) -> list[Failure]:
    """All differences between an expectation and the answers to its requests, each once."""
    failures: dict[Failure, None] = {}
    before: Answer | None = None
    for step, its_answers in zip(expectation.steps, answers):
        for answer in its_answers:
            for fact in _unmet(step, answer, before):
                failures[_failure(expectation, step, fact, answer)] = None
            before = answer
        if its_answers and step.request.times > 1:
            for fact in _idle(step, its_answers):
                failures[_failure(expectation, step, fact, its_answers[-1])] = None
    return list(failures)


def _unmet(step: Step, answer: Answer, before: Answer | None) -> t.Iterator[Fact]:
    """The facts of one answer that are not as expected."""
    if answer.visit and answer.visit.problem:
        yield Fact("request", "a rehearsal", answer.visit.problem, False)
        return
    for fact in (*facts(step.expected, answer), *_compared(step.expected, answer, before)):
        if not fact.is_met:
            yield fact
    for fact in (*facts(step.unwanted, answer, by_default=False), *_compared(step.unwanted, answer, before)):
        if fact.is_met:
            yield fact._replace(key=f"not.{fact.key}", expected=f"not {fact.expected}")


def _compared(expected: Expected, answer: Answer, before: Answer | None) -> t.Iterator[Fact]:
    """Whether the server is the one that was asked before."""
    if before and expected.same_server is not None:
        last, now = f"{before.backend}/{before.server}", f"{answer.backend}/{answer.server}"
        wanted = (before.server or NOTHING) if expected.same_server else f"another one than {before.server or NOTHING}"
        is_met = bool(answer.server) and (last == now) == expected.same_server
        yield Fact("same_server", wanted, answer.server or NOTHING, is_met)


def _idle(step: Step, answers: t.Sequence[Answer]) -> t.Iterator[Fact]:
    """The expected servers that were not asked at all."""
    asked = {answer.server for answer in answers} | {f"{answer.backend}/{answer.server}" for answer in answers}
    for name in step.expected.server:
        if name not in asked:
            got = ", ".join(sorted({answer.server or NOTHING for answer in answers}))
            yield Fact("server", f"{name}, too", got, False)


def unjudged(expectation: Expectation, answers: Answers) -> list[str]:
    """The expected keys that cannot be judged: a certificate that the rehearsing host does not have."""
    for step, its_answers in zip(expectation.steps, answers):
        is_asked = step.expected.certificate or step.unwanted.certificate
        shown = [answer.reply.certificate.names for answer in its_answers if answer.reply.certificate]
        if is_asked and any(STAND_IN in names for names in shown):
            return ["certificate"]
    return []


def facts(expected: Expected, answer: Answer, *, by_default: bool = True) -> t.Iterator[Fact]:
    """The results for all expected keys. With ``by_default``, an expectation without a connection expects an answer."""
    reply = answer.reply
    if expected.connection or by_default:
        wanted = expected.connection or ANSWERED
        yield Fact("connection", wanted, str(reply), wanted == reply.connection)
        if by_default and wanted != reply.connection:
            return  # The other keys would only repeat it.
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
    """The service, frontend, backend and server of the request."""
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


def _failure(expectation: Expectation, step: Step, fact: Fact, answer: Answer) -> Failure:
    key = f"{step.path}.{fact.key}".replace(f"{expectation.path}.", "", 1)
    why = f"{fact.key.partition('.')[0]}: expected {fact.expected}, got {fact.got}; the way: {answer.way}"
    return Failure(
        f"{step.path}.expect.{fact.key}" if fact.key != "request" else f"{step.path}.request",
        repr(fact.expected),
        why,
        "",
        expectation.name,
        key,
        fact.expected,
        fact.got,
        answer.way,
    )
