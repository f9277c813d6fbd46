# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watch real traffic before and after a change, and undo a change that makes it worse.

All of it happens on the node. No lock is held while the traffic before the change is counted; the lock of the store is
held during the watch, so that no other run changes what is watched, but not that of the certificates, so renewals go
on. The journal says which release is being watched: after a kill it still serves, and the next run reports it.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import (
    Host,
    Outcome,
    Wanted,
    apply,
    rollback_target,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.judgement import Limits, judge
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.traffic import Traffic, between
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError

LOOKS = 10  # per watch: what is clearly worse is undone before its end


@dataclass(frozen=True)
class Watch:
    """How long traffic is counted before a change and again after it, in seconds, and what is worse."""

    seconds: float
    limits: Limits = field(default_factory=Limits)


def apply_watched(choose: t.Callable[[], Wanted], host: Host, watch: Watch, *, keep: int, patience: float) -> Outcome:
    """Bring a host to a release as ``apply`` does, and back if real traffic is worse off; that is a ProblemsError.

    Nothing is watched if nothing changes, if HAProxy did not run, or if there is no other release to go back to.
    """
    # A release that HAProxy refuses is refused before anybody waits.
    predicted = apply(choose, host, keep=keep, patience=patience, check_mode=True)
    if predicted.plan.action not in ("runtime", "reload") or not _is_reversible(predicted):
        return apply(choose, host, keep=keep, patience=patience)
    first = host.haproxy.sample()
    time.sleep(watch.seconds)
    before = between(first, host.haproxy.sample())
    outcome = apply(lambda: replace(choose(), is_watched=before.requests > 0), host, keep=keep, patience=patience)
    if before.requests == 0:
        return replace(outcome, verdict=f"Not judged: no request came in the {watch.seconds:g} s before the change.")
    if not _is_reversible(outcome):  # another run was faster
        return outcome
    started = time.monotonic()
    with host.store.lock(patience):
        after, worse = _look(host, watch, before)
        if not worse:
            host.store.judged()
            counted = f"{before.requests:,} requests in {before.seconds:.0f} s before the change"
            counted += f" and {after.requests:,} in {after.seconds:.0f} s after it"
            return replace(outcome, verdict=f"Nothing got worse: {counted}.")
    raise _undone(outcome, host, worse, keep, patience, started)


def _is_reversible(outcome: Outcome) -> bool:
    """Whether there is another release to go back to; certificates alone are in none."""
    return outcome.previous_release not in (None, outcome.wanted.release.id)


def _look(host: Host, watch: Watch, before: Traffic) -> tuple[Traffic, list[Problem]]:
    """The traffic after the change, and what is worse, as soon as that is known."""
    after = Traffic(0, {})
    try:
        start = host.haproxy.sample()
        for look in range(1, LOOKS + 1):
            time.sleep(watch.seconds / LOOKS)
            after = between(start, host.haproxy.sample())
            if worse := judge(before, after, watch.limits, looks=LOOKS, is_last=look == LOOKS):
                return after, worse
    except LbforgeError as error:
        return after, [Problem("", "", str(error))]
    return after, []


def _undone(
    outcome: Outcome, host: Host, worse: list[Problem], keep: int, patience: float, started: float
) -> LbforgeError:
    """Go back to the release before, and say why."""
    bad, old = outcome.wanted.release.id, outcome.previous_release

    def back() -> Wanted:
        if host.store.current != bad:
            raise LbforgeError(f"Another run has applied release {host.store.current} meanwhile, so it stays.")
        target = rollback_target(host.store, old)
        return Wanted(target, secrets=host.store.secrets(old), is_rollback=True, allow_empty=True)

    try:
        restored = apply(back, host, keep=keep, patience=patience).worker
        seconds = time.monotonic() - started
        end = f"release {old} was restored {seconds:.0f} s after the change (worker {restored.pid if restored else 0})"
    except LbforgeError as error:
        end = f"going back to release {old} failed: {error}"
    heading = f"With release {bad} real traffic was worse off, so {end}. What got worse:"
    return ProblemsError(worse, heading, bullet="  ", release=bad, previous_release=old)
