# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host differs from its release: files, the worker, and what was changed in the running HAProxy. Pure.

The disk is compared with the release that is in use there, what runs with the release that the worker runs.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server, configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.server_proof import (
    Compared,
    Difference,
    compare_configured,
    differing,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import digest

if t.TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section, SocketFile
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import Journal
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import ServerState

Key = tuple[str, str]
Lookup = t.Callable[[str], "Collection[str]"]  # the addresses of a name; empty if it does not resolve

EXAMPLES = 10  # shown entries of a file, for each kind
_ID = re.compile(r"[0-9a-f]{12}")
_KEPT = re.compile(r"edited-([0-9a-f]{12})")


@dataclass(frozen=True)
class Drift:
    """All differences. ``running_release`` is None if the worker runs a release that is not stored on the host."""

    release: str | None
    running_release: str | None
    in_sync: bool
    differences: list[Difference]


@dataclass(frozen=True)
class Disk:
    """What is in the directory of the configuration."""

    directory: str
    current: Release | None
    journal: Journal
    younger: Sequence[str] = ()  # files of the current release that changed after its creation
    loose: Mapping[str, bool] = field(default_factory=dict)  # its names without our link; whether a file exists


@dataclass(frozen=True)
class Loaded:
    """The entries that a file should give HAProxy, and the loaded ones; some may be repeated."""

    kind: str  # map, acl or crt_list
    path: str
    desired: Sequence[Hashable] | None  # None: the file is gone
    found: Sequence[Hashable]


# The disk


def compare_disk(disk: Disk) -> list[Difference]:
    """The files and links that changed since the last run."""
    release, pending = disk.current, disk.journal.pending
    found = []
    if release is None:
        why = f"{disk.directory} contains no release yet; the first run of haproxy_config creates one."
        found.append(Difference("release", disk.directory, None, None, why))
    if pending is not None:
        why = f"A run was interrupted while it applied release {pending}; the next run completes it."
        found.append(Difference("release", pending, pending, release.id if release else None, why))
    if release is not None and _is_edited(release, disk.younger):
        found += [_edited(release.id, name) for name in disk.younger] or [_edited(release.id, "")]
    found += [_without_link(disk.directory, name, is_there) for name, is_there in disk.loose.items()]
    return found


def _is_edited(release: Release, younger: Sequence[str]) -> bool:
    if _ID.fullmatch(release.id):
        return not release.is_pristine
    if kept := _KEPT.fullmatch(release.id):
        return kept[1] != digest(release.contents)
    return bool(younger)


def _edited(release: str, name: str) -> Difference:
    what = f"{name} of release {release} was" if name else f"Files of release {release} were"
    path = f"releases/{release}/{name}".rstrip("/")
    return Difference(
        "file", path, "as applied", "edited", f"{what} changed by hand; the next run restores the release."
    )


def _without_link(directory: str, name: str, is_there: bool) -> Difference:
    path, target = f"{directory}/{name}", f"current/{name}"
    lies = "a file from elsewhere" if is_there else "nothing"
    what = "is a file from elsewhere instead of a link" if is_there else "lacks its link"
    why = f"{path} {what} to {target}; the next run restores the link."
    return Difference("link", path, target, lies, why)


# The worker


def compare_worker(current: Release | None, running: Release | None, pid: int, description: str) -> list[Difference]:
    """Compare what the worker runs with what is on the disk."""
    if current is None or (running is not None and running.id == current.id):
        return []
    runs = f"release {running.id}" if running else f"'{description}', which is not a stored release"
    why = f"Worker {pid} runs {runs}, but the disk has release {current.id}; a run of haproxy_config applies it."
    return [Difference("worker", str(pid), current.id, running.id if running else description, why)]


# Sockets


def compare_sockets(sockets: Iterable[SocketFile], modes: Mapping[str, int]) -> list[Difference]:
    """Compare the modes of sockets with those that the configuration gives them."""
    return [
        Difference(
            "socket",
            socket.path,
            f"{socket.mode:04o}",
            f"{modes[socket.path]:04o}",
            f"The socket {socket.path} has the mode {modes[socket.path]:04o}, not {socket.mode:04o}.",
        )
        for socket in sockets
        if socket.mode is not None and modes.get(socket.path, socket.mode) != socket.mode
    ]


# Servers


def compare_servers(
    sections: Iterable[Section], states: Mapping[Key, ServerState], limits: Mapping[Key, int], lookup: Lookup
) -> list[Difference]:
    """Compare servers as the configuration has them with those that run; ``limits`` are their maxconn."""
    differences: list[Difference] = []
    desired = configured_servers(sections)
    for key, wanted in desired.items():
        if key in states:
            differences += compare_configured(key, wanted, states[key])
            differences += _compare_name(key, wanted, states[key], lookup)
            differences += _compare_by_hand(key, wanted, states[key], limits.get(key, 0))
        else:
            why = f"Server {'/'.join(key)} of the release is missing."
            differences.append(Difference("server", "/".join(key), "present", "absent", why))
    for key in states:
        if key not in desired:
            why = f"Server {'/'.join(key)} was added by hand; a reload drops it."
            differences.append(Difference("server", "/".join(key), "absent", "present", why))
    return differences


def _compare_name(key: Key, wanted: Server, state: ServerState, lookup: Lookup) -> list[Difference]:
    """Compare the address of a name with what it means now; HAProxy itself follows name servers that it knows."""
    host = wanted.host
    if host is None or wanted.is_resolved_at_run_time:
        return []
    addresses = lookup(host)
    name, wants, has = "/".join(key), " or ".join(sorted(addresses)), state.address
    if addresses and has not in addresses:
        why = f"Server {name} has the address {has or 'none'}, but {host} is now {wants}; a reload looks it up again."
    elif not addresses and not has:
        why = f"Server {name} has no address because {host} does not resolve; it stays down until a reload finds one."
    else:
        return []
    return [Difference("server_address", name, wants or host, has or None, why)]


def _compare_by_hand(key: Key, wanted: Server, state: ServerState, limit: int) -> list[Difference]:
    compared: list[Compared] = []
    if not wanted.has_agent:  # else its agent sets these
        compared.append(("weight", "has the weight", wanted.weight, state.weight))
        compared.append(("state", "is set to", "maint" if wanted.disabled else "ready", state.state))
    if not wanted.options.has("minconn"):
        compared.append(("maxconn", "has the maxconn", wanted.numbers.get("maxconn", 0), limit))
    if wanted.is_checked and state.has_check:
        compared.append(("check", "has its check", "enabled", "enabled" if state.check_enabled else "disabled"))
    return differing(key, compared)


# Maps, ACLs, certificates and lists of them


def compare_loaded(files: Iterable[Loaded], show: t.Callable[[str], str] = str) -> list[Difference]:
    """Compare the entries of files with those that are loaded; ``show`` hides what is secret."""
    differences = []
    for file in files:
        if file.desired is None:
            why = f"{file.path} is not on the disk; HAProxy keeps its {len(file.found)} entries until the next reload."
            differences.append(Difference(file.kind, file.path, None, len(file.found), why))
            continue
        desired, found = Counter(file.desired), Counter(file.found)
        missing, extra = list((desired - found).elements()), list((found - desired).elements())
        if missing or extra:
            why = f"HAProxy has {len(extra)} entries that are not in {file.path}, and lacks {len(missing)} that are."
            differences.append(Difference(file.kind, file.path, _examples(missing, show), _examples(extra, show), why))
    return differences


def _examples(entries: Sequence[Hashable], show: t.Callable[[str], str]) -> dict[str, t.Any]:
    """The number of entries on one side only, and some of them."""
    words = (" ".join(entry) if isinstance(entry, tuple) else str(entry) for entry in entries[:EXAMPLES])
    return {"count": len(entries), "examples": [show(text) for text in words]}


def compare_certificates(desired: Mapping[str, str | None], loaded: Mapping[str, str]) -> list[Difference]:
    """Compare the fingerprints of files with those of the loaded certificates; None: there is none in this file."""
    differences = []
    for path, wanted in desired.items():
        found = loaded.get(path)
        if found == wanted:
            continue
        if found is None:
            why = f"{path} is on the disk, but HAProxy has not loaded it; a reload loads it."
        elif wanted is None:
            why = (
                f"HAProxy has loaded {path}, but the file no longer contains a certificate; the next reload will fail."
            )
        else:
            why = f"HAProxy has loaded a certificate other than the one in {path}; a reload loads that."
        differences.append(Difference("certificate", path, wanted, found, why))
    return differences
