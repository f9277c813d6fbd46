# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a backend as the configuration describes them, and what a running HAProxy lets change. Pure.

HAProxy Configuration Manual, section 5.2, "Server and default-server options".
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.release.configuration import Section, Words

NUMBERS = ("weight", "maxconn", "port")
_ENDPOINT = re.compile(r"(?:ipv[46]@)?\[?(?P<address>[0-9a-fA-F.:]+?)\]?:(?P<port>\d+)")


@dataclass(frozen=True)
class Server:
    """A line ``server`` of a backend."""

    name: str
    endpoint: str
    numbers: t.Mapping[str, int]  # weight, maxconn and the port of checks, where they are given
    disabled: bool
    others: Words  # all other words, in their order

    @property
    def address(self) -> tuple[str, int] | None:
        """IP address and port; None for names, sockets and ports that come from the client's."""
        found = _ENDPOINT.fullmatch(self.endpoint)
        try:
            return (str(ipaddress.ip_address(found["address"])), int(found["port"])) if found else None
        except ValueError:
            return None

    @property
    def weight(self) -> int:
        """Its weight, also where none is given."""
        return self.numbers.get("weight", 1)

    @property
    def is_checked(self) -> bool:
        """Whether HAProxy looks after its health."""
        return "check" in self.others

    @property
    def words(self) -> Words:
        """What stands behind the address, as a command takes it."""
        numbers = (word for name, value in self.numbers.items() for word in (name, str(value)))
        return (*self.others, *numbers, *(("disabled",) if self.disabled else ()))


def server(line: Words) -> Server:
    """Read a line ``server``."""
    name, endpoint = (*line[1:3], "", "")[:2]
    rest = list(line[3:])
    numbers: dict[str, int] = {}
    for keyword in NUMBERS:
        # Only the plain and single form; anything else stays where it is, and any change of it needs a reload.
        if rest.count(keyword) == 1 and rest[rest.index(keyword) + 1 :][:1] and rest[rest.index(keyword) + 1].isdigit():
            place = rest.index(keyword)
            numbers[keyword] = int(rest[place + 1])
            del rest[place : place + 2]
    disabled = rest.count("disabled") == 1
    if disabled:
        rest.remove("disabled")
    return Server(name, endpoint, numbers, disabled, tuple(rest))


def servers(section: Section) -> dict[str, Server]:
    """The servers of a section by name, in their order."""
    return {line[1]: server(line) for line in section.those("server") if len(line) > 1}


def has_server_defaults(sections: t.Iterable[Section]) -> bool:
    """Whether any line ``default-server`` says what a server's own line does not."""
    return any(section.those("default-server") for section in sections)
