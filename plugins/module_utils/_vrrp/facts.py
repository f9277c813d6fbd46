# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's view of its virtual addresses: from keepalived, the kernel and the network."""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.config import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.daemon import Keepalived
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.dump import Dump
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import NoState
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.links import Link, holds, links
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.probe import who_answers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.state import Instance, from_config, version

# keepalived and the kernel are read one after the other, so a moving address looks like a mistake.
_TRIES = 3
_PAUSE = 0.5


@dataclass(frozen=True)
class Seen:
    """One look at keepalived and at the kernel."""

    pid: int | None
    instances: tuple[Instance, ...]
    links: tuple[Link, ...]
    silence: str = ""
    """Why keepalived did not tell its state, if it runs."""

    def addresses(self) -> list[tuple[Instance, str, str, bool]]:
        """Instance, bare address, interface, and whether this node has the address."""
        return [
            (instance, virtual.address, virtual.interface, holds(self.links, virtual.address, virtual.interface))
            for instance in self.instances
            for virtual in instance.addresses
        ]

    def contradictions(self) -> list[str]:
        """Addresses whose place contradicts keepalived's state."""
        said = []
        for instance, address, interface, held in self.addresses():
            if held and instance.state is None:
                why = "keepalived does not run" if self.pid is None else "keepalived does not report its state"
                said.append(f"{address} is on this node, although {why}.")
            elif held and instance.state != "MASTER":
                said.append(f"{address} is on this node, although instance {instance.name} is {instance.state}.")
            elif not held and instance.state == "MASTER":
                said.append(f"{address} is not on {interface}, although instance {instance.name} is MASTER.")
        return said

    def weaknesses(self) -> list[str]:
        """Instances that cannot take over, or only after all others."""
        said = []
        for instance in self.instances:
            if instance.state == "FAULT":
                said.append(f"Instance {instance.name} is in FAULT: a check of weight 0 or its interface fails.")
            elif instance.effective_priority is not None and instance.effective_priority < instance.priority:
                said.append(
                    f"Instance {instance.name} has priority {instance.effective_priority} instead of"
                    f" {instance.priority}: a check fails, or the node is in maintenance."
                )
        return said


@dataclass(frozen=True)
class NodeFacts:
    """The keepalived of a node, its configuration, and seconds to wait for answers from the network (0: no probe)."""

    daemon: Keepalived
    config: Path
    probe_wait: float

    def gather(self) -> dict[str, t.Any]:
        seen = self._settled()
        problems = [*self._of_daemon(seen), *seen.weaknesses(), *seen.contradictions()]
        wanted = {(address, interface) for _instance, address, interface, _held in seen.addresses()}
        answers: dict[str, set[str]] = {}
        if self.probe_wait:
            try:
                answers = who_answers(seen.links, wanted, self.probe_wait)
            except OSError as error:
                problems.append(f"The network could not be probed for the owners of the addresses: {error}.")
        for _instance, address, _interface, held in seen.addresses():
            if held and answers.get(address):
                problems.append(f"{address} is on this node, but {', '.join(sorted(answers[address]))} has it as well.")
        return {
            "daemon": {
                "installed": self.daemon.installed,
                "running": seen.pid is not None,
                "pid": seen.pid,
                "version": self._version(),
            },
            "instances": {instance.name: _shown(instance) for instance in seen.instances},
            "addresses": [
                {
                    "address": address,
                    "interface": interface,
                    "instance": instance.name,
                    "held": held,
                    **({"answered_by": sorted(answers[address])} if address in answers else {}),
                }
                for instance, address, interface, held in seen.addresses()
            ],
            "links": [
                {"interface": link.interface, "mac": link.mac, "addresses": list(link.addresses)} for link in seen.links
            ],
            "problems": problems,
        }

    def _settled(self) -> Seen:
        seen = self._look()
        for _try in range(_TRIES - 1):
            if not seen.contradictions():
                break
            time.sleep(_PAUSE)
            seen = self._look()
        return seen

    def _look(self) -> Seen:
        pid = self.daemon.pid()
        silence = ""
        if pid is not None:
            try:
                return Seen(pid, Dump(self.daemon).instances(pid), self._links())
            except ProcessLookupError:
                pid = None
            except NoState as error:
                silence = str(error)
        text = self.config.read_text(encoding="utf-8", errors="replace") if self.config.is_file() else ""
        return Seen(pid, from_config(parse(text)), self._links(), silence)

    def _links(self) -> tuple[Link, ...]:
        rc, out, err = self.daemon.run(["ip", "-json", "address", "show"])
        if rc:
            raise NoState(f"ip address show failed, so the addresses of this node are unknown: {err.strip()}.")
        return links(out)

    def _version(self) -> str | None:
        if not self.daemon.installed:
            return None
        _rc, out, err = self.daemon.run([self.daemon.binary, "--version"])
        return version(out + err)

    def _of_daemon(self, seen: Seen) -> list[str]:
        if not self.daemon.installed:
            return ["keepalived is not installed."]
        if seen.pid is None:
            return ["keepalived does not run."]
        return [seen.silence] if seen.silence else []


def _shown(instance: Instance) -> dict[str, t.Any]:
    fields = asdict(instance)
    del fields["name"]
    return {**fields, "addresses": [virtual.cidr for virtual in instance.addresses]}
