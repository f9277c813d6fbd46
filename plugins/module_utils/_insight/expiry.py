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
    """A certificate, its hosts, and its remaining whole days; negative after its expiry."""

    days: int
    name: str
    hosts: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """A readable line."""
        names = f" ({', '.join(self.names)})" if self.names else ""
        return f"{remaining(self.days):>16}  {self.name}{names} on {', '.join(self.hosts)}"


def unanswered(hosts: t.Mapping[str, Data], statuses: t.Mapping[str, Data]) -> list[str]:
    """A sentence for each node that does not report its certificates or the state of its orders.

    ``hosts`` has the results of haproxy_info, ``statuses`` the registered results of ``haproxy-acme status``; both are
    empty where there is none.
    """
    return [
        *(f"{host} does not report its certificates" for host, result in hosts.items() if "certificates" not in result),
        *(
            f"{host} does not report the state of its orders (haproxy-acme status)"
            for host, result in statuses.items()
            if result.get("rc", 0) != 0
        ),
    ]


def _expiring(result: Data) -> list[Data]:
    """The certificates and revocation lists of a node; the setup host reports other CA files."""
    lists = [file for file in result.get("ca_files", ()) if file["kind"] == "crl"]
    return [*result.get("certificates", ()), *lists]


def expiries(hosts: t.Mapping[str, Data], authorities: t.Sequence[Data], now: float) -> list[Expiry]:
    """The certificates, the first to expire first; a certificate on several nodes is listed once.

    ``hosts`` has the result of haproxy_info of each node, ``authorities`` those that pki_certificates tells. ``now`` is
    in seconds since 1970.
    """
    found: dict[tuple[str, str], tuple[Data, list[str]]] = {}
    for host, result in hosts.items():
        for certificate in _expiring(result):
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


def remaining(days: int) -> str:
    """Days in words."""
    return f"EXPIRED {-days} d ago" if days < 0 else f"{days} d left"


def days_until(text: str, now: float) -> int:
    """Whole days until a time in ISO 8601; negative if it has passed."""
    end = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (end - datetime.datetime.fromtimestamp(now, datetime.timezone.utc)) // _DAY
