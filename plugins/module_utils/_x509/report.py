# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a call, and the files that it returns."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import certificate as crypto
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import crl as revocation
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import authority_place, certificate_place

if t.TYPE_CHECKING:
    import datetime
    import pathlib

    from cryptography import x509

    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.issue import Holding, Outcome
    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import Request
    from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import Store

Data = dict[str, t.Any]


class Retired:
    """The earlier certificates of regenerated authorities, while they are valid."""

    def __init__(self, store: Store, names: t.Iterable[str], now: datetime.datetime) -> None:
        self._now = now
        places = {name: authority_place(name) for name in names}
        self._certificates = {name: store.retired(place, place.certificate) for name, place in places.items()}
        self._lists = {name: store.retired(place, place.crl) for name, place in places.items()}

    def certificates(self, authority: str) -> t.Iterator[tuple[str, x509.Certificate]]:
        """Yield its earlier certificates with their names."""
        for name, pem in self._certificates[authority].items():
            with contextlib.suppress(crypto.Unreadable):
                certificate = crypto.load_certificates(pem)[0]
                if not crypto.expiry_problem(certificate, self._now):
                    yield name, certificate

    def lists(self, authority: str) -> t.Iterator[x509.CertificateRevocationList]:
        """Yield its earlier revocation lists."""
        for pem in self._lists[authority].values():
            with contextlib.suppress(crypto.Unreadable):
                crl = revocation.load_crl(pem)
                if crl.next_update_utc and crl.next_update_utc > self._now:
                    yield crl


def anchors(request: Request, outcome: Outcome, retired: Retired) -> list[Data]:
    """The trust anchors: the authorities, and their earlier certificates."""
    found = [(name, outcome.authorities[name].certificate) for name in request.anchors]
    found += [earlier for name in request.anchors for earlier in retired.certificates(name)]
    return [{"name": name, "content": crypto.certificates_pem([certificate]).decode()} for name, certificate in found]


def ca_files(request: Request, outcome: Outcome, retired: Retired) -> t.Iterator[Data]:
    """The CA files that verify the clients of an authority, including those from before its regeneration."""
    for name in request.ca_files:
        trusted = [outcome.authorities[name].certificate, *(each for _name, each in retired.certificates(name))]
        yield {"name": f"{name}.ca.pem", "content": crypto.certificates_pem(trusted).decode()}
        if name in outcome.crls:
            lists = [outcome.crls[name], *retired.lists(name)]
            content = b"".join(map(revocation.crl_pem, lists)).decode()
            yield {"name": f"{name}.crl.pem", "content": content}


def files(request: Request, holdings: t.Mapping[str, Holding], sources: t.Mapping[str, bytes]) -> list[Data]:
    """The files that nodes get, with their content."""
    return [
        {
            "dest": file.dest,
            "owner": file.owner,
            "group": file.group,
            "mode": file.mode,
            "content": (sources[file.src] if file.src else holdings[file.name].part(file.part)).decode(),
        }
        for file in request.files
    ]


def crls(outcome: Outcome, directory: pathlib.Path) -> list[Data]:
    """The revocation lists."""
    return [
        {
            "name": name,
            "path": str(directory / authority_place(name).crl),
            "content": revocation.crl_pem(crl).decode(),
            **revocation.facts(crl),
        }
        for name, crl in outcome.crls.items()
    ]


class Facts:
    """The facts of certificates; those made in memory by check mode have no serial or fingerprint yet."""

    def __init__(self, outcome: Outcome, directory: pathlib.Path, check_mode: bool) -> None:
        self._outcome = outcome
        self._directory = directory
        self._predicted = {action.new for action in outcome.actions} if check_mode else set()

    def authorities(self) -> list[Data]:
        return self._all(self._outcome.authorities, lambda name: self._directory / authority_place(name).certificate)

    def certificates(self) -> list[Data]:
        return self._all(self._outcome.certificates, lambda name: self._directory / certificate_place(name).certificate)

    def user_certificates(self, request: Request, users: t.Mapping[str, Holding]) -> list[Data]:
        return self._all(users, {user.name: user.cert for user in request.user_certificates}.__getitem__)

    def diff(self) -> Data:
        """Serials and dates before and after, and the reasons."""
        before: Data = {}
        after: Data = {}
        for action in self._outcome.actions:
            label = f"{action.type} {action.name}"
            if action.old:
                before[label] = {key: crypto.facts(action.old)[key] for key in ("serial", "not_after")}
            after[label] = {"reasons": list(action.reasons)}
            if action.new:
                new = crypto.facts(action.new) if action.new == action.old else self._one(action.new)
                after[label] |= {"serial": new["serial"], "not_after": new["not_after"]}
        return {"before": before, "after": after}

    def _all(self, holdings: t.Mapping[str, Holding], path: t.Callable[[str], pathlib.Path | str]) -> list[Data]:
        return [
            {"name": name, "path": str(path(name)), **self._one(holding.certificate)}
            for name, holding in holdings.items()
        ]

    def _one(self, certificate: x509.Certificate) -> Data:
        unknown = {"serial": None, "fingerprint": None} if certificate in self._predicted else {}
        return {**crypto.facts(certificate), **unknown}
