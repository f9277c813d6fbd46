# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of this node, which only root can read, and their public status."""

from __future__ import annotations

import json
import time
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.bundle import Bundle
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Wanted
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import instant


class Store:
    """The certificates of this node, which only root can read, and their public status."""

    def bundle(self, name: str) -> Bundle | None:
        try:
            return Bundle.read((places.STATE / "certificates" / f"{name}.pem").read_text())
        except (OSError, Refused):
            return None

    def keep(self, wanted: Wanted, bundle: Bundle, source: str) -> None:
        disk.replace(places.STATE / "certificates" / f"{wanted.name}.pem", bundle.pem.encode(), 0o600)
        disk.sync(places.STATE / "certificates")
        self.publish(
            wanted,
            domains=sorted(bundle.names),
            serial=bundle.serial,
            not_before=instant(bundle.not_before),
            not_after=instant(bundle.not_after),
            server=wanted.server,
            source=source,
            files=[f"{file}.pem" for file in wanted.files],
        )
        self.publish_result(wanted, "")

    def status(self, name: str) -> dict[str, t.Any]:
        try:
            said: dict[str, t.Any] = json.loads((places.STATE / "status" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return said

    def publish(self, wanted: Wanted, **news: t.Any) -> None:
        said = {"name": wanted.name, **self.status(wanted.name), **news}
        text = f"{json.dumps(said, indent=2, sort_keys=True)}\n"
        disk.replace(places.STATE / "status" / f"{wanted.name}.json", text.encode(), 0o644)

    def forget(self, but: t.Iterable[str]) -> None:
        """Drop the status of all others. Their certificates stay, because they may be needed again."""
        for path in {*(places.STATE / "status").glob("*.json")} - {
            places.STATE / "status" / f"{name}.json" for name in but
        }:
            path.unlink()

    def publish_result(self, wanted: Wanted, error: str) -> None:
        self.publish(
            wanted,
            last_attempt=instant(time.time()),
            last_result="failed" if error else "ok",
            last_error=error,
        )
