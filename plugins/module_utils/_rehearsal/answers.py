# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of a request: the reply, the visit at a server, and the way there. Pure."""

from __future__ import annotations

import dataclasses

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Certificate

ANSWERED = "answered"
#: what a stand-in answers with, besides the length: what load balancers often remove is there to be removed
STAND_IN_HEADERS = (("Content-Type", "text/plain"), ("Server", "Rehearsal"), ("X-Powered-By", "Rehearsal"))
#: the name on a certificate that stands in for one of the load balancer's
STAND_IN = "rehearsal.invalid"


@dataclasses.dataclass(frozen=True)
class Hop:
    """A frontend that received the request, and the backend and server it chose; empty if it chose none."""

    frontend: str
    backend: str = ""
    server: str = ""

    def __str__(self) -> str:
        place = "/".join(filter(None, (self.backend, self.server)))
        return f"{self.frontend} > {place or 'no backend'}"


@dataclasses.dataclass(frozen=True)
class Visit:
    """A request as a server received it."""

    endpoint: tuple[str, int]
    source: str
    hops: tuple[Hop, ...]
    request: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False
    sni: str = ""
    problem: str = ""

    @property
    def target(self) -> str:
        """Path and query of an HTTP request: RFC 9112, section 3.2; empty without one."""
        return self.request.split(" ")[1] if self.request else ""


@dataclasses.dataclass(frozen=True)
class Reply:
    """A reply as the client received it."""

    connection: str  # answered, refused, reset or timeout
    address: str = ""
    status: int = 0
    http: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    certificate: Certificate | None = None

    def header(self, name: str) -> str | None:
        return header(self.headers, name)

    def __str__(self) -> str:
        return f"status {self.status}" if self.status else self.connection


@dataclasses.dataclass(frozen=True)
class Answer:
    """All results of one request. ``hops`` is its way through HAProxy; the last one led to the answer."""

    reply: Reply
    visit: Visit | None = None
    hops: tuple[Hop, ...] = ()
    bind: str = ""

    @property
    def backend(self) -> str:
        return self.hops[-1].backend if self.hops else ""

    @property
    def server(self) -> str:
        return self.hops[-1].server if self.hops else ""

    @property
    def way(self) -> str:
        """The way of the request, on one line."""
        if not self.hops:
            return f"{self.bind or self.reply.address}: nobody listens"
        answered = "" if self.visit else " (HAProxy itself answered)"
        return f"{self.bind} > {' > '.join(map(str, self.hops))}{answered}"


def header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """The value of a header; several values are combined as in RFC 9110, section 5.3."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None
