# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the certificates of all nodes, and the authorities behind them, are still valid."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

Data = t.Mapping[str, t.Any]

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Expiry:
    """A certificate, where it is, and how many whole days it has; one that has expired has less than none."""

    days: int
    name: str
    hosts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """A line for people."""
        names = f" ({', '.join(self.names)})" if self.names else ""
        return f"{left(self.days):>16}  {self.name}{names} on {', '.join(self.hosts)}"


def unanswered(hosts: t.Mapping[str, Data], statuses: t.Mapping[str, Data]) -> list[str]:
    """A sentence for each node that does not tell its certificates, or how its orders ended.

    ``hosts`` has the results of haproxy_info, ``statuses`` the registered results of ``haproxy-acme status``; both are
    empty where there is none.
    """
    return [
        *(f"{host} does not tell its certificates" for host, result in hosts.items() if "certificates" not in result),
        *(
            f"{host} does not tell how its orders ended (haproxy-acme status)"
            for host, result in statuses.items()
            if result.get("rc", 0) != 0
        ),
    ]


def _that_end(result: Data) -> list[Data]:
    """The certificates of a node and its revocation lists; of other CA files the setup host tells."""
    lists = [file for file in result.get("ca_files", ()) if file["kind"] == "crl"]
    return [*result.get("certificates", ()), *lists]


def expiries(hosts: t.Mapping[str, Data], authorities: t.Sequence[Data], now: float) -> list[Expiry]:
    """What expires first comes first; a certificate that is the same on several nodes comes once.

    ``hosts`` has the result of haproxy_info of each node, ``authorities`` those that pki_certificates tells. ``now`` is
    in seconds since 1970.
    """
    found: dict[tuple[str, str], tuple[Data, list[str]]] = {}
    for host, result in hosts.items():
        for certificate in _that_end(result):
            if certificate.get("days_left") is not None:
                # A revocation list has no serial number.
                key = (certificate["path"], certificate.get("serial") or str(certificate["not_after"]))
                found.setdefault(key, (certificate, []))[1].append(host)
    listed = [
        Expiry(certificate["days_left"], path, tuple(where), tuple(certificate.get("san", ())))
        for (path, _serial), (certificate, where) in found.items()
    ]
    listed += [
        Expiry(days_until(authority["not_after"], now), f"authority {authority['name']}", ("the setup host",))
        for authority in authorities
    ]
    return sorted(listed, key=lambda each: (each.days, each.name, each.hosts))


def left(days: int) -> str:
    """How people say it."""
    return f"EXPIRED {-days} d ago" if days < 0 else f"{days} d left"


def days_until(text: str, now: float) -> int:
    """Whole days until a moment of ISO 8601; less than none when it is over."""
    end = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (end - datetime.datetime.fromtimestamp(now, datetime.timezone.utc)) // _DAY
