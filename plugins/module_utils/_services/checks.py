# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kind of health checks a backend has: an option chooses it, and rules of other kinds do nothing.

Sources: configuration manual, section 4.2, "option httpchk", "option tcp-check" and those beside them, "http-check"
and "tcp-check".
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import split
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings

#: options that choose a kind; of several HAProxy takes the last
KINDS = frozenset(
    {
        *("external-check", "httpchk", "ldap-check", "mysql-check", "pgsql-check", "redis-check", "smtpchk"),
        *("spop-check", "ssl-hello-chk", "tcp-check"),
    }
)
#: the kind that runs a program
PROGRAM = "external-check"
#: what rules begin with, and the kind that they belong to
RULES = {"http-check": "httpchk", "tcp-check": "tcp-check"}
# These say what is done with a result. In raw lines they make no check an HTTP check.
ABOUT_OTHERS = re.compile(r"http-check\s+(disable-on-404|send-state)\b")


def rules(service: Service) -> t.Iterator[tuple[str, int, str]]:
    """The rules of checks as lines of the backend, each with its key and its place there."""
    for index, rule in enumerate(service.backend_httpcheck_options or ()):
        yield "haproxy_backend_httpcheck_options", index, f"http-check {rule}"
    for index, line in enumerate(service.backend_arguments or ()):
        if first_word(line) in RULES:
            yield "haproxy_backend_arguments", index, line


class Option(t.NamedTuple):
    """An option of a service that chooses a kind, as the user wrote it, and where."""

    key: str
    position: int
    text: str
    kind: str


def options(service: Service) -> t.Iterator[Option]:
    """The options of the service that choose a kind."""
    for index, option in enumerate(service.backend_options or ()):
        if first_word(option) in KINDS:
            yield Option("haproxy_backend_options", index, option, first_word(option))
    raw = service.backend_arguments or ()
    for index, kind in options_in(raw):
        yield Option("haproxy_backend_arguments", index, raw[index], kind)


def chosen(service: Service) -> str:
    """The kind that the service's own options choose; empty if they choose none."""
    return ([option.kind for option in options(service)] or [""])[-1]


def implied(service: Service) -> str:
    """The kind that the service's rules need, where its options choose none: without it they would do nothing."""
    if chosen(service):
        return ""
    needed = (
        RULES[first_word(rule)]
        for key, _index, rule in rules(service)
        if key == "haproxy_backend_httpcheck_options" or not ABOUT_OTHERS.match(rule)
    )
    return next(needed, "")


def kind(service: Service, settings: Settings) -> str:
    """The kind of a service's checks; empty where HAProxy only connects."""
    inherited = [option for _index, option in options_in(settings.defaults_raw)]
    return chosen(service) or implied(service) or (inherited or [""])[-1]


def options_in(lines: t.Iterable[str]) -> t.Iterator[tuple[int, str]]:
    """The options in raw lines that choose a kind, each with the place of its line."""
    for index, line in enumerate(lines):
        keyword, kind, *_rest = (*split(line), "", "")
        if keyword == "option" and kind in KINDS:
            yield index, kind


def first_word(line: str) -> str:
    return next(iter(split(line)), "")
