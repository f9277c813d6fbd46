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
# How many words follow each keyword; a line with any other is taken as a whole.
KEYWORDS = {
    **dict.fromkeys(
        ("agent-check", "backup", "check", "check-ssl", "disabled", "send-proxy", "send-proxy-v2", "ssl"), 0
    ),
    **dict.fromkeys(
        ("addr", "agent-inter", "agent-port", "alpn", "ca-file", "check-alpn", "check-proto", "check-sni"), 1
    ),
    **dict.fromkeys(("ciphers", "ciphersuites", "cookie", "crt", "downinter", "fall", "fastinter", "init-addr"), 1),
    **dict.fromkeys(
        ("inter", "minconn", "on-marked-down", "on-marked-up", "proto", "resolvers", "rise", "slowstart"), 1
    ),
    **dict.fromkeys(("sni", "ssl-max-ver", "ssl-min-ver", "track", "verify", "verifyhost", *NUMBERS), 1),
}
_ENDPOINT = re.compile(r"(?:ipv[46]@)?\[?(?P<address>[0-9a-fA-F.:]+?)\]?:(?P<port>\d+)")


@dataclass(frozen=True)
class Server:
    """A line ``server`` of a backend."""

    name: str
    endpoint: str
    numbers: t.Mapping[str, int]  # weight, maxconn and the port of checks, where they are given
    disabled: bool
    others: Words  # all other words, in their order
    unknown: str = ""  # a keyword that is not understood here, and so all words are others

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
    def ends_sessions(self) -> bool:
        """Whether sessions end when its state changes, which a new worker would leave to the old one."""
        return "on-marked-down" in self.others or "on-marked-up" in self.others

    @property
    def words(self) -> Words:
        """What stands behind the address, as a command takes it."""
        numbers = (word for name, value in self.numbers.items() for word in (name, str(value)))
        return (*self.others, *numbers, *(("disabled",) if self.disabled else ()))


def server(line: Words) -> Server:
    """Read a line ``server``. What is not understood is among the other words, where any change needs a reload."""
    name, endpoint = (*line[1:3], "", "")[:2]
    numbers: dict[str, int] = {}
    disabled, others, rest = False, [], list(line[3:])
    while rest:
        keyword = rest.pop(0)
        if keyword not in KEYWORDS:
            return Server(name, endpoint, {}, False, line[3:], unknown=keyword)
        arguments, rest = rest[: KEYWORDS[keyword]], rest[KEYWORDS[keyword] :]
        if keyword in NUMBERS and keyword not in numbers and arguments and arguments[0].isdecimal():
            numbers[keyword] = int(arguments[0])
        elif keyword == "disabled":
            disabled = True
        else:
            others += [keyword, *arguments]
    return Server(name, endpoint, numbers, disabled, tuple(others))


def servers(section: Section) -> dict[str, Server]:
    """The servers of a section by name, in their order."""
    return {line[1]: server(line) for line in section.those("server") if len(line) > 1}


def has_server_defaults(sections: t.Iterable[Section]) -> bool:
    """Whether any line ``default-server`` says what a server's own line does not."""
    return any(section.those("default-server") for section in sections)
