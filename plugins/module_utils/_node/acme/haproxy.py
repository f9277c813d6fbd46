# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The running HAProxy, and the certificates that it serves."""

from __future__ import annotations

import pathlib
import time

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.bundle import Bundle
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

ANSWER = 10.0  # seconds until HAProxy answers
RELOAD = 20.0  # seconds until HAProxy has reloaded
# Seconds to wait for other writers: haproxy_config holds the lock while it checks and proves a release.
TURN = 600.0


class HAProxy:
    """The running process behind its stats socket, and the files from which the next one starts."""

    def __init__(self, settings: Settings) -> None:
        self.client = RuntimeClient(settings.stats_socket, ANSWER)
        self.store = CertificateStore(settings.store)

    def shows(self, path: pathlib.Path) -> str | None:
        """The fingerprint of the loaded certificate; empty if HAProxy does not run or does not use it."""
        try:
            with self.client.session() as session:
                if str(path) not in certificates.listing(session).paths:
                    return None
                return certificates.shown(session, str(path)).leaf.sha1
        except LbforgeError:
            return None

    def give(self, file: str, bundle: Bundle) -> str:
        """Give HAProxy a certificate, the file first so that every reload finds it. Return the action in words."""
        path = self.store.directory / f"{file}.pem"
        wanted = {path.name: bundle.pem.encode()}
        with self.store.lock(TURN):
            is_new = self.store.read(wanted) != wanted
            if is_new:
                self.store.write(wanted)
            shown = self.shows(path)
            if shown is None:
                return f"{path}: written" if is_new else ""
            if shown == bundle.sha1 and not is_new:
                return ""
            why = self.swap(path, bundle)
            return f"{path}: HAProxy {self.reload(path, bundle, why) if why else 'serves'} {bundle.serial}"

    def swap(self, path: pathlib.Path, bundle: Bundle) -> str:
        """Replace it in the process; return the reason for a failure."""
        try:
            with locked(self.client.address, TURN), self.client.session() as session:
                if transaction := certificates.listing(session).transaction:
                    return f"another client is changing {transaction}"
                certificates.swap(session, str(path), bundle.pem)
        except LbforgeError as error:
            return str(error)
        return ""

    def reload(self, path: pathlib.Path, bundle: Bundle, why: str) -> str:
        result = run(["systemctl", "reload", "haproxy"])
        deadline = time.monotonic() + RELOAD
        while self.shows(path) != bundle.sha1:
            if result.code or time.monotonic() > deadline:
                raise Refused(
                    f"{path} is written, but HAProxy serves another certificate: it rejected the new one ({why}) and"
                    f" the reload {' '.join(result.stderr.split())}".rstrip()
                )
            time.sleep(0.2)
        return f"reloaded, because it rejected the new one ({why}), and serves"
