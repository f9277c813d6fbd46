# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove the virtual addresses that a dead keepalived left behind. The unit of keepalived runs it:

    addresses.py start [CONFIG [RECORD]]    before keepalived: remember the addresses that this node has without it
    addresses.py stop [CONFIG [RECORD]]     after keepalived: remove the virtual addresses of CONFIG
    addresses.py adopt [CONFIG [RECORD]]    beside a keepalived that runs already: remember what it did not add

Never removed are addresses that were there before keepalived was, and those of an instance with priority 255, which is
VRRP's word for the owner of an address.
"""

from __future__ import annotations

import ipaddress
import json
import sys
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.own_links import own_links
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import Statement, parse

RECORD = "/run/keepalived-addresses.json"
CONFIG = "/etc/keepalived/keepalived.conf"
OWNER = 255


def main(what: str, config_path: str = CONFIG, record_path: str = RECORD) -> None:
    config, record = Path(config_path), Path(record_path)
    # The second one exists while keepalived switches from one configuration to the next.
    configs = (config, config.with_name(f"{config.name}.previous"))
    virtual = {address for path in configs for address in virtual_addresses(path)}
    if what == "adopt" and record.exists():
        return
    if record.exists():
        remove(virtual - set(json.loads(record.read_text(encoding="ascii"))))
    if what != "stop":
        present = {address for _link, _cidr, address in held()}
        record.write_text(json.dumps(sorted(present - virtual if what == "adopt" else present)), encoding="ascii")


def virtual_addresses(config: Path) -> set[str]:
    """The virtual addresses of a configuration and of all that it includes."""
    statements = list(read(config))
    owned = {address for statement in statements for address in addresses(statement) if is_owner(statement)}
    return {address for statement in statements for address in addresses(statement)} - owned


def read(config: Path) -> t.Iterator[Statement]:
    if not config.is_file():
        return
    for statement in parse(config.read_text(encoding="utf-8", errors="replace")):
        yield statement
        for inner in statement.walk():
            if inner.keyword.startswith("include"):
                pattern = config.absolute().parent / inner.name
                for path in sorted(Path("/").glob(str(pattern.relative_to("/")))):
                    yield from read(path)


def addresses(statement: Statement) -> t.Iterator[str]:
    for block in statement.walk():
        if block.keyword in ("virtual_ipaddress", "virtual_ipaddress_excluded"):
            for entry in block.body:
                try:
                    yield str(ipaddress.ip_interface(entry.keyword).ip)
                except ValueError:  # keepalived reports that itself
                    continue


def is_owner(statement: Statement) -> bool:
    return statement.keyword == "vrrp_instance" and statement.number("priority", 0) == OWNER


def held() -> t.Iterator[tuple[str, str, str]]:
    """The link, the address with its prefix length, and the bare address. Addresses on lo are never keepalived's."""
    for link in own_links():
        yield from ((link.interface, cidr, cidr.partition("/")[0]) for cidr in link.addresses)


def remove(unwanted: set[str]) -> None:
    left = [(link, cidr) for link, cidr, address in held() if address in unwanted]
    if not left:
        return
    for link in {link for link, _cidr in left}:
        # Otherwise Linux removes the other addresses of a network with its first one.
        Path(f"/proc/sys/net/ipv4/conf/{link}/promote_secondaries").write_text("1\n", encoding="ascii")
    sys.stderr.write(f"keepalived left behind: {', '.join(f'{cidr} on {link}' for link, cidr in left)}\n")
    commands = "".join(f"address delete {cidr} dev {link}\n" for link, cidr in left)
    sys.stderr.write(run(["ip", "-force", "-batch", "-"], text=commands).stderr)
