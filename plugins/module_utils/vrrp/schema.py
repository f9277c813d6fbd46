# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key of the ``keepalived_*`` dictionaries: its type, its bounds and the word keepalived has for it.

The model, its error messages and the order of the lines come from these tables: a new key is a new row.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Kind = t.Literal["integer", "seconds", "word", "text", "flag", "flag_or_word", "list"]


@dataclass(frozen=True)
class Key:
    """One key of a section.

    ``word`` is one token, ``text`` is put in quotes, ``flag`` stands without a value, ``list`` is a block with one
    entry a line; ``block`` names the block that a single setting is written into. Messages do not quote
    the value of a ``secret``.
    """

    name: str
    kind: Kind
    keyword: str = ""
    low: float = 0
    high: float = 2**31 - 1
    choices: tuple[str, ...] = ()
    required: bool = False
    block: str = ""
    secret: bool = False

    @property
    def written(self) -> str:
        return self.keyword or self.name


@dataclass(frozen=True)
class Section:
    """A kind of block of keepalived.conf, and the variable that holds its dictionaries."""

    variable: str
    keyword: str
    keys: tuple[Key, ...]
    also: tuple[str, ...] = ()
    """Keys that mean something to the role and nothing to keepalived."""


SCRIPT = Section(
    "keepalived_scripts",
    "vrrp_script",
    (
        Key("check_script", "text", "script", required=True),
        Key("interval", "integer", low=1, high=86400),
        Key("timeout", "integer", low=1, high=86400),
        Key("fall", "integer", low=1),
        Key("rise", "integer", low=1),
        Key("weight", "integer", low=-253, high=253),
        Key("user", "text"),
        Key("init_fail", "flag"),
    ),
    also=("instance",),
)

TRACK_FILE = Section(
    "keepalived_track_files",
    "track_file",
    (
        Key("file", "text", required=True),
        Key("weight", "integer", low=-254, high=254),
        Key("init_file", "flag_or_word"),
    ),
    also=("instance",),
)

TRACK_PROCESS = Section(
    "keepalived_track_processs",
    "vrrp_track_process",
    (
        Key("process", "text", required=True),
        Key("param_match", "word", choices=("initial", "partial")),
        Key("weight", "integer", low=-254, high=254),
        Key("quorum", "integer", low=1, high=65535),
        Key("quorum_max", "integer", low=0, high=65535),
        Key("fork_delay", "seconds", high=3600),
        Key("terminate_delay", "seconds", high=3600),
        Key("delay", "seconds", high=3600),
        Key("full_command", "flag"),
    ),
)

_TRACKERS = (
    Key("track_interfaces", "list", "track_interface"),
    Key("track_scripts", "list", "track_script"),
    Key("track_files", "list", "track_file"),
    Key("track_processs", "list", "track_process"),
)

_NOTIFIERS = (
    Key("notify_script", "text", "notify"),
    Key("notify_master", "text"),
    Key("notify_backup", "text"),
    Key("notify_fault", "text"),
    Key("smtp_alert", "flag"),
)

SYNC_GROUP = Section(
    "keepalived_sync_groups",
    "vrrp_sync_group",
    (
        Key("instances", "list", "group", required=True),
        *_TRACKERS,
        *_NOTIFIERS,
    ),
)

INSTANCE = Section(
    "keepalived_instances",
    "vrrp_instance",
    (
        Key("interface", "word", required=True),
        Key("state", "word", choices=("MASTER", "BACKUP"), required=True),
        Key("virtual_router_id", "integer", low=1, high=255, required=True),
        Key("priority", "integer", low=1, high=255, required=True),
        Key("advert_int", "seconds", low=0.01, high=255),
        Key("use_vmac", "flag_or_word"),
        Key("vmac_xmit_base", "flag"),
        Key("nopreempt", "flag"),
        Key("preempt_delay", "seconds", high=1000),
        Key("dont_track_primary", "flag"),
        Key("accept", "flag"),
        Key("native_ipv6", "flag"),
        Key("authentication_type", "word", "auth_type", choices=("PASS", "AH"), block="authentication"),
        Key("authentication_password", "text", "auth_pass", block="authentication", secret=True),
        Key("unicast_src_ip", "word"),
        Key("unicast_peers", "list", "unicast_peer"),
        Key("vips", "list", "virtual_ipaddress", required=True),
        Key("vips_excluded", "list", "virtual_ipaddress_excluded"),
        Key("virtual_routes", "list"),
        Key("virtual_rules", "list"),
        *_TRACKERS,
        *_NOTIFIERS,
        Key("notify_stop", "text"),
        Key("notify_master_rx_lower_pri", "text"),
    ),
)
