# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other load balancers: the requests to them, and the keys that identify nodes."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Peer, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused, listed

DELIVERY = 30.0  # seconds until a peer has processed a message
_PUBLIC_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+")


class Link:
    """The requests to a peer. Its host key is pinned, and this node's key allows no others there."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def _ask(self, verb: str, message: t.Any = None) -> str:
        command = [
            *("ssh", "-F", "none", "-i", str(places.SETTINGS / "key"), "-p", str(self.peer.port), "-T"),
            *(f"-oUserKnownHostsFile={places.SETTINGS / 'known_hosts'}", "-oGlobalKnownHostsFile=none"),
            *(f"-oHostKeyAlias={self.peer.name}", "-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes"),
            *("-oBatchMode=yes", "-oConnectTimeout=5", "-oServerAliveInterval=5", "-oLogLevel=ERROR"),
            *("-oUpdateHostKeys=no", f"haproxy-acme@{self.peer.address}", verb),
        ]
        result = run(command, text=json.dumps(message), timeout=DELIVERY + 20)
        if result.code:
            raise Refused(f"{self.peer.name} does not answer: {' '.join(result.stderr.split()) or 'ssh failed'}")
        return result.stdout

    def status(self) -> dict[str, t.Any]:
        """Whether the peer holds the VIP, and its certificates."""
        said: dict[str, t.Any] = json.loads(self._ask("status"))
        return said

    def put(self, message: dict[str, t.Any]) -> dict[str, t.Any]:
        """Send certificates; the peer answers with its status after processing them."""
        said: dict[str, t.Any] = json.loads(self._ask("put", message))
        return said

    def request(self, names: t.Sequence[str]) -> None:
        """Ask for certificates; they come by the peer's own put."""
        self._ask("request", list(names))


def identity(node: str) -> dict[str, t.Any]:
    """The key that this node presents to its peers, and its host keys."""
    key = places.SETTINGS / "key"
    if not key.exists():
        made = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"haproxy-acme@{node}", "-f", str(key)])
        if made.code:
            raise Refused(f"{key} cannot be created: {' '.join(made.stderr.split())}")
    return {
        "node": node,
        "key": public(key.with_suffix(".pub").read_text()),
        "host_keys": sorted(public(path.read_text()) for path in places.HOST_KEYS.glob("ssh_host_*_key.pub")),
    }


def public(text: str) -> str:
    found = _PUBLIC_KEY.match(text)
    if not found:
        raise Refused(f"{text[:40]!r} is not a public key")
    return found[0]


def trust(settings: Settings, identities: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Trust the peers by their keys. A silent peer keeps its previous ones."""
    names = {peer.name for peer in settings.peers}
    answers = {said["node"]: said for said in identities if said["node"] in names}
    hosts, keys = places.SETTINGS / "known_hosts", places.STATE / ".ssh" / "authorized_keys"
    silent = names - answers.keys()
    known = [line for line in lines(hosts) if line.partition(" ")[0] in silent]
    known += [f"{name} {public(key)}" for name, said in answers.items() for key in said["host_keys"]]
    allowed = [line for line in lines(keys) if line.rpartition("haproxy-acme@")[2] in silent]
    allowed += [
        f'restrict,command="{places.PROGRAM} receive {name}" {public(said["key"])} haproxy-acme@{name}'
        for name, said in answers.items()
    ]
    for path, wanted in ((hosts, sorted(known)), (keys, sorted(allowed))):
        if lines(path) != wanted:
            disk.replace(path, "".join(f"{line}\n" for line in wanted).encode(), 0o644)
            disk.sync(path.parent)
            yield f"{path}: knows {listed(names & answers.keys() | silent)}"


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
