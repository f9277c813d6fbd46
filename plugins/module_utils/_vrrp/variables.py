# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables of the role say what: each by the name under which the functions of this room read it."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import MOVED
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import GLOBAL_DEFS
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE

_INSTANCES = "instances"

#: what keepalived.conf holds beside the instances, by the names without the prefix
OF_FILE: t.Mapping[str, str] = {
    name: f"{FILE.prefix}{name}" for name in (GLOBAL_DEFS, *(row.name for row in FILE.keys)) if name != _INSTANCES
}

#: the VIPs; instances are made of them, so these are not among them
OF_VIPS: t.Mapping[str, str] = {name: name for name in (*MOVED, "keepalived_advert_int")}

#: all that says which addresses move, and whether they are for something else than HAProxy
OF_ADDRESSES: t.Mapping[str, str] = {
    name: name
    for name in (
        *MOVED,
        "keepalived_instances",
        "keepalived_instances_overrides",
        "keepalived_raw",
        "keepalived_track_haproxy",
        "keepalived_virtual_servers",
        "keepalived_virtual_server_groups",
    )
}
