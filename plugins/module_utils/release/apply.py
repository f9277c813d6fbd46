# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply a release: look, plan, check, write, switch, let HAProxy take it, prove it; else put everything back.

The order is what makes it safe. Nothing is written before HAProxy has accepted the whole; from the first write to the
proof a mark says that HAProxy may run something else than the disk holds; every write leaves the old or the new thing
whole. So a run that is cut off anywhere leaves a host that serves, and the next run finishes the job.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.messages import Message, alerts, parse_messages
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.process import ProofError
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import CONFIGURATION

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.certificates import CertificateStore
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.check import Checker
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.process import HAProxy, Worker
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.store import ReleaseStore
    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import Release

Action = t.Literal["nothing", "start", "reload"]


@dataclass(frozen=True)
class Wanted:
    """What the user asks for."""

    release: Release
    certificates: t.Mapping[str, bytes]
    secrets: t.Sequence[str] = ()


@dataclass(frozen=True)
class Host:
    """What stands on the host."""

    store: ReleaseStore
    certificates: CertificateStore
    checker: Checker
    haproxy: HAProxy


@dataclass(frozen=True)
class Found:
    """How the host differs from what is wanted, before anything is done."""

    current: str | None
    worker: Worker | None
    contents: t.Mapping[str, bytes]  # what HAProxy would read now
    files: list[str]  # the names that differ
    certificates: t.Mapping[str, bytes | None]  # what is in the place of those that differ
    adopted: str | None  # the name under which the contents have to be kept first
    pending: bool  # an earlier run was cut off


@dataclass(frozen=True)
class Plan:
    """What to do with HAProxy, and why."""

    action: Action
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What was found, planned and reached."""

    found: Found
    plan: Plan
    warnings: list[Message]
    worker: Worker | None

    @property
    def previous_release(self) -> str | None:
        """The release that can come back."""
        return self.found.adopted or self.found.current


def apply(wanted: Wanted, host: Host, *, keep: int, patience: float, check_mode: bool) -> Outcome:
    """Bring a host to a release, or only say what that would do."""
    if obstacles := host.store.obstacles(wanted.release.files):
        raise LbforgeError("\n".join(obstacles), errors=obstacles)
    try:
        with host.store.lock(patience):
            host.checker.tidy()
            found = look(wanted, host)
            plan = decide(wanted.release, found)
            if plan.action == "nothing":
                return Outcome(found, plan, [], found.worker)
            warnings = _check(wanted, host)
            if check_mode:
                return Outcome(found, plan, warnings, found.worker)
            worker = _change(wanted, host, found, plan.action)
            host.store.prune(keep, (wanted.release.id, found.adopted, found.current))
            return Outcome(found, plan, warnings, worker)
    except OSError as error:
        raise LbforgeError(f"A file cannot be read or written: {error}.\n{host.haproxy.state()}") from error


def look(wanted: Wanted, host: Host) -> Found:
    """Compare the host with what is wanted."""
    store, release = host.store, wanted.release
    contents = store.live(release.files)
    differing = {name for name in release.files if contents.get(name) != release.contents[name]}
    return Found(
        current=store.current,
        worker=host.haproxy.worker(),
        contents=contents,
        files=sorted({*differing, *store.loose(release.files), *(store.linked() - release.files.keys())}),
        certificates=host.certificates.differing(wanted.certificates),
        adopted=store.adopted_name({CONFIGURATION, *release.files}, release.id, release.contents),
        pending=store.pending,
    )


def decide(release: Release, found: Found) -> Plan:
    """Choose the least that brings HAProxy to the release. Pure."""
    reasons = []
    if found.worker is None:
        reasons.append("HAProxy does not run")
    if found.pending:
        reasons.append("an earlier run was cut off before HAProxy was proved")
    if found.current != release.id:
        reasons.append(f"the release changes from {found.current or 'none'} to {release.id}")
    elif found.files:
        reasons.append(f"somebody changed files of release {release.id}: {', '.join(found.files)}")
    elif found.worker is not None and not found.worker.runs(release.id):
        reasons.append(f"the worker runs '{found.worker.description}', not release {release.id}")
    if found.certificates:
        reasons.append(f"certificates change: {', '.join(found.certificates)}")
    if not reasons:
        return Plan("nothing", f"HAProxy runs release {release.id}.")
    sentence = "; ".join(reasons) + "."
    return Plan("start" if found.worker is None else "reload", sentence[0].upper() + sentence[1:])


def _check(wanted: Wanted, host: Host) -> list[Message]:
    try:
        return host.checker.check(wanted.release, wanted.certificates)
    except LbforgeError as refusal:
        raise LbforgeError(f"{refusal}\n{host.haproxy.state()}", **refusal.details) from refusal


def _change(wanted: Wanted, host: Host, found: Found, action: Action) -> Worker:
    store, release = host.store, wanted.release
    store.tidy()
    if found.adopted:
        store.adopt({CONFIGURATION, *release.files}, found.adopted)
    is_new = release.id not in store.names()
    if store.read(release.id) != release.contents:
        store.commit(store.stage(release.contents, wanted.secrets), release.id)
    way_back = store.current
    store.begin()
    try:
        host.certificates.write({name: wanted.certificates[name] for name in found.certificates})
        store.add_links(release.files)
        store.switch(release.id)
        worker = host.haproxy.start(release.id) if action == "start" else host.haproxy.reload(release.id)
    except (LbforgeError, OSError) as error:
        state = _go_back(error, host, way_back, found, action)
        if is_new and not store.pending:
            store.discard(release.id)  # else failures push the releases that ran out of those that are kept
        raise _failure(error, wanted, host, way_back, state) from error
    store.remove_links()
    store.finish()
    return worker


def _go_back(error: Exception, host: Host, way_back: str | None, found: Found, action: Action) -> str:
    """Put the old release and certificates in place and say what runs now."""
    old = f"release {way_back}" if way_back else "the state before the first release"
    try:
        host.store.switch(way_back)
        host.store.remove_links()
        host.certificates.put_back(found.certificates)
        if way_back is None and action == "start":
            host.store.finish()
            return f"The files of {old} were put back; HAProxy does not run, as before."
        if action == "start":
            worker: Worker | None = host.haproxy.start(None)
        elif isinstance(error, ProofError) and error.loaded:
            worker = host.haproxy.reload(None)
        else:
            # The old worker was never replaced: another reload could only harm.
            worker = host.haproxy.worker()
    except (LbforgeError, OSError) as second:
        return f"Going back to {old} failed too: {second} Run again when the cause is gone."
    if worker is None:
        return f"The files of {old} were put back, but HAProxy does not run any more."
    host.store.finish()
    return f"The files of {old} were put back, and HAProxy serves with it (worker {worker.pid})."


def _failure(error: Exception, wanted: Wanted, host: Host, way_back: str | None, state: str) -> LbforgeError:
    log = error.log if isinstance(error, ProofError) else ""
    path = str(host.store.config_dir / CONFIGURATION)
    # Systemd starts a service again that fails, and it says the same again.
    said = list(dict.fromkeys(alerts(parse_messages(log, wanted.release.texts[CONFIGURATION], path))))
    # Without an alert of HAProxy the last lines say most, for example that systemd could not run it.
    words = "".join(f"\n  {line}" for line in said or log.splitlines()[-5:])
    return LbforgeError(
        f"Release {wanted.release.id} does not run. {error}{words}\n{state}",
        release=wanted.release.id,
        previous_release=way_back or "",
        errors=[message.as_dict() for message in said],
    )
