# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply a release: look, plan, check, write, switch, load, prove; or restore everything.

The order is what makes it safe. Nothing is written before HAProxy has accepted the whole; from the first write to the
proof the journal says that HAProxy may run something else than the disk holds; every write leaves the old or the new
thing whole. So a run that is cut off anywhere leaves a host that serves, and the next run finishes the job.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import new_binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import (
    Configuration,
    parse,
    serving,
    shares_tables,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import (
    Message,
    alerts,
    parse_messages,
    warning,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._release import open_files
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.changes import in_order
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Difference, compare
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.preflight import Preflight
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import ProofError
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.rehearse import Rehearsal
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.server_proof import compare_configured
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ORIGINAL, Runtime
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION, Release
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, ProblemsError

if t.TYPE_CHECKING:
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.changes import Change
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.check import Checker
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.live import Live
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy, Worker
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import Key, ServerState
    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore

Action = t.Literal["nothing", "start", "runtime", "reload"]

UNKNOWN = "the running worker is unknown"
SHOWN_REASONS = 5
# A worker learns stick tables from its predecessor, and must have learnt all before it can pass them on.
LESSON = 6  # seconds


@dataclass(frozen=True)
class Wanted:
    """What the user asks for."""

    release: Release
    certificates: t.Mapping[str, bytes] = field(default_factory=dict)
    secrets: t.Sequence[str] = ()
    may_use_runtime: bool = True
    is_rollback: bool = False
    allow_empty: bool = False  # whether HAProxy may end up without frontends
    is_watched: bool = False  # whether real traffic judges it afterwards


@dataclass(frozen=True)
class Host:
    """The stores and processes of the host."""

    store: ReleaseStore
    certificates: CertificateStore
    checker: Checker
    rehearsal: Rehearsal
    haproxy: HAProxy
    live: Live


@dataclass(frozen=True)
class Found:
    """The differences between the host and the wanted release, before any change."""

    current: str | None
    worker: Worker | None
    running: str | None  # the release that the worker runs; None if it is not on the disk
    contents: t.Mapping[str, bytes]  # what HAProxy would read now
    files: list[str]  # the names that differ
    certificates: t.Mapping[str, bytes | None]  # the existing content of those that differ
    adopted: str | None = None  # the name for storing the contents first
    pending: bool = False  # an earlier run was interrupted
    before: t.Sequence[Configuration] = ()  # releases that the worker may run: several after an interrupted run
    # From the running to the wanted release. Without a comparison only a reload is safe.
    difference: Difference = field(default_factory=lambda: Difference(reasons=[UNKNOWN]))


@dataclass(frozen=True)
class Plan:
    """The action on HAProxy, its reason and its commands."""

    action: Action
    reason: str
    changes: t.Sequence[Change] = ()

    @property
    def commands(self) -> list[str]:
        """The commands that replace a reload."""
        return [command for change in self.changes for command in change.commands]


@dataclass(frozen=True)
class Outcome:
    """The findings, the plan and the result."""

    wanted: Wanted
    found: Found
    plan: Plan
    warnings: list[Message]
    worker: Worker | None
    verdict: str = ""  # of real traffic; empty if nothing was watched

    @property
    def previous_release(self) -> str | None:
        """The release that a rollback restores."""
        return self.found.adopted or self.found.current


def apply(
    choose: t.Callable[[], Wanted], host: Host, *, keep: int, patience: float, check_mode: bool = False
) -> Outcome:
    """Bring a host to a release, or only report the changes. The lock is held while the release is chosen."""
    try:
        # haproxy-acme and others also write certificates: the lock keeps them out from the decision to the proof.
        certificates = nullcontext() if check_mode else host.certificates.lock(patience)
        with host.store.lock(patience), certificates:
            wanted = choose()
            if obstacles := host.store.obstacles(wanted.release.contents):
                raise ProblemsError(obstacles)
            host.checker.tidy()
            warnings = _left_unjudged(wanted, host.store)
            found = look(wanted, host)
            _refuse_to_empty(wanted, found)
            plan = decide(wanted, found)
            if plan.action == "nothing":
                if warnings and not check_mode:
                    host.store.judged()  # reported once
                return Outcome(wanted, found, plan, warnings, found.worker)
            warnings += _check(wanted, host, found, plan, check_mode)
            if check_mode:
                return Outcome(wanted, found, plan, warnings, found.worker)
            plan, worker = _change(wanted, host, found, plan)
            host.store.prune(keep, (wanted.release.id, found.adopted, found.current))
            return Outcome(wanted, found, plan, warnings, worker)
    except OSError as error:
        raise LbforgeError(f"Cannot read or write a file: {error}.\n{host.haproxy.state()}") from error


def _left_unjudged(wanted: Wanted, store: ReleaseStore) -> list[Message]:
    """Report that a run was interrupted while real traffic was judging its release."""
    name = store.journal.unjudged
    if name is None or wanted.is_rollback:
        return []
    return [
        warning(
            f"The run that applied release {name} was interrupted before real traffic had judged it, and the release is"
            " still in use. If clients are worse off, go back (playbook haproxy_rollback)."
        )
    ]


def _refuse_to_empty(wanted: Wanted, found: Found) -> None:
    """Refuse a release without frontends, which is usually a mistake."""
    served = [name for sections in found.before for name in serving(sections)]
    if served and not wanted.allow_empty and not serving(wanted.release.sections):
        shown = ", ".join(served[:SHOWN_REASONS])
        more = f" and {len(served) - SHOWN_REASONS} more" if len(served) > SHOWN_REASONS else ""
        raise LbforgeError(
            f"Release {wanted.release.id} serves no client: it has no frontend, but HAProxy has {shown}{more}. Nothing"
            " was changed. Check that the services are read; if HAProxy is meant to serve nobody, set allow_empty"
            " (haproxy_allow_empty in the role)."
        )


def rollback_target(store: ReleaseStore, name: str | None) -> Release:
    """The release that ran before the one in use, or the named one."""
    names, target = store.names(), name or store.journal.before
    kept = f"Stored releases, newest first: {', '.join(names) or 'none'}."
    if target is None or target not in names:
        why = f"There is no release '{name}'." if name else "No release ran before the one in use."
        raise LbforgeError(f"{why} {kept}", releases=names)
    release = Release(target, store.read(target))
    if not name and not release.is_ours:
        whose = "there before the first run" if target == ORIGINAL else "changed by hand"
        raise LbforgeError(
            f"Before the release in use, HAProxy had files that were {whose}; they are stored as {target}. Set release"
            f" to {target} to restore them, or to another one. {kept}"
        )
    if release.is_ours and not release.is_pristine:
        raise LbforgeError(
            f"Files of release {target} were changed by hand, so they are not what ran. Set release to another one."
            f" {kept}"
        )
    return release


def look(wanted: Wanted, host: Host) -> Found:
    """Compare the host with what is wanted."""
    store, release = host.store, wanted.release
    contents = store.live(release.contents)
    differing = {name for name in release.contents if contents.get(name) != release.contents[name]}
    worker = host.haproxy.worker()
    running = store.running(worker.pid, worker.description) if worker else None
    pending = store.journal.pending
    found = Found(
        current=store.current,
        worker=worker,
        running=running.id if running else None,
        contents=contents,
        files=sorted({*differing, *store.loose(release.contents), *(store.linked() - release.contents.keys())}),
        certificates=host.certificates.differing(wanted.certificates),
        adopted=store.adopted_name({CONFIGURATION, *release.contents}, release.id, release.contents),
        pending=pending is not None,
    )
    if running:
        # An interrupted run may have made some of its changes.
        half_done = [Release(pending, store.read(pending)).sections] if pending in store.names() else []
        found = replace(found, before=[running.sections, *half_done])
    else:
        found = replace(found, before=[parse(contents.get(CONFIGURATION, b"").decode(errors="replace"))])
    if found.files or found.certificates or pending or release.id != found.running:
        found = replace(found, difference=_difference(wanted, host, found, running))
    return found


def _difference(wanted: Wanted, host: Host, found: Found, running: Release | None) -> Difference:
    """The changes that bring the worker to the release, or the reasons for a reload."""
    if not wanted.may_use_runtime:
        return Difference(reasons=["it was requested"])
    if running is None or found.pending or found.worker is None:
        return Difference(reasons=[UNKNOWN])
    if found.adopted or not running.is_pristine:
        return Difference(reasons=["files were changed by hand"])
    if running.id != found.current:
        return Difference(reasons=["the worker does not run the release on the disk"])
    directory = host.certificates.directory
    # A file that was readable by others is written again; HAProxy already has its content.
    certificates = {
        directory / name: wanted.certificates[name]
        for name, before in found.certificates.items()
        if before != wanted.certificates[name]
    }
    try:
        loaded = host.live.loaded(running.sections, found.worker.pid)
    except LbforgeError as error:
        return Difference(reasons=[str(error).rstrip(".")])
    return compare(running, wanted.release, host.store.config_dir, certificates, loaded)


def decide(wanted: Wanted, found: Found) -> Plan:
    """Choose the least that brings HAProxy to the release. Pure."""
    release = wanted.release
    reasons = []
    if found.worker is None:
        reasons.append("HAProxy does not run")
    if found.pending:
        reasons.append("an earlier run was interrupted before HAProxy was checked")
    if found.current != release.id:
        reasons.append(f"the release changes from {found.current or 'none'} to {release.id}")
    elif found.files:
        reasons.append(f"files of release {release.id} were changed by hand: {', '.join(found.files)}")
    elif found.worker is not None and found.running != release.id:
        reasons.append(f"the worker runs '{found.worker.description}', not release {release.id}")
    if found.certificates:
        reasons.append(f"certificates change: {', '.join(found.certificates)}")
    if not reasons:
        hint = " Set release to go further back." if wanted.is_rollback else ""
        return Plan("nothing", f"HAProxy runs release {release.id}.{hint}")
    if found.worker is None:
        return Plan("start", _sentence(reasons))
    if needs := found.difference.reasons:
        more = [f"{len(needs) - SHOWN_REASONS} more reasons"] if len(needs) > SHOWN_REASONS else []
        return Plan("reload", _sentence([*reasons, f"it needs a reload: {', '.join([*needs[:SHOWN_REASONS], *more])}"]))
    return Plan(
        "runtime", _sentence([*reasons, "HAProxy takes it without a reload"]), in_order(found.difference.changes)
    )


def _sentence(parts: t.Sequence[str]) -> str:
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _check(wanted: Wanted, host: Host, found: Found, plan: Plan, check_mode: bool) -> list[Message]:
    try:
        warnings = host.checker.check(wanted.release, wanted.certificates)
        if plan.action in ("start", "reload"):
            warnings += _preflight(wanted, host, found, check_mode)
        if not wanted.is_rollback:
            warnings += host.rehearsal.check(wanted.release, wanted.certificates)
    except LbforgeError as refusal:
        raise LbforgeError(f"{refusal}\n{host.haproxy.state()}", **refusal.details) from refusal
    return warnings


def _preflight(wanted: Wanted, host: Host, found: Found, check_mode: bool) -> list[Message]:
    """Try new binds: a reload that fails at one of them refuses all traffic for two seconds."""
    _enough_files(wanted, host)
    is_known = found.worker and len(found.before) == 1 and not found.adopted
    running = found.before[0] if is_known else None
    refused = Preflight(host.haproxy.pids).problems(new_binds(wanted.release.sections, running))
    # In check mode, the kernel setting or the VIP that makes an address bindable may be missing.
    hopeless = [one for one in refused if one.kind == "taken" or (one.kind == "absent" and not check_mode)]
    if hopeless:
        heading = "HAProxy could not bind every address; nothing was changed:"
        raise ProblemsError([one.message for one in hopeless], heading, bullet="  ")
    return [one.message for one in refused]


def _enough_files(wanted: Wanted, host: Host) -> None:
    """Check the limit of open files, which ``haproxy -c`` does not: without enough HAProxy does not start."""
    needed, allowed = open_files.needed(wanted.release.sections), host.haproxy.open_files()
    if allowed is not None and needed > allowed:
        raise LbforgeError(
            f"HAProxy needs {needed} open files for its maxconn, but its limit is {allowed}; nothing was changed. Lower"
            " maxconn (haproxy_maxconn in the role), or raise LimitNOFILE of its unit, or fs.nr_open of the kernel."
        )


def _change(wanted: Wanted, host: Host, found: Found, plan: Plan) -> tuple[Plan, Worker]:
    store, release = host.store, wanted.release
    store.tidy()
    if found.adopted:
        store.adopt({CONFIGURATION, *release.contents}, found.adopted)
    is_new = release.id not in store.names()
    if store.read(release.id) != release.contents:
        store.commit(store.stage(release.contents, wanted.secrets), release.id)
    before = store.current
    try:
        store.begin(release.id, back=wanted.is_rollback)
        host.certificates.write({name: wanted.certificates[name] for name in found.certificates})
        store.add_links(release.contents)
        store.switch(release.id)
        done, worker, runtime = _take(wanted, host, found, plan)
    except (LbforgeError, OSError) as error:
        state = _restore(error, wanted, host, found, plan, before)
        if is_new and store.journal.pending is None:
            store.discard(release.id)  # otherwise failed releases would displace those that ran
        raise _failure(error, wanted, before, host, state) from error
    store.remove_links()
    store.finish(release.id, back=wanted.is_rollback, runtime=runtime, is_watched=wanted.is_watched)
    return done, worker


def _take(wanted: Wanted, host: Host, found: Found, plan: Plan) -> tuple[Plan, Worker, Runtime | None]:
    """Bring the release on the disk into HAProxy, by commands if possible, else by a reload."""
    release = wanted.release
    if plan.action == "start":
        host.live.forget_states(release.sections)
        return plan, host.haproxy.start(release.description), None
    if plan.action == "runtime" and found.worker:
        worker = found.worker
        try:
            host.live.execute(plan.changes, found.before[0], worker.pid)
        except LbforgeError as error:
            why = f"; a reload was needed, because a command failed: {error}"
            plan = Plan("reload", f"{plan.reason.rstrip('.')}{why}")
        else:
            return plan, worker, Runtime(worker=worker.pid, description=worker.description, release=release.id)
    worker, wrong = _reload(host, found.worker, found.before, release.sections, release.description)
    if wrong:
        why = f"; a second reload was needed, because the first did not apply everything: {' '.join(wrong)}"
        plan = replace(plan, reason=f"{plan.reason.rstrip('.')}{why}")
    return plan, worker, None


def _reload(
    host: Host,
    worker: Worker | None,
    before: t.Sequence[Configuration],
    new: Configuration,
    description: str | None,
) -> tuple[Worker, list[str]]:
    """Reload, and hand the state of servers and clients to the new worker.

    A server that then differs from the configuration is reloaded without its state; the differences are returned.
    """
    if worker and shares_tables(new):
        time.sleep(max(0, LESSON - worker.uptime))
    host.live.hand_over_states(before, new)
    try:
        worker = host.haproxy.reload(description)
        if wrong := _misconfigured(new, host.haproxy.servers(worker)):
            host.live.hand_over_states([new], new, without=wrong)
            worker = host.haproxy.reload(description)
        host.live.grant(new)
        return worker, [sentence for sentences in wrong.values() for sentence in sentences]
    finally:
        host.live.forget_states(new)


def _misconfigured(sections: Configuration, states: t.Mapping[Key, ServerState]) -> dict[Key, list[str]]:
    """The servers of a worker that differ from its configuration, and their differences."""
    compared = {
        key: [one.sentence for one in compare_configured(key, server, states[key])]
        for key, server in configured_servers(sections).items()
        if key in states
    }
    return {key: sentences for key, sentences in compared.items() if sentences}


def _restore(error: Exception, wanted: Wanted, host: Host, found: Found, plan: Plan, before: str | None) -> str:
    """Restore the old release and certificates, and report what runs now."""
    old = f"release {before}" if before else "the state before the first release"
    # Commands may have changed the old worker, even though it was never replaced.
    is_changed = plan.action == "runtime" or (isinstance(error, ProofError) and error.loaded)
    try:
        host.store.switch(before)
        host.store.remove_links()
        host.certificates.restore(found.certificates)
        if before is None and plan.action == "start":
            host.store.abandon()
            return f"The files of {old} were restored; HAProxy does not run, as before."
        if plan.action == "start":
            worker: Worker | None = host.haproxy.start(None)
        elif is_changed:
            worker, _wrong = _reload(host, None, [*found.before, wanted.release.sections], found.before[0], None)
        else:
            # The old worker was never replaced: another reload could only do harm.
            worker = host.haproxy.worker()
    except (LbforgeError, OSError) as second:
        return f"Going back to {old} failed too: {second} Fix the cause, then run again."
    if worker is None:
        return f"The files of {old} were restored, but HAProxy no longer runs."
    host.store.abandon()
    return f"The files of {old} were restored, and HAProxy runs with them (worker {worker.pid})."


def _failure(error: Exception, wanted: Wanted, before: str | None, host: Host, state: str) -> LbforgeError:
    log = error.log if isinstance(error, ProofError) else ""
    path = str(host.store.config_dir / CONFIGURATION)
    # systemd restarts a failed service, which repeats its messages.
    said = list(dict.fromkeys(alerts(parse_messages(log, wanted.release.texts[CONFIGURATION], path))))
    # Without an alert of HAProxy the last lines help most, for example that systemd could not run it.
    words = "".join(f"\n  {line}" for line in said or log.splitlines()[-5:])
    return LbforgeError(
        f"Release {wanted.release.id} does not run. {error}{words}\n{state}",
        release=wanted.release.id,
        previous_release=before or "",
        errors=[message.as_dict() for message in said],
    )
