# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a backend as the configuration describes them, and what can change at run time. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.server_options import ServerOptions
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words

NUMBERS = ("weight", "maxconn", "port")
_ENDPOINT = re.compile(r"(?:ipv[46]@)?\[?(?P<address>[0-9a-fA-F.:]+?)\]?:(?P<port>\d+)")
_HOST = re.compile(r"(?:ipv[46]@)?(?P<host>[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*)(?::.*)?")
_PORT = re.compile(r"(?:ipv[46]@)?[^/@$:]*(?::\+?(?P<port>\d+))?")


@dataclass(frozen=True)
class Server:
    """A line ``server`` of a backend."""

    name: str
    endpoint: str
    numbers: t.Mapping[str, int]  # weight, maxconn and check port, if set
    disabled: bool
    others: Words  # all other words, in their order
    unknown: str = ""  # an unknown keyword, which makes all words other words

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
        """The weight, with HAProxy's default."""
        return self.numbers.get("weight", 1)

    @property
    def port(self) -> int | None:
        """The port, or its offset from the client's; 0 without one, None if only HAProxy knows it."""
        if self.address:
            return self.address[1]
        found = _PORT.fullmatch(self.endpoint)
        return int(found["port"] or 0) if found and not self.is_srv_record else None

    @property
    def host(self) -> str | None:
        """The name to resolve; None for addresses, sockets and SRV records."""
        found = _HOST.fullmatch(self.endpoint)
        return found["host"] if found and not self.is_srv_record else None

    @property
    def is_srv_record(self) -> bool:
        """Whether its name and port come from a record of DNS; such names start with an underscore."""
        return self.endpoint.startswith("_")

    @property
    def is_resolved_at_run_time(self) -> bool:
        """Whether HAProxy asks name servers for its address as long as it runs."""
        return self.options.has("resolvers")

    @property
    def prefers_last_address(self) -> bool:
        """Whether the address in a state file takes precedence over resolving the name."""
        # HAProxy's default order is "last,libc".
        methods = (self.options.argument("init-addr") or "last,libc").split(",")
        return "last" in methods and "libc" not in methods[: methods.index("last")]

    @cached_property
    def options(self) -> ServerOptions:
        """All options except its numbers and C(disabled)."""
        return ServerOptions(self.others)

    @property
    def check_address(self) -> str:
        """The address of its checks, if it differs; agent checks use it too, unless they have their own."""
        return self.options.argument("addr")

    @property
    def agent_address(self) -> str:
        """The address of its agent, if it differs."""
        return self.options.argument("agent-addr") or self.check_address

    @property
    def agent_port(self) -> int:
        """The port of its agent."""
        return int(self.options.argument("agent-port") or self.numbers.get("port", 0))

    @property
    def uses_tls(self) -> bool:
        """Whether connections to it are encrypted."""
        return bool(self.options.switched("ssl"))

    @property
    def has_agent(self) -> bool:
        """Whether an agent may set its weight and state."""
        return bool(self.options.switched("agent-check"))

    @property
    def is_checked(self) -> bool:
        """Whether HAProxy checks its health."""
        return bool(self.options.switched("check"))

    @property
    def ends_sessions(self) -> bool:
        """Whether a change of its state ends sessions, which a new worker would leave to the old one."""
        return "on-marked-down" in self.others or "on-marked-up" in self.others

    @property
    def words(self) -> Words:
        """The words after the address."""
        numbers = (word for name, value in self.numbers.items() for word in (name, str(value)))
        return (*self.others, *numbers, *(("disabled",) if self.disabled else ()))

    @property
    def files(self) -> list[str]:
        """The certificates and authorities that it needs."""
        options = ServerOptions(self.others)
        return [file for option in ("ca-file", "crl-file", "crt") if (file := options.argument(option)).startswith("/")]

    @property
    def addition(self) -> Words:
        """The words after the address in the command that adds it."""
        return tuple(word for option in ServerOptions(self.words).addition() for word in option)


def server(line: Words) -> Server:
    """Read a line ``server``. Unknown options stay among the other words, where any change needs a reload."""
    if unknown := ServerOptions(line[3:]).unknown:
        name, endpoint = (*line[1:3], "", "")[:2]
        return Server(name, endpoint, {}, False, line[3:], unknown=unknown)
    return _read(line)


def _read(line: Words) -> Server:
    name, endpoint = (*line[1:3], "", "")[:2]
    numbers: dict[str, int] = {}
    disabled = False
    others: list[str] = []
    for option in ServerOptions(line[3:]).all:
        if option[0] in NUMBERS and len(option) > 1 and option[1].isdecimal():
            numbers[option[0]] = int(option[1])  # the last one counts
        elif option[0] in ("disabled", "enabled"):
            disabled = option[0] == "disabled"
        else:
            others += option
    return Server(name, endpoint, numbers, disabled, tuple(others))


def servers(section: Section) -> dict[str, Server]:
    """The servers of a section by name, in their order."""
    return {line[1]: server(line) for line in section.lines_with("server") if len(line) > 1}


def has_server_defaults(sections: t.Iterable[Section]) -> bool:
    """Whether any line ``default-server`` has options that a server's own line lacks."""
    return any(section.lines_with("default-server") for section in sections)


def configured_servers(sections: t.Iterable[Section]) -> dict[tuple[str, str], Server]:
    """The servers of all backends by pool and name, with what ``default-server`` gives them, as HAProxy has them."""
    found: dict[tuple[str, str], Server] = {}
    defaults: dict[str, list[Words]] = {}
    last: list[Words] = []
    for section in sections:
        base = defaults.get(section.heading[-1], last) if "from" in section.heading else last
        if section.kind == "defaults":
            inherited = base if "from" in section.heading else []
            last = defaults[section.name] = [*inherited, *section.lines_with("default-server")]
        elif section.kind in ("backend", "listen"):
            words = [word for line in (*base, *section.lines_with("default-server")) for word in line[1:]]
            for line in _server_lines(section):
                found[section.name, line[1]] = _read((*line[:3], *words, *line[3:]))
    return found


def _server_lines(section: Section) -> list[Words]:
    lines = [line for line in section.lines_with("server") if len(line) > 2]
    for line in section.lines_with("server-template"):
        if len(line) > 3 and (numbers := re.fullmatch(r"(?:(\d+)-)?(\d+)", line[2])):
            places = range(int(numbers[1] or 1), int(numbers[2]) + 1)
            lines += [("server", f"{line[1]}{place}", *line[3:]) for place in places]
    return lines
