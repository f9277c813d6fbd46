# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This load balancer: the certificates that it receives, orders, deploys to HAProxy and sends to its peers."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.bundle import Bundle
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.certbot import Certbot
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.due import age_of, due, is_overdue
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.haproxy import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.peers import DELIVERY, Link
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings, Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.spool import LARGEST_MESSAGE
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.store import Store
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused, listed, report, warn
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import instant

CERTIFICATES_PER_MESSAGE = 50


class Node:
    """This load balancer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self.haproxy = HAProxy(settings)
        self.certbot = Certbot(settings)
        self.links = {peer.name: Link(peer) for peer in settings.peers}

    # Taking

    def accept(self, wanted: Wanted, pem: str, source: str) -> bool:
        """Store a certificate if it is valid and newer than the stored one."""
        bundle = Bundle.read(pem)
        if problem := bundle.problem(wanted.domains, time.time()):
            raise Refused(problem)
        own = self.store.bundle(wanted.name)
        # A certificate for other names, or from another server, is replaced by any matching one.
        if own and own.names == bundle.names and self._server(wanted) == wanted.server and own.age >= bundle.age:
            return False
        self.store.keep(wanted, bundle, source)
        return True

    def deploy(self) -> None:
        """Deploy the stored certificates to HAProxy, and report only changes."""
        for wanted in self.settings.certificates:
            self.give(wanted)
        self.store.forget(each.name for each in self.settings.certificates)

    def give(self, wanted: Wanted) -> None:
        bundle = self.store.bundle(wanted.name)
        if bundle and bundle.not_after > time.time():
            for file in wanted.files:
                if done := self.haproxy.give(file, bundle):
                    report(done)

    def take(self, lineage: str) -> None:
        """Take over certbot's certificates; ignore lineages that are not ours."""
        names = [each.name for each in self.settings.certificates]
        for name in [pathlib.Path(lineage).name] if lineage else names:
            if name in names:
                wanted = self.settings.wanted(name)
                is_new = self._take(wanted)
                self.give(wanted)
                if is_new:
                    self.send([wanted], self.links)

    def _take(self, wanted: Wanted) -> bool:
        live = self.certbot.live(wanted.name)
        try:
            pem = "".join((live / file).read_text() for file in ("fullchain.pem", "privkey.pem"))
            return self.accept(wanted, pem, self.settings.node)
        except OSError as error:
            raise Refused(f"HAProxy keeps its certificate: {live} has no {error.filename}.") from error
        except Refused as refusal:
            raise Refused(f"HAProxy keeps its certificate: {live} {refusal}.") from refusal

    # Renewing

    def run(self, patience: float) -> None:
        """Bring everything up to date. A certificate that fails does not stop the others."""
        self.inbox()
        peers = self.ask_peers()
        self.pull(peers)
        failures: list[str] = []
        for wanted in self.settings.certificates:
            for step in (self.give, functools.partial(self.renew, peers=peers, patience=patience)):
                try:
                    step(wanted)
                except (Refused, OSError) as error:
                    failures.append(f"{wanted.name}: {error}")
        if failures:
            raise Refused("\n".join(failures))

    def renew(self, wanted: Wanted, peers: t.Mapping[str, t.Mapping[str, t.Any]], patience: float) -> None:
        now = time.time()
        own = self.store.bundle(wanted.name)
        if own:
            self.forget_delivered(wanted, own, peers)
        why = due(own, wanted, self._server(wanted), now)
        if not why:
            if self.store.status(wanted.name).get("last_result") == "failed":
                # The failed certificate is no longer wanted.
                self.store.publish(wanted, last_result="ok", last_error="")
            return
        if self.is_orderer(peers, patience):
            self.order(wanted, why)
        elif is_overdue(own, now):
            # The ordering node may have finished meanwhile.
            self.pull(self.ask_peers())
            own = self.store.bundle(wanted.name)
            if is_overdue(own, now) and not patience:
                error = f"no node has renewed it, though {why}; asked {listed(peers)} of {listed(self.links)}"
                self.store.publish_result(wanted, error)
                raise Refused(error)

    def forget_delivered(self, wanted: Wanted, own: Bundle, peers: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Forget deliveries that are no longer pending: another node sent it, or the peer was removed."""
        before = self.store.status(wanted.name).get("undelivered", {})
        ages = {name: age_of(answer["certificates"].get(wanted.name, {})) for name, answer in peers.items()}
        mine = instant(own.not_before), own.serial
        left = {name: why for name, why in before.items() if name in self.links and ages.get(name, ("", "")) < mine}
        if left != before:
            self.store.publish(wanted, undelivered=left)

    def ask_peers(self) -> dict[str, dict[str, t.Any]]:
        """The answers of the reachable peers."""
        answers = {}
        for name, link in self.links.items():
            with contextlib.suppress(Refused, ValueError):
                answers[name] = link.status()
        return answers

    def pull(self, peers: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Get the newest version of each certificate from a peer, if it is newer than the stored one."""
        missing: dict[str, list[Wanted]] = {}
        for wanted in self.settings.certificates:
            if newest := max(self._newer(wanted, peers), default=None):
                missing.setdefault(newest[1], []).append(wanted)
        for name, lacking in missing.items():
            with contextlib.suppress(Refused, ValueError):
                self.links[name].request([wanted.name for wanted in lacking])
                deadline = time.monotonic() + DELIVERY
                while time.monotonic() < deadline:
                    self.inbox()
                    if not any(any(self._newer(wanted, {name: peers[name]})) for wanted in lacking):
                        break
                    time.sleep(0.2)

    def _newer(
        self, wanted: Wanted, peers: t.Mapping[str, t.Mapping[str, t.Any]]
    ) -> t.Iterator[tuple[tuple[str, str], str]]:
        """The peers with a newer certificate, and its age."""
        names = {name.lower() for name in wanted.domains}
        own = self.store.bundle(wanted.name)
        mine = (instant(own.not_before), own.serial) if own and own.names == names else ("", "")
        for name, answer in peers.items():
            said = answer.get("certificates", {}).get(wanted.name, {})
            is_wanted = set(said.get("domains", ())) == names and said.get("server") == wanted.server
            if is_wanted and age_of(said) > mine:
                yield age_of(said), name

    def is_orderer(self, peers: t.Mapping[str, t.Mapping[str, t.Any]], patience: float) -> bool:
        """Whether this node orders: it holds the VIP, or is the first of the reachable nodes."""
        if not self.settings.vip:
            return not any(name < self.settings.node for name in peers)
        deadline = time.monotonic() + patience
        while not self.settings.holds_vip:
            if any(answer.get("holds_vip") for answer in peers.values()) or not patience:
                return False
            if time.monotonic() > deadline:
                raise Refused(f"nobody orders it, because no reachable node holds {self.settings.vip}")
            time.sleep(1)
            peers = self.ask_peers()
        return True

    def order(self, wanted: Wanted, why: str) -> None:
        live = self.certbot.live(wanted.name)
        if self.store.bundle(wanted.name) is None and live.is_dir():
            # From before this program; if it is usable, no order is needed.
            with contextlib.suppress(Refused):
                self._take(wanted)
                why = due(self.store.bundle(wanted.name), wanted, "", time.time())
        if why:
            self.call_certbot(wanted, why)
            try:
                self._take(wanted)
            except Refused as refusal:
                self.store.publish_result(wanted, str(refusal))
                raise
        self.give(wanted)
        self.send([wanted], self.links)

    def call_certbot(self, wanted: Wanted, why: str) -> None:
        if said := self.certbot.order(wanted):
            self.store.publish_result(wanted, said)
            raise Refused(f"cannot be ordered ({why}); the current certificate stays in use. {said}")

    # Sharing

    def send(self, lacking: t.Sequence[Wanted], links: t.Mapping[str, Link]) -> None:
        """Send certificates to peers, and confirm their arrival. A peer that is down asks for them when it returns."""
        bundles = {wanted: bundle for wanted in lacking if (bundle := self.store.bundle(wanted.name))}
        if not bundles:
            return
        certificates = [
            {
                "name": wanted.name,
                "pem": bundle.pem,
                "server": self._server(wanted),
                "source": self.store.status(wanted.name).get("source", self.settings.node),
            }
            for wanted, bundle in bundles.items()
        ]
        account = self.certbot.account()
        missing: dict[Wanted, dict[str, str]] = {wanted: {} for wanted in bundles}
        for name, link in links.items():
            try:
                for start in range(0, len(certificates), CERTIFICATES_PER_MESSAGE):
                    some = certificates[start : start + CERTIFICATES_PER_MESSAGE]
                    answer = link.put({"certificates": some, "account": account})
                why = "it has not installed it; see its journal (unit haproxy-acme-inbox)"
            except (Refused, ValueError) as error:
                answer, why = {}, str(error)
            for wanted, bundle in bundles.items():
                said = answer.get("certificates", {}).get(wanted.name, {})
                if age_of(said) < (instant(bundle.not_before), bundle.serial):
                    missing[wanted][name] = why
                    warn(f"{wanted.name} is not at {name} yet: {why}")
        for wanted, peers in missing.items():
            before = self.store.status(wanted.name).get("undelivered", {})
            others = {name: why for name, why in before.items() if name not in links}
            self.store.publish(wanted, undelivered={**others, **peers})

    def inbox(self) -> bool:
        """Process the messages of peers: store certificates, answer requests. Every message is removed."""
        is_good = True
        for path in sorted((places.STATE / "spool" / "new").glob("*")):
            peer, _colon, rest = path.name.partition(":")
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(handle, "rb") as file:
                    message = json.loads(file.read(LARGEST_MESSAGE))
                if rest.startswith("request:"):
                    self.send([self.settings.wanted(name) for name in message], {peer: self.links[peer]})
                else:
                    self.certbot.keep_account(message["account"])
                    self._got(message["certificates"])
            except (Refused, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                is_good = False
                warn(f"{peer} sent unusable data: {error}.")
            finally:
                path.unlink()
        return is_good

    def _got(self, certificates: t.Sequence[dict[str, t.Any]]) -> None:
        refusals = []
        for said in certificates:
            try:
                wanted = self.settings.wanted(said["name"])
                if said["server"] != wanted.server:
                    raise Refused(f"comes from {said['server']}")
                if self.accept(wanted, said["pem"], str(said["source"])):
                    self.give(wanted)
            except Refused as refusal:
                refusals.append(f"{said['name']} {refusal}")
        if refusals:
            raise Refused("; ".join(refusals))

    def _server(self, wanted: Wanted) -> str:
        return str(self.store.status(wanted.name).get("server", ""))
