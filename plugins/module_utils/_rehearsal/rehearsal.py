# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rehearsal: run a configuration with all that it needs in private namespaces, and send requests to it."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Configuration, parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal import client
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import STAND_IN, Answer, Hop, Reply
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.certificates import Authority
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.cookies import Cookies
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import (
    CLIENT_IPV4,
    Expectation,
    Given,
    Request,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.judge import Failure, judge, unjudged
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.observed import changing_headers, observed
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.private_files import PrivateFiles
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.private_haproxy import PrivateHAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import lines
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.stage import has_all_users, perform
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.stand_ins import StandIns
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.surroundings import Endpoint, Surroundings
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import escaped
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import one_of
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError, shown
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked_data

SYSTEM_AUTHORITIES = Path("/etc/ssl/certs")
_PAUSE = 0.05  # seconds


@dataclasses.dataclass(frozen=True)
class Trial:
    """A configuration and the expectations to rehearse.

    ``files`` replace those on the host, and one of them may be the configuration itself. ``addresses`` has the
    addresses of names in URLs, such as the VIP of a name; ``patience`` is in seconds.
    """

    configuration: Path
    files: t.Mapping[Path, bytes]
    expectations: t.Sequence[Expectation]
    addresses: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    binary: str = "haproxy"
    patience: float = 60

    @functools.cached_property
    def sections(self) -> Configuration:
        """The configuration."""
        return parse(self._text(self.configuration))

    def read(self, name: str) -> str:
        """A file that the configuration names, such as a map; empty if it is not there."""
        path = Path(name)
        return self._text(path) if path in self.files or path.is_file() else ""

    def _text(self, path: Path) -> str:
        content = self.files.get(path)
        return (path.read_bytes() if content is None else content).decode(errors="replace")


def rehearse(trial: Trial, *, names_must_exist: bool = True) -> dict[str, t.Any]:
    """Rehearse, and return the result of each expectation, in their order, as plain data.

    Raises LbforgeError if that is impossible, and ProblemsError if expectations name unknown servers.
    """
    around = Surroundings(trial.sections)
    unknown = [problem for expectation in trial.expectations for problem in unknown_names(expectation, around)]
    if unknown and names_must_exist:
        raise ProblemsError(unknown)
    if around.oddities:
        raise LbforgeError("This configuration cannot be rehearsed: " + " ".join(around.oddities))
    interface = "".join(around.interfaces)
    result: dict[str, t.Any] = perform(
        lambda: _Rehearsal(trial, around, changing_headers(trial.sections)).run(),
        trial.patience,
        "" if interface == "lo" else interface,
    )
    return result


def prove(trial: Trial, consequence: str = "") -> dict[str, t.Any]:
    """Rehearse, and return the results; if an expectation is not met, raise a ProblemsError with them as details.

    ``consequence`` continues the first sentence of the error.
    """
    found = rehearse(trial)
    failed = [case for case in found["results"] if not case["passed"]]
    found = {**found, "failures": len(failed), "lines": lines(found["results"])}
    if failed:
        problems = [Failure.of(failure) for case in failed for failure in case["failures"]]
        heading = f"{len(failed)} of {len(found['results'])} expectations are not met{consequence}:"
        raise ProblemsError(problems, heading, bullet="  ", **found)
    return found


def unknown_names(expectation: Expectation, around: Surroundings) -> t.Iterator[Problem]:
    """The servers that an expectation names and that the configuration does not have."""
    for key in ("down", "drained", "maintenance"):
        for word in getattr(expectation.given, key):
            if not around.named([word]):
                yield _unknown(expectation, f"given.{key}", word, "a server, or the address of one")
    for step in expectation.steps:
        for what, expected in (("expect", step.expected), ("expect.not", step.unwanted)):
            for word in expected.server:
                if not any(word in (pooled.name, pooled.line.name) for pooled in around.named([word])):
                    yield _unknown(expectation, f"{what}.server", word, "a server", step.path)
    for name, _entries in expectation.given.maps:
        if not around.map_files(name):
            known = around.map_files()
            hint = one_of(known) if known else "This configuration reads none."
            why = f"{name!r} is not a map or a file of an ACL of this configuration"
            yield Problem(f"{expectation.path}.given.maps", shown(name), why, hint, expectation.name)


def _unknown(expectation: Expectation, key: str, word: str, what: str, path: str = "") -> Problem:
    why = f"{word!r} is not {what} of this configuration"
    place = f"{path or expectation.path}.{key}"
    return Problem(place, shown(word), why, "Write its name, or BACKEND/NAME.", expectation.name)


class _Rehearsal:
    """The part of a rehearsal within the namespaces."""

    def __init__(self, trial: Trial, around: Surroundings, changing: t.Collection[str]) -> None:
        self._trial = trial
        self._around = around
        self._changing = changing
        self._files = PrivateFiles()
        self._authority = self._made_authority()
        self._missing: list[str] = []
        # By themselves, and not by those that they track.
        self._checked = [
            pooled.name for pooled in around.servers if pooled.line.is_checked and not pooled.line.options.has("track")
        ]
        # Until HAProxy has started, stand-ins see nothing but health checks.
        self._hops: t.Callable[[], tuple[Hop, ...]] = tuple

    def run(self) -> dict[str, t.Any]:
        self._put_files()
        around = self._around
        endpoints = dict.fromkeys(endpoint for pooled in around.servers for endpoint in pooled.endpoints)
        self._stand_ins = StandIns(list(endpoints), self._authority, around.names_on_certificates, self._way)
        self._haproxy = PrivateHAProxy(
            self._trial.binary, self._trial.configuration, self._files.home, self._trial.patience
        )
        self._end_checks()
        self._hops = self._haproxy.hops
        results: dict[int, dict[str, t.Any]] = {}
        # Group expectations by their given state, those without one first, so that few states have to be changed.
        numbered = sorted(enumerate(self._trial.expectations), key=lambda pair: dataclasses.astuple(pair[1].given))
        for given, group in itertools.groupby(numbered, key=lambda pair: pair[1].given):
            undo = self._begin(given)
            self._turns = self._haproxy.turns()
            for number, expectation in group:
                results[number] = self._result(expectation)
            undo()
        return {"results": [results[number] for number in sorted(results)], "stand_in_certificates": self._missing}

    def _made_authority(self) -> Authority | None:
        if not self._around.has_tls:
            return None
        directory = self._files.home / "authority"
        directory.mkdir(0o700)
        return Authority(directory)

    # What is around it.

    def _put_files(self) -> None:
        around, files = self._around, self._files
        for directory in around.directories:
            files.directory(Path(directory))
        for log in around.log_sockets:
            # A socket in the file system is reachable from every network namespace.
            files.hide(Path(log))
        for path, content in self._trial.files.items():
            files.put(path, content)
        if around.addresses:
            lines = "".join(f"{address} {name}\n" for name, address in around.addresses.items())
            files.put(Path("/etc/hosts"), f"127.0.0.1 localhost\n{lines}".encode(), 0o644)
            files.put(Path("/etc/nsswitch.conf"), b"passwd: files\ngroup: files\nhosts: files\n", 0o644)
        self._enlist("passwd", around.users, "{name}:x:0:0::/:/bin/false\n")
        self._enlist("group", around.groups, "{name}:x:0:\n")
        self._certify()

    def _enlist(self, file: str, names: t.Sequence[str], line: str) -> None:
        """Add missing users or groups, as other names of root."""
        path = Path("/etc", file)
        known = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        if has_all_users():
            names = [name for name in names if not any(entry.startswith(f"{name}:") for entry in known)]
        if names:
            others = [entry for entry in known if entry.partition(":")[0] not in names]
            text = "".join([*others, *(line.format(name=name) for name in names)])
            self._files.put(path, text.encode(), 0o644)

    def _certify(self) -> None:
        if not (authority := self._authority):
            return
        around = self._around
        of_clients = [*around.authorities_of_clients, *self._listed("ca-file", "ca-verify-file")]
        unknown = [name for name in of_clients if name.startswith("/") and not Path(name).exists()]
        # HAProxy then trusts the stand-ins and the clients of the rehearsal, besides the authorities of before.
        for name in dict.fromkeys([*around.authorities_of_servers, *of_clients]):
            path = SYSTEM_AUTHORITIES / "rehearsal.pem" if name.startswith("@") else Path(name)
            self._append(path, authority.certificate)
        for name in dict.fromkeys([*around.revocation_lists, *self._listed("crl-file")]):
            self._append(Path(name), authority.revocations)
        missing = [name for name in self._certificate_files() if not Path(name).exists()]
        if missing:
            pem = authority.pem(STAND_IN)
            for name in missing:
                self._files.put(Path(name), pem)
        self._missing = [*missing, *dict.fromkeys(unknown)]

    def _append(self, path: Path, content: bytes) -> None:
        """Let a file have more in it, and be there."""
        there = path.read_bytes() + b"\n" if path.is_file() else b""
        self._files.put(path, there + content, 0o644)

    def _certificate_files(self) -> list[str]:
        found = [name for name in self._around.certificates if name.startswith("/")]
        found += [words[0] for words in self._lines_of_lists() if words[0].startswith("/")]
        return list(dict.fromkeys(found))

    def _listed(self, *keywords: str) -> list[str]:
        """The files that the lines of certificate lists name behind some keywords."""
        return [after for words in self._lines_of_lists() for word, after in zip(words, words[1:]) if word in keywords]

    def _lines_of_lists(self) -> list[list[str]]:
        """The words of the lines of certificate lists, without brackets: Configuration Manual, section 5.1."""
        paths = [path for path in map(Path, self._around.certificate_lists) if path.exists()]
        lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
        return [words for line in lines if (words := re.sub(r"[][]", " ", line).split())]

    # Requests.

    def _begin(self, given: Given) -> t.Callable[[], None]:
        """Put servers into the state that an expectation defines; return a function that undoes it."""
        around = self._around
        down, drained, maintained = map(around.named, (given.down, given.drained, given.maintenance))
        endpoints = dict.fromkeys(endpoint for pooled in down for endpoint in pooled.endpoints)
        names = {pooled.name for pooled in down}
        closed = [endpoint for endpoint in endpoints if all(pooled.name in names for pooled in around.at(endpoint))]
        failed = [pooled for pooled in down if pooled.name in self._checked]
        for endpoint in closed:
            self._stand_ins.close(endpoint)
        self._haproxy.tell(f"set server {pooled.name} health down" for pooled in failed)
        self._haproxy.tell(f"set server {pooled.name} state drain" for pooled in drained)
        self._haproxy.tell(f"set server {pooled.name} state maint" for pooled in maintained)
        forget = self._remember(given)

        def undo() -> None:
            for endpoint in closed:
                self._stand_ins.open(endpoint)
            self._haproxy.tell(f"set server {pooled.name} health up" for pooled in failed)
            self._haproxy.tell(f"set server {pooled.name} state ready" for pooled in (*drained, *maintained))
            self._haproxy.tell(forget)

        return undo

    def _remember(self, given: Given) -> list[str]:
        """Let maps and ACLs have further entries; return the commands that make them what they were."""
        undo: list[str] = []
        for name, entries in given.maps:
            for path in self._around.map_files(name):
                kind, there = self._haproxy.patterns(path)
                if any(bool(value) != (kind == "map") for _key, value in entries):
                    form = "a map: give it keys with values" if kind == "map" else "a file of an ACL: give it a list"
                    raise LbforgeError(f"given.maps: {path} is {form}.")
                target = f"{kind} {escaped(path)}"
                for key, value in entries:
                    place = f"{target} {escaped(key)}"
                    if key not in there:
                        self._haproxy.tell([f"add {place} {escaped(value)}" if kind == "map" else f"add {place}"])
                        undo.append(f"del {place}")
                    elif kind == "map":
                        self._haproxy.tell([f"set {place} {escaped(value)}"])
                        undo.append(f"set {place} {escaped(there[key])}")
        return undo

    def _end_checks(self) -> None:
        """Leave all servers up, and without checks, which only the real servers could answer.

        A check in progress could be mistaken for a request, and its failure would take its server down.
        """
        self._haproxy.tell(f"disable health {name}" for name in self._checked)
        at_stand_ins = {pooled.name for pooled in self._around.servers if pooled.endpoints}
        deadline = time.monotonic() + self._trial.patience
        self._stand_ins.hang_up()
        while at_stand_ins.intersection(self._haproxy.checked()):
            if time.monotonic() > deadline:
                raise LbforgeError(f"The health checks of HAProxy did not end within {self._trial.patience:g} s.")
            time.sleep(_PAUSE)
            self._stand_ins.hang_up()
        down = set(self._checked).intersection(self._haproxy.down())
        self._haproxy.tell(f"set server {name} health up" for name in down)

    def _result(self, expectation: Expectation) -> dict[str, t.Any]:
        answers = self._answers(expectation)
        failures = judge(expectation, answers)
        last = answers[-1][-1]
        return {
            "name": expectation.name,
            "passed": not failures,
            "unjudged": unjudged(expectation, answers),
            "request": ", then ".join(step.request.words for step in expectation.steps),
            "connection": last.reply.connection,
            "status": last.reply.status,
            "backend": last.backend,
            "servers": list(dict.fromkeys(answer.server for step in answers for answer in step if answer.server)),
            "way": last.way,
            "observed": observed(expectation.steps[-1].request, answers[-1], self._turns, self._changing),
            # A configuration may give a server a password.
            "failures": [masked_data(failure.as_dict()) for failure in failures],
        }

    def _answers(self, expectation: Expectation) -> list[list[Answer]]:
        self._haproxy.forget()
        cookies = Cookies() if expectation.keeps_cookies else None
        answers = []
        for number, step in enumerate(expectation.steps):
            if number:
                self._haproxy.forget_counts()
            answers.append([self._answer(step.request, cookies) for _time in range(step.request.times)])
        return answers

    def _answer(self, request: Request, cookies: Cookies | None) -> Answer:
        address = self._address(request)
        self._stand_ins.visits()
        certificate = None
        if request.certificate and self._authority:
            certificate = self._authority.of_client(request.certificate)
        reply = client.ask(cookies.added(request) if cookies else request, address, certificate)
        if cookies:
            cookies.keep(request, reply)
        # A visit without a session in HAProxy is a health check.
        visits = [visit for visit in self._stand_ins.visits() if visit.hops]
        visit = visits[-1] if visits else None
        found = self._around.binds_at(address, request.port)
        hops = visit.hops if visit else self._own_hops(reply, [bind.proxy for bind in found])
        return Answer(reply, visit, hops, f"bind {found[0]}" if found else f"{address}:{request.port}")

    def _own_hops(self, reply: Reply, frontends: list[str]) -> tuple[Hop, ...]:
        """The way to an answer of HAProxy itself, from the counters of frontends and backends."""
        if reply.connection == "refused" or not frontends:
            return ()
        counted, backends = self._haproxy.passed(self._around.reachable(frontends))
        way = [name for name in counted if name in frontends] or frontends[:1]
        way += [name for name in counted if name not in way]
        # A backend whose server is another frontend is part of the way, too.
        last = [name for name in backends if name not in way]
        hops = [Hop(name) for name in way]
        return (*hops[:-1], Hop(way[-1], last[-1] if last else ""))

    def _way(self, endpoint: Endpoint) -> tuple[Hop, ...]:
        """The frontends and servers on the way of the request that a stand-in has received; the stand-in is last."""
        at = {(pooled.pool, pooled.line.name) for pooled in self._around.at(endpoint)}
        return tuple(sorted(self._hops(), key=lambda hop: (hop.backend, hop.server) in at))

    def _address(self, request: Request) -> str:
        if request.to:
            return request.to
        if is_ip(request.host):
            return request.host
        if address := self._trial.addresses.get(request.host):
            return address
        return self._around.address_for(request.port) or CLIENT_IPV4
