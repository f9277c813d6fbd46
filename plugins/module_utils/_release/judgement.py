# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is real traffic worse off after a change than before it? Pure.

A share, such as that of responses with a status of 5xx, is worse if its rise is both certain and large. Certain means:
by Fisher's exact test (one-sided), chance alone would give such a rise in fewer than ``false_alarms`` of all
judgements. The bound is shared by all comparisons of a judgement (Bonferroni), so a thousand backends raise no more
false alarms than one. The exact test is used because errors are rare: for two or three expected errors, tests that
assume a normal distribution are wrong by orders of magnitude. Large is a rise by so many percentage points, by a
factor, and of so many requests, because real errors come in bursts that no test for independent requests knows.

For times HAProxy has averages without their variance. So no test is possible, and only a multiple of the old average
counts. The average of a period follows from those at its two ends; of the requests in a period, the last 1,000 or so
determine it.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.traffic import Key, Traffic
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem

ANSWERS = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
GOOD = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_other")
TIMES = {"rtime": "the response time", "ctime": "the time to connect", "qtime": "the time in the queue"}
UP = ("UP", "no check")
DOWN = ("DOWN", "MAINT (resolution)")


@dataclass(frozen=True)
class Limits:
    """The rise that makes a change worse; rises are in percentage points."""

    false_alarms: float = 0.001  # probability for the whole judgement, if requests are independent
    min_errors: int = 10  # requests
    ratio: float = 2.5  # how many times the old share
    rise_5xx: float = 1.0
    rise_4xx: float = 10.0
    rise_connection_errors: float = 1.0
    rise_retries: float = 5.0
    min_timed: int = 200  # requests in each period
    slower_times: float = 3.0
    slower_ms: int = 200
    servers_down: float = 50.0  # percent of the servers of a backend that were up; more is worse


class Measure(t.NamedTuple):
    """A share of the requests of a frontend or backend, by columns of ``show stat``."""

    kind: str
    what: str
    bad: str
    total: tuple[str, ...]
    rise: str  # the limit
    per: int = 1  # how many counted events are one
    takes_good: bool = False  # whether good answers must also be missing


MEASURES = (
    Measure("frontend", "5xx responses", "hrsp_5xx", ANSWERS, "rise_5xx"),
    # A stranger who looks for weak pages adds 4xx responses, but takes no good ones away.
    Measure("frontend", "4xx responses", "hrsp_4xx", ANSWERS, "rise_4xx", takes_good=True),
    Measure("backend", "5xx responses", "hrsp_5xx", ANSWERS, "rise_5xx"),
    Measure("backend", "failed connections to servers", "econ", ("stot",), "rise_connection_errors"),
    # A request is retried up to three times by default.
    Measure("backend", "requests with repeated connections", "wretr", ("stot",), "rise_retries", per=3),
)


class Share(t.NamedTuple):
    """The bad requests of all."""

    bad: int
    total: int

    @property
    def percent(self) -> float:
        """The share of bad requests."""
        return 100 * self.bad / self.total

    def __str__(self) -> str:
        return f"{self.percent:.3g} % ({self.bad:,} of {self.total:,})"


class Comparison(t.NamedTuple):
    """One measure of one frontend or backend, before and after."""

    key: Key
    measure: Measure
    before: Share
    after: Share


def judge(before: Traffic, after: Traffic, limits: Limits, *, looks: int = 1, is_last: bool = True) -> list[Problem]:
    """Return what became worse.

    Who judges a growing period several times says in how many ``looks``, and which one is the last: averages and states
    of servers need the whole period.
    """
    compared = list(_comparisons(before, after))
    chance = limits.false_alarms / max(1, looks * len(compared))
    worse = [
        Problem(one.key.shown, "", f"{one.measure.what} rose from {one.before} to {one.after}")
        for one in compared
        if _is_worse(one, limits, chance)
        and not (one.measure.takes_good and _keeps_good(one.key, before, after, limits, chance))
    ]
    if is_last:
        worse += [*_slower(before, after, limits), *_servers_down(before, after, limits)]
    return worse


