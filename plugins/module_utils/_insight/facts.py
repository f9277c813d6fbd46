# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of haproxy_info, read from HAProxy's sockets and from the disk; nothing is changed."""

from __future__ import annotations

import socket
import time
import typing as t
from dataclasses import asdict
from functools import cache
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind, binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse, socket_files
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drift import (
    Disk,
    Drift,
    Loaded,
    compare_certificates,
    compare_disk,
    compare_loaded,
    compare_servers,
    compare_sockets,
    compare_worker,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.reach import ports, unanswered
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.status import tree
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.tables import parse_tables
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.server_proof import Difference
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION, Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates, crtlists, patterns
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import SocketError
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import parse_processes
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import parse_servers, read_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.sessions import parse_sessions
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row, parse_stats, parse_typed_info
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import require
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import pem
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, shown
from ansible_collections.lbforge.haproxy.plugins.module_utils.mask import masked

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
    from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drift import Lookup
    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient, Session
    from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import ServerState

Data = dict[str, t.Any]
T = t.TypeVar("T")

REACH_PATIENCE, REACH_LIMIT = 2.0, 10.0  # seconds for one port and for all of them
RELOADING = 3.0  # seconds during which the sockets of a reloading HAProxy may refuse
OPERATIONAL = ("stopped", "starting", "running", "stopping")
# Commands for sockets of level operator and admin.
OPERATORS = ("sessions", "certificates", "ca_files", "drift")
# Files beside a certificate that are not certificates.
_NO_CERTIFICATES = (".issuer", ".key", ".ocsp", ".sctl")


def addresses(host: str) -> set[str]:
    """The addresses of a name from the host's resolver; empty if there are none."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


class Facts:
    """Reads subsets of facts. Each is independent: one that fails hides no other."""

    SUBSETS = (
        *("processes", "info", "stats", "servers", "sessions"),
        *("tables", "maps", "certificates", "ca_files", "drift", "status", "vips"),
    )

    def __init__(
        self,
        client: RuntimeClient,
        master: RuntimeClient,
        store: ReleaseStore,
        certificate_dir: Path,
        backends: Sequence[str] = (),
        vips: Sequence[str] = (),
        lookup: Lookup | None = None,
    ) -> None:
        self._client = client
        self._master = master
        self._store = store
        self._certificate_dir = certificate_dir
        self._backends = backends
        self._vips = vips
        self._lookup = lookup or cache(addresses)
        self._patience = RELOADING

    def gather(self, names: Sequence[str]) -> tuple[Data, list[Problem]]:
        """Read these subsets; return them and the errors."""
        found: Data = {}
        problems: list[Problem] = []
        for name in names:
            try:
                if name in OPERATORS:
                    self._require_operator()
                found[name] = getattr(self, name)()
            except (LbforgeError, OSError) as error:
                if isinstance(error, SocketError):
                    self._patience = 0.0  # waiting once is enough
                what = str(error) if isinstance(error, LbforgeError) else f"Cannot read a file: {error}."
                problems.append(Problem("gather", shown(name), what, name=name))
        return found, problems

    # From HAProxy

    def processes(self) -> Data:
        """The family of the master."""
        family = parse_processes(self._master.ask("show proc", patience=self._patience))
        serving = family.serving
        return {
            "master": asdict(family.master),
            "failed_reloads": family.failed,
            "workers": [asdict(worker) for worker in family.workers],
            "old_workers": [asdict(worker) for worker in family.old_workers],
            "serving": serving.pid if serving else None,
        }

    def info(self) -> Row:
        """The worker's information about itself."""
        return self._parsed("show info typed", parse_typed_info)

    def stats(self) -> list[Row]:
        """All counters."""
        return self._parsed(
            "show stat",
            lambda text: [row for row in parse_stats(text) if not self._backends or row["pxname"] in self._backends],
        )

    def servers(self) -> list[Data]:
        """The servers as commands see them."""
        states = self._parsed("show servers state", parse_servers)
        return [_server(state) for state in states.values() if not self._backends or state.backend in self._backends]

    def sessions(self) -> Data:
        """Counts of sessions."""
        return asdict(self._parsed("show sess", lambda text: parse_sessions(text, self._backends)))

    def tables(self) -> list[Data]:
        """The stick tables, without their entries."""
        return [asdict(table) for table in self._parsed("show table", parse_tables)]

    def maps(self) -> list[Data]:
        """The maps and ACLs that come from files, without their entries."""
        listed = {**patterns.loaded(self._read("show acl")), **patterns.loaded(self._read("show map"))}
        return [
            # HAProxy counts entries times uses, and the count wraps around after a removal.
            {
                "path": file.path,
                "kind": file.kind,
                "id": file.id,
                "entries": len(patterns.entries(self._client, file.kind, file.path)),
            }
            for path, file in sorted(listed.items())
            if not path.startswith("#")
        ]

    def certificates(self) -> list[Data]:
        """The certificates that are loaded, and how long they last."""
        now = time.time()
        with self._client.session() as session:
            paths = certificates.listing(session).paths
            updates = certificates.ocsp_updates(session)
            return [_certificate(certificates.shown(session, path), updates, now) for path in paths]

    def ca_files(self) -> list[Data]:
        """The CA and CRL files that verify clients and servers, and their validity."""
        now = time.time()
        with self._client.session() as session:
            require("ca files", session.version)
            return [
                _ca_file(certificates.shown(session, path, kind), kind, now)
                for kind in (certificates.CA_FILE, certificates.CRL_FILE)
                for path in certificates.listing(session, kind).paths
            ]

    # With the disk

    def status(self) -> Data:
        """The tree of frontends, backends and servers."""
        sections = parse((self._store.config_dir / CONFIGURATION).read_text(errors="replace"))
        return asdict(self._parsed("show stat", lambda text: tree(sections, parse_stats(text), self._backends)))

    def vips(self) -> list[Data]:
        """Which ports HAProxy binds at virtual addresses, and which of them do not answer from here."""
        sections = parse((self._store.config_dir / CONFIGURATION).read_text(errors="replace"))
        bound = binds(sections)
        wanted = {vip: ports(vip, bound) for vip in self._vips}
        targets = [(vip, port) for vip, numbers in wanted.items() for port in numbers]
        silent = unanswered(targets, REACH_PATIENCE, REACH_LIMIT)
        return [
            {
                "address": vip,
                "ports": numbers,
                "problems": [
                    f"{Bind(vip, port)} does not answer: {silent[vip, port]}."
                    for port in numbers
                    if (vip, port) in silent
                ]
                if numbers
                else [f"HAProxy does not listen on {vip}, which is a virtual address."],
            }
            for vip, numbers in wanted.items()
        ]

    def drift(self) -> Data:
        """The differences from the current release."""
        store, current = self._store, self._store.current
        with self._client.session() as session:
            description = session.info.get("description", "")
            release = Release(current, store.read(current)) if current else None
            running = store.running(session.pid, description)
            differences = compare_disk(self._disk(release))
            differences += compare_worker(release, running, session.pid, description)
            if running is not None:
                differences += self._at_run_time(session, running)
            differences += compare_certificates(*self._fingerprints(session, running.sections if running else []))
        found = Drift(current, running.id if running else None, not differences, differences)
        return asdict(found)

    def _disk(self, release: Release | None) -> Disk:
        store = self._store
        if release is None:
            return Disk(str(store.config_dir), None, store.journal)
        directory = store.releases / release.id
        # The hidden state beside the files is written last.
        made = max((path.stat().st_mtime_ns for path in directory.glob(".*")), default=0)
        younger = [name for name in sorted(release.contents) if made < (directory / name).stat().st_mtime_ns]
        loose = {name: (store.config_dir / name).exists() for name in store.loose(release.contents)}
        return Disk(str(store.config_dir), release, store.journal, younger if made else [], loose)

    def _at_run_time(self, session: Session, release: Release) -> list[Difference]:
        states, stats = read_servers(session)
        limits = {server: numbers.maxconn for server, numbers in stats.items()}
        secrets = self._store.secrets(release.id)
        sockets = socket_files(release.sections)
        modes = {one.path: Path(one.path).stat().st_mode & 0o7777 for one in sockets if Path(one.path).is_socket()}
        loaded = [*self._patterns(session, release), *self._crt_lists(session, release)]
        return [
            *compare_sockets(sockets, modes),
            *compare_servers(release.sections, states, limits, self._lookup),
            *compare_loaded(loaded, lambda text: masked(text, secrets)),
        ]

    def _patterns(self, session: Session, release: Release) -> Iterator[Loaded]:
        listed = {**patterns.loaded(session.run("show acl")), **patterns.loaded(session.run("show map"))}
        for name, file in listed.items():
            if (path := _path(name)) is not None:
                text = self._text(path, release)
                desired = None if text is None else patterns.parse(file.kind, text)
                yield Loaded(file.kind, str(path), desired, patterns.entries(session, file.kind, name))

    def _crt_lists(self, session: Session, release: Release) -> Iterator[Loaded]:
        for name in session.run("show ssl crt-list").split("\n"):
            path = _path(name)
            if path is None or path.is_dir():
                continue
            found = crtlists.running(session, name)
            text = self._text(path, release)
            desired = None if text is None else crtlists.parse_text(text)
            yield Loaded(
                "crt_list",
                name,
                None if desired is None else [_entry(entry, found) for entry in desired],
                [_entry(entry, found) for entry in found],
            )

    def _fingerprints(
        self, session: Session, sections: Sequence[Section]
    ) -> tuple[dict[str, str | None], dict[str, str]]:
        """The SHA-1 of certificates on the disk and of those that are loaded."""
        shown = {path: certificates.shown(session, path) for path in certificates.listing(session).paths if _path(path)}
        loaded = {path: file.leaf.sha1 for path, file in shown.items() if file.leaf.sha1}
        words = {word.rstrip("/") for section in sections for line in section.lines_with("bind") for word in line}
        lying = []
        if str(self._certificate_dir) in words and self._certificate_dir.is_dir():
            lying = [str(path) for path in self._certificate_dir.iterdir() if _is_loaded_with_directory(path)]
        desired = {path: _fingerprint(Path(path)) for path in dict.fromkeys([*loaded, *lying])}
        return {path: sha1 for path, sha1 in desired.items() if sha1 or path in loaded}, loaded

    def _text(self, path: Path, release: Release) -> str | None:
        """A file as the worker should have read it; None when there is none."""
        if path.parent == self._store.config_dir and path.name in release.contents:
            return release.texts[path.name]
        return path.read_text(errors="surrogateescape") if path.is_file() else None

    def _parsed(self, command: str, parse: t.Callable[[str], T]) -> T:
        return self._client.parsed(command, parse, patience=self._patience)

    def _read(self, command: str) -> str:
        return self._client.read(command, patience=self._patience)

    def _require_operator(self) -> None:
        """Reject what HAProxy would reject, because 2.6 then reports a lack of memory."""
        level = self._client.ask("show cli level", patience=self._patience).strip()
        if level == "user":
            raise LbforgeError(
                f"The socket {self._client.address} has level user, but this needs level operator. Set option socket to"
                " another one, or add 'level operator' to this one in HAProxy's configuration."
            )


def _server(state: ServerState) -> Data:
    return {
        "backend": state.backend,
        "name": state.name,
        "address": state.address or None,
        "port": state.port or None,
        "fqdn": state.fqdn or None,
        "state": state.state,
        "operational": OPERATIONAL[state.operational],
        "weight": state.weight,
        "initial_weight": state.initial_weight,
        "check": state.check_enabled,
        "check_port": state.check_port or None,
        "agent": state.agent_enabled,
        "ssl": state.ssl,
    }


def _certificate(file: certificates.File, ocsp_updates: t.Mapping[str, str], now: float) -> Data:
    leaf = file.leaf
    return {
        "path": file.path,
        "used": file.status == "Used",
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "serial": leaf.serial,
        "san": list(leaf.san),
        "algorithm": leaf.algorithm,
        "sha1": leaf.sha1,
        "not_before": leaf.not_before or None,
        "not_after": leaf.not_after or None,
        "days_left": certificates.days_until(leaf.not_after, now) if leaf.not_after else None,
        "ocsp_update": ocsp_updates.get(file.ocsp_id),
    }


def _ca_file(file: certificates.File, kind: str, now: float) -> Data:
    ends = [each.not_after for each in file.certificates] + [each.next_update for each in file.lists]
    # A list without a next update does not expire.
    not_after = min((end for end in ends if end), default=None)
    return {
        "path": file.path,
        "kind": "ca" if kind == certificates.CA_FILE else "crl",
        "entries": len(ends),
        "revoked": sum(len(each.revoked) for each in file.lists),
        "not_after": not_after,
        "days_left": None if not_after is None else certificates.days_until(not_after, now),
    }


def _path(name: str) -> Path | None:
    """The path of a file of HAProxy; None if it is only in memory or relative."""
    path = name.removeprefix("file@").removeprefix("opt@")
    return Path(path) if path.startswith("/") else None


def _entry(entry: crtlists.Entry, found: Sequence[crtlists.Entry]) -> tuple[str, ...]:
    """A line of a crt-list, with HAProxy's path and order of names."""
    entry = next((running for running in found if running.serves(entry)), entry)
    return (entry.path, *entry.filters)


def _is_loaded_with_directory(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix not in _NO_CERTIFICATES


def _fingerprint(path: Path) -> str | None:
    """The SHA-1 of the first certificate in a file, as HAProxy shows it; None if it cannot be read."""
    try:
        return next((certificate.sha1 for certificate in pem.certificates(path.read_text(errors="replace"))), None)
    except (FileNotFoundError, pem.PemError):
        return None
