# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The features of a running HAProxy, and its harmful commands. Pure; two tables and a query for each."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError


class VersionError(LbforgeError):
    """The running HAProxy is too old for the command."""


class HarmfulCommandError(LbforgeError):
    """HAProxy would accept the command, but serve worse with it."""


class Feature(t.NamedTuple):
    """Something that came with a version; ``does`` completes a sentence about it."""

    since: Version
    does: str


class Harm(t.NamedTuple):
    """A command that nobody should send."""

    command: re.Pattern[str]
    why: str


FEATURES: dict[str, Feature] = {
    "map transactions": Feature(Version(2, 4), "replacing a whole map or ACL at once (prepare and commit)"),
    "certificates": Feature(Version(2, 2), "adding, replacing and removing certificates and entries of crt-lists"),
    "ca files": Feature(Version(2, 6), "adding, replacing and removing CA files and CRLs"),
    "ca file additions": Feature(Version(2, 8), "adding certificates to a CA file"),
    "dynamic servers": Feature(Version(2, 6), "adding and removing servers"),
    "ocsp updates": Feature(Version(2, 8), "updating OCSP answers on demand"),
}

HARMS: tuple[Harm, ...] = (
    Harm(
        re.compile(r"add server \S+ .*(?<!\S)enabled(?!\S)"),
        "a server that is added as 'enabled' looks up and gets no traffic on 2.6, and 3.0 refuses the word;"
        " add it without, then make it ready",
    ),
    Harm(
        re.compile(r"add server \S+ \S+:[+-]\d"),
        "a port relative to the client's makes a port map, which checks cannot follow, so give the port itself",
    ),
)


def require(feature: str, version: Version) -> None:
    """Raise unless a version of HAProxy has a feature of the table."""
    known = FEATURES[feature]
    if version < known.since:
        since = f"{known.since.major}.{known.since.minor}"
        raise VersionError(
            f"HAProxy {version} runs here, but {known.does} over its socket needs {since} or newer.",
            feature=feature,
            version=str(version),
            since=since,
        )


def refuse_harmful(command: str) -> None:
    """Raise for a harmful command."""
    for harm in HARMS:
        if harm.command.match(command):
            raise HarmfulCommandError(f"'{command}' is not sent to HAProxy: {harm.why}.")
