# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about trackers, which move addresses: scripts, files, processes and their weights."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, number
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.priorities import HIGHEST, LOWEST
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Hit, rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import (
    DEFAULT_SCRIPT_INTERVAL,
    TRACKERS,
    Command,
    Instance,
    Subject,
    Tracker,
    members,
)

_SHELL = re.compile(r"`|\$\(|^(\|\|?|&&?|;|[012]?>>?(&[12])?|<)$|;$")
_NAMED = ("vrrp_instance", "vrrp_sync_group", "vrrp_script", "track_file", "vrrp_track_file", "vrrp_track_process")

# From this version on keepalived refuses to run what it finds behind a directory that is a symbolic link.
_NO_LINKS = (2, 3)


@rule(
    "warning",
    "keepalived limits priorities to 1 to 254, so two nodes may get the same one, and chance decides.",
    "Choose priorities and weights whose sums stay within 1 to 254, whatever fails.",
)
def weights_out_of_range(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        weights = [tracker.weight for tracker in subject.moving(instance)]
        lowest = instance.priority + sum(weight for weight in weights if weight < 0)
        highest = instance.priority + sum(weight for weight in weights if weight > 0)
        if weights and not LOWEST <= lowest <= highest <= HIGHEST:
            found = f"The priority of instance {instance.name} would go from {lowest:g} to {highest:g}."
            yield Hit(instance.at("priority"), found)


def _lower(subject: Subject, instance: Instance) -> list[float]:
    """The priorities of the nodes below this one, rising."""
    priorities = sorted(other.priority for _node, other in subject.others(instance.name))
    return [priority for priority in priorities if priority < instance.priority]


def _weighing(subject: Subject, instance: Instance) -> list[Tracker]:
    """Trackers that only add a fixed weight; that of a file is multiplied by the number in it."""
    return [tracker for tracker in subject.moving(instance) if tracker.kind != "track_file"]


@rule(
    "error",
    "When the tracker fails on the master alone, the address stays there.",
    "Set a weight larger than the distance to the next priority, or weight 0, which means FAULT.",
)
def weight_without_effect(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        lower = _lower(subject, instance)
        for tracker in _weighing(subject, instance) if lower else ():
            distance = instance.priority - lower[-1]
            if abs(tracker.weight) <= distance:
                found = f"{tracker.name} has weight {tracker.weight:+d}; the next node is {distance:g} below."
                yield Hit(tracker.statement, found)


@rule(
    "warning",
    "A node with a failed tracker still outranks a healthy one, so when the nodes between them are gone, the address"
    " stays at, or moves to, the failed node.",
    "Set a weight larger than the distance between the first and the last priority.",
)
def weight_outranked(subject: Subject) -> t.Iterator[Hit]:
    for instance in subject.instances:
        lower = _lower(subject, instance)
        for tracker in _weighing(subject, instance) if lower else ():
            if instance.priority - lower[-1] < abs(tracker.weight) <= instance.priority - lower[0]:
                distance = instance.priority - lower[0]
                found = f"{tracker.name} has weight {tracker.weight:+d}; the last node is {distance:g} below."
                yield Hit(tracker.statement, found)


@rule(
    "error",
    "keepalived ignores the tracker: a group moves as a whole, so its members cannot have priorities of their own.",
    "Track with weight 0, which means FAULT for the whole group; or track in the vrrp_sync_group.",
)
def weight_in_sync_group(subject: Subject) -> t.Iterator[Hit]:
    free = {name for group in subject.groups if group.all("sync_group_tracking_weight") for name in members(group)}
    for instance in subject.instances:
        if instance.name in subject.grouped - free:
            for tracker in subject.trackers(instance.statement):
                if tracker.weight:
                    found = (
                        f"{tracker.name} has weight {tracker.weight:+d} in instance {instance.name}, a group's member."
                    )
                    yield Hit(tracker.statement, found)


@rule(
    "error",
    "keepalived leaves the group out, or does not start.",
    "List all instances that move together, at least two, or remove the group.",
)
def sync_group_too_small(subject: Subject) -> t.Iterator[Hit]:
    for group in subject.groups:
        if len({*members(group)}) < 2:
            yield Hit(group, f"Group {group.name} has {len({*members(group)})} members.")


@rule(
    "error",
    "keepalived ignores the name, and that instance moves on its own.",
    "Write the name of an instance of this text.",
)
def sync_group_member_unknown(subject: Subject) -> t.Iterator[Hit]:
    names = {instance.name for instance in subject.instances}
    for group in subject.groups:
        for name in members(group):
            if subject.is_whole and name not in names:
                yield Hit(group, f"Group {group.name} has the member {name}, but no instance has that name.")


# Measured: keepalived -t says 0 to a script that is defined twice.
@rule(
    "error",
    "keepalived uses one of them and ignores the other.",
    "Give each its own name.",
)
def name_twice(subject: Subject) -> t.Iterator[Hit]:
    seen: dict[tuple[str, str], int] = {}
    for statement in subject.root.all(*_NAMED):
        key = (statement.keyword, statement.name)
        if key in seen:
            yield Hit(statement, f"{statement.keyword} {statement.name} is already defined on line {seen[key]}.")
        seen[key] = statement.line


@rule(
    "error",
    "keepalived ignores the name, and nothing is tracked. A tracker must be defined before its use.",
    "Define it before the instance, or remove the line.",
)
def tracker_unknown(subject: Subject) -> t.Iterator[Hit]:
    for holder in (*(instance.statement for instance in subject.instances), *subject.groups):
        for tracker in subject.trackers(holder):
            if tracker.kind not in TRACKERS or not subject.is_whole:
                continue
            definition = subject.definition(tracker)
            if not definition:
                yield Hit(tracker.statement, f"{tracker.name} is tracked but not defined.")
            elif definition.line > tracker.statement.line:
                found = f"{tracker.name} is tracked here and defined on line {definition.line}."
                yield Hit(tracker.statement, found)


# Measured: keepalived -t of 2.2 says 0 and "script … is not used"; with reload_check_config the daemon then ends with
# "permanent error CONFIG".
@rule(
    "error",
    "keepalived 2.2 ends when the text also has reload_check_config, other versions never run the script.",
    "Name the script in track_script of an instance or group, or remove it.",
)
def script_unused(subject: Subject) -> t.Iterator[Hit]:
    used = {
        tracker.name
        for holder in (*(instance.statement for instance in subject.instances), *subject.groups)
        for tracker in subject.trackers(holder)
        if tracker.kind == "track_script"
    }
    for script in subject.root.all("vrrp_script"):
        if subject.is_whole and script.name not in used:
            yield Hit(script, f"Nothing tracks script {script.name}.")


# Measured: keepalived -t says 0.
@rule(
    "warning",
    "Each check waits for the previous one, so detecting a hang takes longer than interval times fall.",
    "Set a timeout up to the interval.",
)
def script_outlasts_interval(subject: Subject) -> t.Iterator[Hit]:
    for script in subject.root.all("vrrp_script"):
        interval = script.number("interval", DEFAULT_SCRIPT_INTERVAL)
        timeout = script.number("timeout", interval)
        if timeout > interval:
            yield Hit(
                script.last("timeout") or script,
                f"Script {script.name} may take {timeout:g} s but is due every {interval:g} s.",
            )


# Measured: keepalived -t says 0, and the instance never leaves FAULT.
@rule(
    "error",
    "keepalived kills the check before it can succeed, and counts a failure.",
    "Send fewer packets in a shorter time, or raise timeout and interval.",
)
def script_never_finishes(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        script = _script_of(subject, command)
        if script:
            interval = script.number("interval", DEFAULT_SCRIPT_INTERVAL)
            timeout = script.number("timeout", interval)
            least = _least_seconds(command.words)
            if least >= timeout:
                found = f"{command.words[0]} takes {least:g} s to succeed but is killed after {timeout:g} s."
                yield Hit(command.statement, found)


def _script_of(subject: Subject, command: Command) -> Statement | None:
    owners = (script for script in subject.root.all("vrrp_script") if command.statement in script.body)
    return next(owners, None)


def _least_seconds(words: tuple[str, ...]) -> float:
    """The minimum time of a successful command in seconds."""
    name = words[0].rpartition("/")[2] if words else ""
    if name == "ping":
        text = " ".join(words)
        count = re.search(r" -c ?(\d+)", text)
        pause = re.search(r" -i ?([\d.]+)", text)
        return (float(count[1]) - 1) * (float(pause[1]) if pause else 1.0) if count else float("inf")
    if name == "sleep" and len(words) > 1:
        return number(words[1], 0)
    return 0.0


def _is_ping(words: tuple[str, ...]) -> bool:
    return any(word.rpartition("/")[2] in ("ping", "ping6", "fping", "arping") for word in words[:4])


@rule(
    "warning",
    "When no node reaches the target, all are in FAULT and no node has the address, although any could serve.",
    "Give the script a negative weight that outranks all priorities.",
)
def ping_empties_cluster(subject: Subject) -> t.Iterator[Hit]:
    pings = {
        script.name
        for command in subject.commands
        if _is_ping(command.words) and (script := _script_of(subject, command))
    }
    for holder in (*(instance.statement for instance in subject.instances), *subject.groups):
        for tracker in subject.trackers(holder):
            if tracker.kind == "track_script" and tracker.name in pings and not tracker.weight:
                yield Hit(tracker.statement, f"{tracker.name} pings, and has weight 0.")


# Measured with 2.2 and 2.3: keepalived -t says 0; `script /usr/bin/test -e /usr` fails, for test gets no argument, and
# the second word behind a notify script is its user, the third its group.
@rule(
    "error",
    "keepalived runs the first word without its arguments, or drops a notify script.",
    "Put the whole command line in double quotes.",
)
def script_without_quotes(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        words = command.statement.words
        if len(words) > (2 if words[0] == "script" else 4) and words[0] != "misc_path":
            yield Hit(command.statement, f"{words[2]} does not belong to the command.")


# Measured: keepalived -t says 0, and `test -n $(…)` fails for ever with "too many arguments".
@rule(
    "error",
    "keepalived starts no shell: the program gets these characters as arguments, and the check always fails or always"
    " succeeds.",
    "Put the command into an executable file, or use the program's own options.",
)
def script_needs_shell(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        if command.words and command.words[0].rpartition("/")[2] not in ("sh", "bash", "dash"):
            strange = [word for word in command.words if _SHELL.search(word)]
            if strange:
                yield Hit(command.statement, f"{strange[0]} has a meaning only to a shell.")


# Measured: keepalived -t says 0 to a script that is not executable (2.2 and 2.3) and to a missing notify script; the
# daemon drops them, so that nothing is checked.
@rule(
    "error",
    "keepalived drops the script: nothing is checked or notified any more, and the address does not move.",
    "Install the script with mode 0755 first, or correct its path.",
)
def script_missing(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        file = subject.host.files.get(command.words[0]) if command.words else None
        if file and not (file.is_found and file.is_executable):
            state = "is not executable" if file.is_found else "does not exist"
            yield Hit(command.statement, f"{command.words[0]} {state}.")


def _is_root(subject: Subject, command: Command) -> bool:
    return (command.user or subject.settings.value("script_user", "root")) == "root"


@rule(
    "error",
    "Whoever can change the file, or a directory above it, becomes root; so keepalived drops the script.",
    "Let the file and every directory above it belong to root and be writable by root alone.",
)
def script_insecure(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        file = subject.host.files.get(command.words[0]) if command.words else None
        if file and _is_root(subject, command):
            if file.flaw:
                yield Hit(command.statement, f"{command.words[0]}: {file.flaw}.")
            elif file.link and subject.host.version >= _NO_LINKS:
                yield Hit(command.statement, f"{command.words[0]}: {file.link} is a symbolic link.")


# Measured: 2.2 runs /bin/true where /bin is a link, 2.3 says "due to insecure"; both run a link in a real directory.
@rule(
    "warning",
    "keepalived 2.3 and later drop a script below a directory that is a symbolic link, so an upgrade stops the check.",
    "Write the real path, such as /usr/bin/ping rather than /bin/ping.",
)
def script_behind_link(subject: Subject) -> t.Iterator[Hit]:
    for command in subject.commands:
        file = subject.host.files.get(command.words[0]) if command.words else None
        if file and file.link and not file.flaw and _is_root(subject, command) and subject.host.version < _NO_LINKS:
            yield Hit(command.statement, f"{command.words[0]}: {file.link} is a symbolic link.")


@rule(
    "error",
    "keepalived runs scripts as root without checking who can change them, and its check rejects the text (6).",
    "Add enable_script_security to global_defs.",
)
def script_security_missing(subject: Subject) -> t.Iterator[Hit]:
    if subject.is_whole and subject.commands and not subject.settings.all("enable_script_security"):
        yield Hit(subject.commands[0].statement, "The text has scripts and no enable_script_security.")


@rule(
    "error",
    "There is no account keepalived_script, so keepalived drops the scripts, or runs them as root without being asked.",
    "Set script_user in global_defs, or user in each script.",
)
def script_user_missing(subject: Subject) -> t.Iterator[Hit]:
    if subject.host.has_script_user or not subject.is_whole or subject.settings.all("script_user"):
        return
    for command in subject.commands:
        if not command.user:
            yield Hit(command.statement, f"{command.statement.keyword} has no user.")


# Measured: keepalived -t of 2.2 says 0 and removes the tracker, 2.3 refuses.
@rule(
    "error",
    "keepalived drops the tracker, and never reads the file, even if it appears later.",
    "Create the directory first; below /run, also after each boot.",
)
def track_file_without_directory(subject: Subject) -> t.Iterator[Hit]:
    for section in subject.root.all("track_file", "vrrp_track_file"):
        place = section.last("file")
        directory = place.name.rpartition("/")[0] if place else ""
        file = subject.host.files.get(directory)
        if place and file and not file.is_found:
            yield Hit(place, f"The directory {directory} does not exist.")


# Measured: keepalived -t says 0; the daemon says "Failed to set/clear process event listen", and the instance enters
# FAULT ("quorum not achieved").
@rule(
    "error",
    "The kernel does not report processes inside a container, so the instance stays in FAULT.",
    "Track a script, or a file that the unit of the process writes.",
)
def track_process_in_container(subject: Subject) -> t.Iterator[Hit]:
    for section in subject.root.all("vrrp_track_process"):
        if subject.host.is_container:
            yield Hit(section, "This node is a container.")
