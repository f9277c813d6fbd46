# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is worse, and what is chance. The numbers come from published tables, exact fractions and simulated traffic."""

from __future__ import annotations

import math
import random
import typing as t
from fractions import Fraction

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.judgement import Limits, fewer, fisher, judge
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.traffic import Key, Sample, Traffic, between
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row

LIMITS = Limits()
FRONTEND = Key("frontend", "web", "FRONTEND")
BACKEND = Key("backend", "pool", "BACKEND")


def row(**columns: t.Any) -> Row:
    return Row({"mode": "http", "status": "UP", **columns})


def web(good: int, failed: int = 0, lost: int = 0, seconds: float = 60, **backend: t.Any) -> Traffic:
    """A frontend with one backend: good answers, 5xx and 4xx."""
    total = good + failed + lost
    answers = {"stot": total, "req_tot": total, "hrsp_2xx": good, "hrsp_5xx": failed, "hrsp_4xx": lost}
    return Traffic(seconds, {FRONTEND: row(**answers), BACKEND: row(**{**answers, **backend})})


def texts(before: Traffic, after: Traffic, limits: Limits = LIMITS) -> list[str]:
    return [str(problem) for problem in judge(before, after, limits)]


def test_the_lady_who_tastes_tea() -> None:
    """Fisher's own table: 1 in 70 for four of four, 17 in 70 for at least three."""
    assert fisher(0, 4, 4, 4) == pytest.approx(1 / 70)
    assert fisher(1, 4, 3, 4) == pytest.approx(17 / 70)


def test_the_tails_are_exact() -> None:
    chance = random.Random(1)
    for _each in range(300):
        before, after = chance.randint(1, 300), chance.randint(1, 300)
        bad_before, bad_after = chance.randint(0, before), chance.randint(0, after)
        bad, total = bad_before + bad_after, before + after
        ways = sum(math.comb(after, k) * math.comb(before, bad - k) for k in range(bad_after, min(after, bad) + 1))
        exact = float(Fraction(ways, math.comb(total, bad)))
        assert fisher(bad_before, before, bad_after, after) == pytest.approx(exact, rel=1e-6)
        third = Fraction(1, 3)
        tail = sum(math.comb(total, k) * third**k * (1 - third) ** (total - k) for k in range(after + 1))
        assert fewer(before, after, 1 / 3) == pytest.approx(float(tail), rel=1e-6, abs=1e-300)


def test_what_rose_is_named_with_its_numbers() -> None:
    assert texts(web(1990, 10), web(1700, 300)) == [
        "frontend web: 5xx responses rose from 0.5 % (10 of 2,000) to 15 % (300 of 2,000).",
        "backend pool: 5xx responses rose from 0.5 % (10 of 2,000) to 15 % (300 of 2,000).",
    ]
    assert texts(web(2000), web(2000, econ=200, wretr=600)) == [
        "backend pool: failed connections to servers rose from 0 % (0 of 2,000) to 10 % (200 of 2,000).",
        "backend pool: requests with repeated connections rose from 0 % (0 of 2,000) to 10 % (200 of 2,000).",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(web(100), web(91, 9), id="fewer errors than count"),
        pytest.param(web(100_000), web(99_100, 900), id="a rise of less than a point"),
        pytest.param(web(70_000, 30_000), web(40_000, 60_000), id="already ill"),
        pytest.param(web(20, 2), web(90, 10), id="as chance has it"),
        pytest.param(web(0), web(0, 500), id="nothing to compare with"),
        pytest.param(web(2000), web(0), id="no traffic any more"),
        pytest.param(web(500, lost=5), web(490, lost=900), id="a stranger who looks for weak pages"),
        pytest.param(web(2000, rtime=20), web(2000, rtime=150), id="slower, but fast"),
        pytest.param(web(2000, rtime=400), web(2000, rtime=1100), id="less than three times as slow"),
        pytest.param(web(199, rtime=20), web(2000, rtime=900), id="an average of few requests"),
    ],
)
def test_no_alarm(before: Traffic, after: Traffic) -> None:
    assert texts(before, after) == []


def test_a_rule_that_catches_too_much() -> None:
    """Responses of 4xx in the place of good ones, in half the time."""
    assert texts(web(1000), web(300, lost=200, seconds=30))[0] == (
        "frontend web: 4xx responses rose from 0 % (0 of 1,000) to 40 % (200 of 500)."
    )


def test_slower() -> None:
    assert texts(web(2000, rtime=20, qtime=0), web(1800, rtime=320, qtime=900)) == [
        "backend pool: the response time rose from 20 ms to 320 ms on average (2,000 and 1,800 requests).",
        "backend pool: the time in the queue rose from 0 ms to 900 ms on average (2,000 and 1,800 requests).",
    ]
    assert judge(web(2000, rtime=20), web(1800, rtime=320), LIMITS, looks=10, is_last=False) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (["UP", "UP", "UP"], ["DOWN", "UP 1/3", "UP"], []),
        (["UP", "UP", "UP"], ["DOWN", "DOWN 1/2", "UP"], ["2 of the 3 servers that were up went down: s0, s1."]),
        (["UP", "DOWN", "DOWN"], ["DOWN", "DOWN", "DOWN"], ["1 of the 1 servers that were up went down: s0."]),
        (["no check"], ["MAINT (resolution)"], ["1 of the 1 servers that were up went down: s0."]),
        (["UP"], ["MAINT"], []),
        (["UP"], ["DRAIN"], []),
        (["UP"], [], []),
    ],
)
def test_servers_down(before: list[str], after: list[str], said: list[str]) -> None:
    periods = [
        Traffic(60, {Key("server", "pool", f"s{number}"): row(status=status) for number, status in enumerate(statuses)})
        for statuses in (before, after)
    ]
    assert texts(*periods) == [f"backend pool: {sentence}" for sentence in said]


