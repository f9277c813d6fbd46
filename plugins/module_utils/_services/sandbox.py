# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy could not do in the sandbox of its unit, and would be told only when it starts the next time."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import (
    NAME_OR_PATH,
    PATH,
    BooleanOrPath,
    Line,
    Lines,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import held

# ProtectHome, PrivateTmp
HIDDEN = re.compile(r"(?:^|[\s\"'=:,(])(?P<path>/(?:home|root|run/user|tmp|var/tmp)/[^\s\"',)]*)")
# CAP_CHOWN is not in the bounding set.
GIVEN_AWAY = re.compile(r"^(?:stats socket\s+|bind\s+)(?:unix@)?/.*\s(?P<word>user|uid|group|gid)\s")
HINT = "Or set haproxy_systemd_hardening: false."


# These are on the setup host.
ELSEWHERE = ("haproxy_user_ssl_cert", "haproxy_user_ssl_key", "haproxy_user_ssl_ca_cert")


def checked_keys(keys: t.Iterable[Key]) -> list[str]:
    """The keys that hold paths of the load balancer, or lines with such paths."""
    return [
        key.name
        for key in keys
        if key.name not in ELSEWHERE
        and (key.kind in (PATH, NAME_OR_PATH) or isinstance(key.kind, (Line, Lines, BooleanOrPath)))
    ]


def check(record: Service | Settings, names: t.Iterable[str], place: Place) -> None:
    """The parts of a record, under these keys, that the sandbox would not allow."""
    for name in names:
        value = held(record, name)
        if isinstance(value, str):
            check_text(value, place.key(name))
        elif isinstance(value, (list, tuple)):
            for index, line in enumerate(value):
                check_text(line, place.key(name).item(index))


def check_text(text: str, place: Place) -> None:
    if hidden := HIDDEN.search(text):
        place.wrong(
            text,
            f"names {hidden['path']}, which the sandbox of HAProxy's unit hides",
            f"Put the file elsewhere. {HINT}",
        )
    if given := GIVEN_AWAY.search(text):
        place.wrong(
            text,
            f"changes the owner of a socket with {given['word']}, which the sandbox of HAProxy's unit forbids",
            f"Give others access by the group and mode of its directory. {HINT}",
        )
