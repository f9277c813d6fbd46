# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packet filter that lets VRRP in from peers only, in a table and a unit of its own.

keepalived rejects foreign adverts itself; here the kernel drops them first, so that nobody can keep it busy.
"""

from __future__ import annotations

import shutil
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.advert import PROTOCOL, TTL
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Run
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Instance, Interface
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

TABLE = "inet lbforge_vrrp"
RULES = Path("/etc/keepalived/vrrp.nft")
UNIT = Path("/etc/systemd/system/keepalived-firewall.service")

# nftables.service flushes all tables whenever it starts, stops or reloads.
_UNIT_TEXT = f"""\
[Unit]
Description=Packet filter that lets VRRP in from peers only
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Before=keepalived.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {RULES}
ExecReload=/usr/sbin/nft -f {RULES}
ExecStop=-/usr/sbin/nft delete table {TABLE}
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=strict

[Install]
WantedBy=multi-user.target nftables.service
"""

# IPv4 or IPv6, and whether a way over routers is refused.
_MATCHES = {
    (4, True): f"ip protocol {PROTOCOL} ip ttl {TTL} ip saddr",
    (4, False): f"ip protocol {PROTOCOL} ip saddr",
    (6, True): f"meta l4proto {PROTOCOL} ip6 hoplimit {TTL} ip6 saddr",
    (6, False): f"meta l4proto {PROTOCOL} ip6 saddr",
}


class FirewallFailed(LbforgeError):
    """The packet filter is missing, or differs from the wanted one."""


def ruleset(instances: t.Iterable[Instance], own: t.Iterable[Interface]) -> str:
    """The input of nft: adverts come only from peers, and from a network of this node without a router (RFC 5082).

    The first two lines make the file replace what an earlier one has loaded, in one step.
    """
    networks = [address.network for address in own]
    peers = {peer for instance in instances for peer in instance.peers}
    sets: dict[tuple[int, bool], list[str]] = {}
    for peer in sorted(peers, key=lambda peer: (peer.version, int(peer))):
        sets.setdefault((peer.version, any(peer in network for network in networks)), []).append(str(peer))
    rules = [f"{_MATCHES[kind]} {{ {', '.join(addresses)} }} accept" for kind, addresses in sets.items()]
    lines = "".join(f"        {rule}\n" for rule in [*rules, f"meta l4proto {PROTOCOL} counter drop"])
    return (
        f"table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n    chain input {{\n"
        f"        type filter hook input priority filter - 10; policy accept;\n{lines}    }}\n}}\n"
    )


@dataclass(frozen=True)
class Firewall:
    """The files and the unit; without ``rules`` they are removed."""

    rules: str
    run: Run

    def changes(self) -> dict[str, tuple[str, str]]:
        """The text before and after of each file that changes, or of the table if it alone is missing."""
        wanted = {RULES: self.rules, UNIT: _UNIT_TEXT if self.rules else ""}
        found = {path: path.read_text(encoding="utf-8") if path.exists() else "" for path in wanted}
        changes = {str(path): (found[path], text) for path, text in wanted.items() if found[path] != text}
        if self.rules and not changes and not self._is_loaded():
            return {f"table {TABLE}": ("", self.rules)}
        return changes

    def check(self) -> None:
        """Let nft read the rules; raises FirewallFailed."""
        if not self.rules or not shutil.which("nft"):
            return
        with tempfile.NamedTemporaryFile("w", suffix=".nft", encoding="utf-8") as staged:
            staged.write(self.rules)
            staged.flush()
            self._do("nft", "-c", "-f", staged.name)

    def write(self, changes: t.Container[str]) -> None:
        """Load the rules, or remove them; raises FirewallFailed."""
        if not changes:
            return
        if not self.rules:
            self._do("systemctl", "disable", "--now", UNIT.name)
            for path in (UNIT, RULES):
                path.unlink(missing_ok=True)
            self._do("systemctl", "daemon-reload")
            return
        if not shutil.which("nft"):
            raise FirewallFailed("The program nft is missing; install the package nftables.")
        for path, text in ((RULES, self.rules), (UNIT, _UNIT_TEXT)):
            disk.make_directories(path.parent)
            disk.replace(path, text.encode(), 0o644)
        self._do("systemctl", "daemon-reload")
        self._do("systemctl", "enable", UNIT.name)
        self._do("systemctl", "reload-or-restart", UNIT.name)
        if not self._is_loaded():
            raise FirewallFailed(f"{UNIT.name} runs, but nft has no table {TABLE}.")

    def _is_loaded(self) -> bool:
        return bool(shutil.which("nft")) and not self.run(["nft", "list", "table", *TABLE.split()])[0]

    def _do(self, *command: str) -> None:
        rc, out, err = self.run([*command])
        if rc:
            said = (err or out).strip()
            raise FirewallFailed(f"{' '.join(command)} failed: {said}", rc=rc, lines=said.splitlines())
