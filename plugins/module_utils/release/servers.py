# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a backend as the configuration describes them, and what a running HAProxy lets change. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.lbforge.haproxy.plugins.module_utils.haproxy_cfg.server_options import ServerOptions
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
        return bool(ServerOptions(self.words).switched("check"))

    @property
    def ends_sessions(self) -> bool:
        """Whether sessions end when its state changes, which a new worker would leave to the old one."""
        return "on-marked-down" in self.others or "on-marked-up" in self.others

    @property
    def words(self) -> Words:
        """What stands behind the address."""
        numbers = (word for name, value in self.numbers.items() for word in (name, str(value)))
        return (*self.others, *numbers, *(("disabled",) if self.disabled else ()))

    @property
    def addition(self) -> Words:
        """What stands behind the address in the command that adds it."""
        return tuple(word for option in ServerOptions(self.words).addition() for word in option)


def server(line: Words) -> Server:
    """Read a line ``server``. What is not understood is among the other words, where any change needs a reload."""
    name, endpoint = (*line[1:3], "", "")[:2]
    options = ServerOptions(line[3:])
    if options.unknown:
        return Server(name, endpoint, {}, False, line[3:], unknown=options.unknown)
    numbers: dict[str, int] = {}
    disabled = False
    others: list[str] = []
    for option in options.all:
        if option[0] in NUMBERS and len(option) > 1 and option[1].isdecimal():
            numbers[option[0]] = int(option[1])  # the last one counts
        elif option[0] in ("disabled", "enabled"):
            disabled = option[0] == "disabled"
        else:
            others += option
    return Server(name, endpoint, numbers, disabled, tuple(others))


def servers(section: Section) -> dict[str, Server]:
    """The servers of a section by name, in their order."""
    return {line[1]: server(line) for line in section.those("server") if len(line) > 1}


def has_server_defaults(sections: t.Iterable[Section]) -> bool:
    """Whether any line ``default-server`` says what a server's own line does not."""
    return any(section.those("default-server") for section in sections)