def test_limits() -> None:
    assert not texts(web(2000), web(1985, 15))
    assert texts(web(2000), web(1985, 15), Limits(rise_5xx=0.1))
    assert not texts(web(1990, 10), web(1700, 300), Limits(rise_5xx=20))


def sample(worker: int, moment: float, uptime: float, requests: int) -> Sample:
    return Sample(worker, moment, uptime, {FRONTEND: row(req_tot=requests, stot=requests)})


@pytest.mark.parametrize(
    ("later", "seconds", "requests"),
    [
        pytest.param(sample(1, 110, 60, 700), 10, 200, id="same worker"),
        pytest.param(sample(2, 110, 4, 30), 4, 30, id="another worker counts from 0"),
        pytest.param(sample(2, 110, 0, 3), 1, 3, id="in its first second"),
        pytest.param(sample(1, 110, 60, 40), 10, 40, id="somebody has cleared the counters"),
    ],
)
def test_the_traffic_between_two_samples(later: Sample, seconds: float, requests: int) -> None:
    traffic = between(sample(1, 100, 50, 500), later)
    assert (traffic.seconds, traffic.requests) == (seconds, requests)


@pytest.mark.parametrize(
    ("first", "second", "took"),
    [
        ((0, 0), (20, 314), 310),
        ((20, 302), (100, 303), 302),
        ((200, 302), (600, 301), 301),
        ((1000, 302), (1100, 409), 902),
        ((1000, 301), (1500, 675), 902),
        ((1100, 408), (2100, 831), 902),
    ],
)
def test_the_average_of_a_period(first: tuple[int, int], second: tuple[int, int], took: float) -> None:
    """HAProxy 2.6 and 3.0 showed these req_tot and rtime of a server that took 300 ms, from the 1,001st on 900 ms."""
    samples = [
        Sample(1, 0, 0, {BACKEND: row(req_tot=total, stot=total, rtime=shown)}) for total, shown in (first, second)
    ]
    assert between(*samples).rows[BACKEND]["rtime"] == pytest.approx(took, rel=0.02)


class Days:
    """Traffic of good changes: quiet and busy, healthy and ill, and never quite the same a minute later."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def number(self, mean: float) -> int:
        """A number of independent events (Poisson)."""
        if mean > 50:
            return max(0, round(self.chance.gauss(mean, math.sqrt(mean))))
        number, left = 0, self.chance.random() - (term := math.exp(-mean))
        while left > 0:
            number += 1
            term *= mean / number
            if term < 1e-18 and number > mean:
                break
            left -= term
        return number

    def drift(self, spread: float) -> float:
        return math.exp(self.chance.gauss(0, spread))

    def period(self, rate: float, failing: float, missing: float, answer: float, looks: int) -> list[Traffic]:
        """What has come until each look, of 60 s; the average answer is of a distribution with a long tail."""
        good = failed = lost = errors = 0
        seen = []
        for look in range(1, looks + 1):
            requests = rate * 60 / looks
            good += self.number(requests * (1 - failing - missing))
            failed += self.number(requests * failing)
            lost += self.number(requests * missing)
            errors += self.number(requests * failing / 2)
            averaged = max(1, min(good + failed + lost, 1024))
            rtime = max(0, round(self.chance.gauss(answer, 3 * answer / math.sqrt(averaged))))
            seen.append(web(good, failed, lost, 60 * look / looks, econ=errors, wretr=3 * errors, rtime=rtime))
        return seen


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_good_changes(seed: int) -> None:
    """No more than one false alarm in a thousand, while rates drift by a third and shares by a fifth."""
    days, alarms, changes = Days(seed), [], 2500
    for _change in range(changes):
        rate = 10 ** days.chance.uniform(-1.5, 3)
        failing = days.chance.choice([0, 0.0001, 0.001, 0.01, 0.05])
        missing = days.chance.choice([0, 0.01, 0.1, 0.3])
        answer = 10 ** days.chance.uniform(0.5, 3)
        (before,) = days.period(rate, failing, missing, answer, 1)
        drifted = rate * days.drift(0.3), failing * days.drift(0.2), missing * days.drift(0.2), answer * days.drift(0.2)
        for look, after in enumerate(days.period(*drifted, looks=10), 1):
            if worse := judge(before, after, LIMITS, looks=10, is_last=look == 10):
                alarms.append((rate, failing, [str(one) for one in worse]))
                break
    assert len(alarms) <= changes * LIMITS.false_alarms, alarms