def fisher(bad_before: int, before: int, bad_after: int, after: int) -> float:
    """The probability that chance puts at least ``bad_after`` of all bad requests into the second period.

    Fisher's exact test, one-sided: a tail of the hypergeometric distribution.
    """
    bad, total = bad_before + bad_after, before + after
    term = math.exp(_log_choose(after, bad_after) + _log_choose(before, bad_before) - _log_choose(total, bad))
    found = 0.0
    for more in range(bad_after, min(after, bad) + 1):
        found += term
        # The next term by its ratio to this one; terms only shrink beyond the mean.
        ratio = (after - more) * (bad - more) / ((more + 1) * (before - bad + more + 1))
        if ratio < 1 and term <= found * 1e-12:
            break
        term *= ratio
    return min(found, 1.0)


def fewer(before: int, after: int, share: float) -> float:
    """The probability of at most ``after`` of all events in the second period, which has this share of the time."""
    total = before + after
    odds = math.log(share), math.log(1 - share)
    return math.fsum(
        math.exp(_log_choose(total, number) + number * odds[0] + (total - number) * odds[1])
        for number in range(after, max(-1, after - 1000), -1)
    )


def _log_choose(total: int, number: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(number + 1) - math.lgamma(total - number + 1)


def _comparisons(before: Traffic, after: Traffic) -> t.Iterator[Comparison]:
    """Every measure with requests in both periods."""
    for key in after.rows:
        for measure in MEASURES:
            if measure.kind == key.kind and key in before.rows:
                old, new = _share(measure, key, before), _share(measure, key, after)
                if old.total and new.total:
                    yield Comparison(key, measure, old, new)


def _share(measure: Measure, key: Key, traffic: Traffic) -> Share:
    total = traffic.count(key, *measure.total)
    return Share(min(math.ceil(traffic.count(key, measure.bad) / measure.per), total), total)


def _is_worse(one: Comparison, limits: Limits, chance: float) -> bool:
    before, after = one.before, one.after
    return (
        after.bad >= limits.min_errors
        and after.percent - before.percent >= getattr(limits, one.measure.rise)
        and after.percent >= before.percent * limits.ratio
        and fisher(before.bad, before.total, after.bad, after.total) <= chance
    )


def _keeps_good(key: Key, before: Traffic, after: Traffic, limits: Limits, chance: float) -> bool:
    """Whether a frontend still gives about as many good answers per second."""
    old, new = before.count(key, *GOOD), after.count(key, *GOOD)
    expected = old * after.seconds / before.seconds
    share = after.seconds / (before.seconds + after.seconds)
    return new > expected * (1 - limits.rise_4xx / 100) or fewer(old, new, share) > chance


def _slower(before: Traffic, after: Traffic, limits: Limits) -> t.Iterator[Problem]:
    for key, row in after.rows.items():
        old = before.rows.get(key)
        if key.kind != "backend" or old is None:
            continue
        enough = min(before.served(key), after.served(key)) >= limits.min_timed
        for column, what in TIMES.items():
            was, now = int(old.get(column) or 0), int(row.get(column) or 0)
            if enough and now >= was * limits.slower_times and now - was >= limits.slower_ms:
                requests = f"{before.served(key):,} and {after.served(key):,} requests"
                yield Problem(key.shown, "", f"{what} rose from {was:,} ms to {now:,} ms on average ({requests})")


def _servers_down(before: Traffic, after: Traffic, limits: Limits) -> t.Iterator[Problem]:
    backends: dict[str, dict[str, bool]] = {}
    for key, row in after.rows.items():
        old = before.rows.get(key)
        if key.kind == "server" and old is not None and str(old["status"]).startswith(UP):
            backends.setdefault(key.proxy, {})[key.name] = str(row["status"]).startswith(DOWN)
    for backend, servers in backends.items():
        down = [name for name, is_down in servers.items() if is_down]
        if 100 * len(down) > limits.servers_down * len(servers):
            why = f"{len(down)} of the {len(servers)} servers that were up went down: {', '.join(down)}"
            yield Problem(f"backend {backend}", "", why)
