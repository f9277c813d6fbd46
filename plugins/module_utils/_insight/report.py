# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Status, drift, certificates and virtual addresses as readable lines. Pure."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]

CERTIFICATES = 5  # those that expire first
DIFFERENCES = 30  # the result has all of them
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def report(found: Data) -> list[str]:
    """Format the gathered subsets; of virtual addresses only the problems."""
    lines = [problem for vip in found.get("vips", ()) for problem in vip["problems"]]
    if "drift" in found:
        lines += drift_lines(found["drift"])
    if "certificates" in found:
        lines += certificate_lines(found["certificates"])
    if "status" in found:  # the longest
        lines += status_lines(found["status"])
    return lines


def status_lines(status: Data) -> list[str]:
    """The tree. A healthy backend takes one line, a repeated one only its name."""
    shown: set[str] = set()
    lines = [f"{status['status']}: {', '.join(_counted(kind, counts) for kind, counts in status['counts'].items())}"]
    for front in status["frontends"]:
        state = front["state"] or "not running"
        full = f"{front['sessions']}/{front['limit']} sessions"
        through = f", through {', '.join(front['through'])}" if front["through"] else ""
        lines.append(f"  {front['name']} {front['status']} ({state}, {full}{through})")
        for backend in front["backends"]:
            known = [f"    {backend['name']} {backend['status']}, see above"]
            lines += known if backend["name"] in shown else _backend_lines(backend, "    ")
            shown.add(backend["name"])
    if status["backends"]:
        lines.append("  backends without a frontend")
        for backend in status["backends"]:
            lines += _backend_lines(backend, "    ")
    return lines


def drift_lines(drift: Data) -> list[str]:
    """One line if the host is in sync, otherwise one line per difference."""
    release = f"release {drift['release']}" if drift["release"] else "no release"
    if drift["in_sync"]:
        return [f"in sync: {release} is on the disk and runs"]
    runs, differences = drift["running_release"] or "an unknown one", drift["differences"]
    many = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
    rest = len(differences) - DIFFERENCES
    both = (
        f"{release} is on the disk and runs" if runs == drift["release"] else f"{release} is on the disk, {runs} runs"
    )
    return [
        f"OUT OF SYNC: {both}, {many}",
        *(f"  {difference['sentence']}" for difference in differences[:DIFFERENCES]),
        *([f"  and {rest} more"] if rest > 0 else []),
    ]


def certificate_lines(certificates: t.Sequence[Data]) -> list[str]:
    """The certificates that expire first."""
    dated = [certificate for certificate in certificates if certificate["days_left"] is not None]
    first = sorted(dated, key=lambda certificate: int(certificate["days_left"]))[:CERTIFICATES]
    more = f", these expire first of {len(dated)}" if len(dated) > len(first) else ""
    return [
        *([f"certificates{more}"] if first else []),
        *(f"  {certificate['path']} {_days(certificate['days_left'])}" for certificate in first),
    ]


def _backend_lines(backend: Data, indent: str) -> list[str]:
    state = backend["state"] or "not running"
    servers = backend["servers"]
    if backend["status"] == "ONLINE" and all(server["status"] == "ONLINE" for server in servers):
        names = f": {', '.join(server['name'] for server in servers)}" if servers else ""
        return [f"{indent}{backend['name']} ONLINE{names}"]
    return [
        f"{indent}{backend['name']} {backend['status']} ({state})",
        *(f"{indent}  {_server(server)}" for server in servers),
    ]


def _server(server: Data) -> str:
    since = "" if server["last_change_seconds"] is None else f"for {_duration(server['last_change_seconds'])}"
    facts = (
        server["address"],
        f"{server['state']} {since}".strip(),
        server["check"],
        f"{server['sessions']} sessions",
        f"weight {server['weight']}",
        "backup" if server["backup"] else None,
    )
    return f"{server['name']} {server['status']} ({', '.join(filter(None, facts))})"


def _counted(kind: str, counts: t.Mapping[str, int]) -> str:
    total = sum(counts.values())
    rest = ", ".join(f"{count} {status}" for status, count in counts.items() if count and status != "ONLINE")
    return f"{total} {kind} ({rest})" if rest else f"{total} {kind}"


def _duration(seconds: int) -> str:
    unit, size = next((unit for unit in _UNITS if seconds >= unit[1]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def _days(days: int) -> str:
    if days < 0:
        return f"EXPIRED {-days} {'day' if days == -1 else 'days'} ago"
    return f"{days} {'day' if days == 1 else 'days'} left"
