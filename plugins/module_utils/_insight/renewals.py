# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that nodes should have ordered or shared, but have not."""

from __future__ import annotations

import re
import textwrap
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.expiry import days_until, remaining

Data = t.Mapping[str, t.Any]

_LONGEST_REASON = 300
# certbot's report on a challenge: its first domain, with the ACME server's finding.
_CHALLENGE = re.compile(r"Domain: (?P<domain>\S+) Type: \S+ Detail: (?P<detail>.+?)(?= Hint: | Domain: |$)")


@dataclass(frozen=True)
class Trouble:
    """A problem with a certificate, its nodes and reason; ``days`` are left of the served certificate."""

    what: str
    name: str
    names: tuple[str, ...]
    hosts: tuple[str, ...]
    days: int | None = None
    tried: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """A readable line, in the form of an expiry's."""
        days = "" if self.days is None else f", {remaining(self.days)}"
        tried = f", tried at {self.tried}" if self.tried else ""
        reason = f": {self.reason}" if self.reason else ""
        names = ", ".join(self.names)
        return f"{self.what:>16}  {self.name} ({names}) on {', '.join(self.hosts)}{days}{tried}{reason}"


def troubles(hosts: t.Mapping[str, Data], now: float) -> list[Trouble]:
    """The problems: certificates that were never ordered first, then those with the fewest days left.

    ``hosts`` has what ``haproxy-acme status`` says on each node; ``now`` is in seconds since 1970.
    """
    answers: dict[str, dict[str, Data]] = {}
    for host, status in hosts.items():
        for name, said in status["certificates"].items():
            answers.setdefault(name, {})[host] = said
    found = [trouble for name, by_host in answers.items() for trouble in _Certificate(name, by_host, now).troubles()]
    # Missing certificates come before those with few days left.
    return sorted(found, key=lambda each: (each.days is not None, each.days or 0, each.name, each.what, each.hosts))


class _Certificate:
    """The reports of all nodes about one certificate."""

    def __init__(self, name: str, answers: dict[str, Data], now: float) -> None:
        self.name = name
        self.answers = answers
        newest = max(answers.values(), key=_age)
        self.age = _age(newest)
        self.names = tuple(newest["domains"])
        self.days = days_until(newest["not_after"], now) if "not_after" in newest else None

    def troubles(self) -> t.Iterator[Trouble]:
        failed = self._failures()
        what = "ORDER FAILED" if self.days is None else "RENEWAL FAILED"
        for reason, hosts in failed.items():
            tried = max(self.answers[host]["last_attempt"] for host in hosts)
            yield self._trouble(what, hosts, tried=tried, reason=reason)
        if self.days is not None:
            for reason, hosts in self._missing().items():
                yield self._trouble("NOT DELIVERED", hosts, reason=reason)
        elif not failed:
            yield self._trouble("NEVER ORDERED", list(self.answers))

    def _trouble(self, what: str, hosts: list[str], tried: str = "", reason: str = "") -> Trouble:
        return Trouble(what, self.name, self.names, tuple(hosts), self.days, tried, reason)

    def _failures(self) -> dict[str, list[str]]:
        """The failed nodes by reason. A failure before another node's success no longer counts."""
        success = max(
            (said["last_attempt"] for said in self.answers.values() if said.get("last_result") == "ok"), default=""
        )
        failures: dict[str, list[str]] = {}
        for host, said in self.answers.items():
            if said.get("last_result") == "failed" and said["last_attempt"] > success:
                failures.setdefault(shorten(said["last_error"]), []).append(host)
        return failures

    def _missing(self) -> dict[str, list[str]]:
        """The nodes without the newest certificate, by reason. Their senders report those that do not answer."""
        refused: dict[str, str] = {}
        for said in self.answers.values():
            if _age(said) == self.age:
                refused.update(said.get("undelivered", {}))
        lacking = [host for host, said in self.answers.items() if _age(said) < self.age]
        missing: dict[str, list[str]] = {}
        for host in [*lacking, *sorted(refused.keys() - self.answers.keys())]:
            missing.setdefault(shorten(refused.get(host, "")), []).append(host)
        return missing


def shorten(error: str) -> str:
    """The useful part of certbot's output."""
    error = " ".join(error.split())
    challenge = _CHALLENGE.search(error)
    words = f"{challenge['domain']}: {challenge['detail']}" if challenge else error
    return textwrap.shorten(words, _LONGEST_REASON, placeholder=" …")


def _age(said: Data) -> tuple[str, str]:
    """The sort key by which nodes choose the newer certificate."""
    return str(said.get("not_before", "")), str(said.get("serial", ""))
