# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An expectation: what a client does, and what should come of it. Pure."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.schema import EXPECTATION, VARIABLE
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import ListOf
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import ProblemsError

# Nobody's, so that lists of private networks do not know it: RFC 5737 and RFC 3849.
CLIENT_IPV4 = "198.51.100.1"
CLIENT_IPV6 = "2001:db8::1"

Pairs = tuple[tuple[str, str], ...]
Data = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class ClientCertificate:
    """A certificate that a client shows."""

    name: str
    subject: Pairs = ()
    names: tuple[str, ...] = ()
    state: str = "valid"  # valid, expired, revoked or untrusted


@dataclasses.dataclass(frozen=True)
class Request:
    """What a client does: asks for a URL, or connects."""

    url: str = ""
    connect: str = ""
    method: str = "GET"
    headers: Pairs = ()
    body: str = ""
    http: str = "1"
    source: str = ""
    to: str = ""
    tls: bool = False
    sni: str = ""
    certificate: ClientCertificate | None = None
    times: int = 1
    timeout: int = 10

    @property
    def is_tls(self) -> bool:
        """Whether the client speaks TLS."""
        return self.url.startswith("https://") or bool(self.connect and (self.tls or self.sni))

    @cached_property
    def host(self) -> str:
        """The host that the client is told, without brackets."""
        if self.connect:
            return self.connect.rpartition(":")[0].strip("[]")
        return urllib.parse.urlsplit(self.url).hostname or ""

    @cached_property
    def port(self) -> int:
        """The port that the client connects to."""
        if self.connect:
            return int(self.connect.rpartition(":")[2])
        return urllib.parse.urlsplit(self.url).port or (443 if self.is_tls else 80)

    @cached_property
    def authority(self) -> str:
        """The host and, where it is not that of the scheme, the port, as in the header Host: RFC 9110, section 7.2."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query."""
        parts = urllib.parse.urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def words(self) -> str:
        """The request in a line."""
        return f"{self.method} {self.url}" if self.url else f"connect {self.connect}"


@dataclasses.dataclass(frozen=True)
class Given:
    """What is not as on a good day: servers, by their names or addresses, and entries of maps, by their files."""

    down: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()
    maintenance: tuple[str, ...] = ()
    #: keys with their values; the patterns of an ACL have none
    maps: tuple[tuple[str, Pairs], ...] = ()


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate that a client is shown."""

    names: tuple[str, ...] = ()
    issuer: str = ""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What should come, or must not; what is empty does not matter."""

    connection: str = ""
    service: str = ""
    frontend: str = ""
    backend: str = ""
    server: tuple[str, ...] = ()
    same_server: bool | None = None
    status: int = 0
    target: str = ""
    location: str = ""
    request_headers: Pairs = ()
    without_request_headers: tuple[str, ...] = ()
    response_headers: Pairs = ()
    without_response_headers: tuple[str, ...] = ()
    body: str = ""
    http: str = ""
    certificate: Certificate | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """A request, and what should or must not come of it; ``path`` is where both stand."""

    path: str
    request: Request
    expected: Expected
    unwanted: Expected


@dataclasses.dataclass(frozen=True)
class Expectation:
    """One test of a configuration; ``path`` is where it stands."""

    path: str
    name: str
    given: Given
    steps: tuple[Step, ...]
    #: whether the client keeps its cookies from one request to the next
    keeps_cookies: bool = False


def parse(values: t.Any) -> list[Expectation]:
    """Read the expectations of a user, a list or lists by the places that errors name.

    Raises ProblemsError with every mistake in them.
    """
    lists = values if isinstance(values, dict) else {VARIABLE: values}
    problems = Problems()
    read = {path: ListOf(EXPECTATION).read(items, Place(problems, path)) for path, items in lists.items()}
    if problems.errors:
        raise ProblemsError(problems.errors)
    return [made(item, f"{path}[{index}]") for path, items in read.items() for index, item in enumerate(items)]


def made(read: Data, path: str) -> Expectation:
    """An expectation of what the table has read."""
    given = {key: _frozen(value) for key, value in read.get("given", {}).items()}
    if maps := read.get("given", {}).get("maps"):
        given["maps"] = tuple((file, _entries(entries)) for file, entries in maps.items())
    steps = [_step(step, f"{path}.steps[{index}]") for index, step in enumerate(read.get("steps", ()))]
    return Expectation(path, read["name"], Given(**given), tuple(steps) or (_step(read, path),), bool(steps))


def _step(read: Data, path: str) -> Step:
    request = {("source" if key == "from" else key): _frozen(value) for key, value in read["request"].items()}
    if certificate := read["request"].get("certificate"):
        values = {key: _frozen(value) for key, value in certificate.items()}
        request["certificate"] = ClientCertificate(**values)
    wanted = dict(read["expect"])
    unwanted = wanted.pop("not", {})
    return Step(path, Request(**request), _expected(wanted), _expected(unwanted))


def _entries(read: t.Any) -> Pairs:
    return tuple(read.items()) if isinstance(read, dict) else tuple((pattern, "") for pattern in read)


def _expected(read: Data) -> Expected:
    values = {key: _frozen(value) for key, value in read.items() if key != "certificate"}
    if "certificate" in read:
        values["certificate"] = Certificate(**{key: _frozen(value) for key, value in read["certificate"].items()})
    return Expected(**values)


def _frozen(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value
