# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repeat the advert with which an instance gives its VIPs up to a higher priority. keepalived runs it:

    last_adverts.py [CONFIG] FIFO    FIFO tells each change of state (keepalived.conf(5), notify_fifo)

When nodes that could not hear each other meet again, two hold a VIP. The lower one sends one advert and goes
(vrrp_higher_prio_send_advert), by which the other one learns that it has to announce the VIP again. If the kernel does
not know the MAC address of the other node at that moment, it may drop the advert, and clients go on sending to the node
that went until their neighbour entries expire: up to a minute. So the advert is sent again, when the kernel has asked.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.advert import PROTOCOL, TTL, VERSION, advert
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Address, Instance, subject_of

CONFIG = "/etc/keepalived/keepalived.conf"
# Seconds from one advert to the next. The kernel asks three times for a MAC address, once a second.
PAUSES = (0.25, 0.25, 0.5, 1.0, 2.0)
# Every holder has a higher one; 0 would say that nobody holds the VIPs any more.
LOWEST = 1
_CHANGE = re.compile(r'INSTANCE "(?P<name>.*)" (?P<state>[A-Z]+)\b')


class Repeater:
    """Repeats the last advert of every instance that becomes BACKUP, as long as it is."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._states: dict[str, str] = {}

    def take(self, line: str) -> None:
        """A line such as ``INSTANCE "web" BACKUP 250``; those of groups and servers are none of its business."""
        change = _CHANGE.match(line)
        if change is None:
            return
        self._states[change["name"]] = change["state"]
        # What it was before is not known: every reload of keepalived starts this program anew.
        if change["state"] == "BACKUP":
            threading.Thread(target=self._repeat, args=(change["name"],), daemon=True).start()

    def _repeat(self, name: str) -> None:
        instances = subject_of(self._config.read_text(encoding="utf-8", errors="replace")).instances
        for pause in PAUSES:
            time.sleep(pause)
            if self._states[name] != "BACKUP":
                return
            for instance in instances:
                if instance.name == name and instance.version == VERSION and instance.source:
                    send(instance, instance.source)


def send(instance: Instance, source: Address) -> None:
    """Send the advert to each unicast peer; one that cannot be reached now may be reached the next time."""
    if source.version == 4:
        family, hops = socket.AF_INET, (socket.IPPROTO_IP, socket.IP_TTL)
    else:
        family, hops = socket.AF_INET6, (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    with socket.socket(family, socket.SOCK_RAW, PROTOCOL) as raw:
        raw.setsockopt(*hops, TTL)
        raw.bind((str(source), 0))
        for peer in instance.peers:
            try:
                raw.sendto(advert(instance, LOWEST, source, peer), (str(peer), 0))
            except OSError:
                continue


def main(*arguments: str) -> None:
    """Runs until keepalived closes the FIFO."""
    *config, fifo = arguments
    repeater = Repeater(Path(*config or [CONFIG]))
    with Path(fifo).open(encoding="utf-8", errors="replace") as changes:
        for line in changes:
            repeater.take(line)
