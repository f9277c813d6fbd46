# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certbot: its orders, certificates and accounts."""

from __future__ import annotations

import pathlib
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings, Wanted

# certbot's files of an account: its server, the path there, a number, and one of three files.
_ACCOUNT = re.compile(r"[A-Za-z0-9][\w.:-]*(/[A-Za-z0-9][\w.~-]*)+/(meta|private_key|regr)\.json")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 900.0  # seconds for an order


class Certbot:
    """The program, and its directory."""

    def __init__(self, settings: Settings) -> None:
        self.command = settings.certbot
        self.directory = settings.certbot_directory

    def live(self, name: str) -> pathlib.Path:
        """The directory of the newest certificate of a lineage."""
        return self.directory / "live" / name

    def order(self, wanted: Wanted) -> str:
        """Order a certificate; return the reason for a failure."""
        words = ["--cert-name", wanted.name, "--domains", ",".join(wanted.domains), "--key-type", wanted.key_type]
        # One node decides about orders here; certbot's own timer must not order on another.
        only = ["--force-renewal", "--renew-with-new-domains", "--no-autorenew", "--no-directory-hooks"]
        command = [self.command[0], "certonly", *only, *words, *self.command[1:]]
        try:
            result = run(command, timeout=_PATIENCE, environment={"PATH": _PATH})
        except OSError as error:
            return str(error)
        return (reason(result.stdout + result.stderr) or "certbot failed") if result.code else ""

    def account(self) -> dict[str, str]:
        """The account, which goes with the certificate so that every node renews with it."""
        root = self.directory / "accounts"
        files = {str(path.relative_to(root)): path for path in root.glob("**/*.json")}
        return {name: path.read_text() for name, path in files.items() if _ACCOUNT.fullmatch(name)}

    def keep_account(self, files: t.Mapping[str, str]) -> None:
        """Store the account of a peer, unless this node already has one with that server."""
        root = self.directory / "accounts"
        for name, content in files.items():
            path = root / name
            is_other = path.parent.parent.is_dir() and not path.parent.is_dir()
            if _ACCOUNT.fullmatch(name) and ".." not in name and not is_other and not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                disk.replace(path, content.encode(), 0o400 if path.name == "private_key.json" else 0o644)
                disk.sync(path.parent)


def reason(output: str) -> str:
    """The lines of certbot's output with the reason, without its advice."""
    noise = re.compile(r"Saving debug log|Renewing an existing|Requesting a certificate|^Ask for help|^See the logfile")
    kept = [line.strip() for line in output.splitlines() if line.strip(" -") and not noise.search(line.strip())]
    return " ".join(kept)[:2000]
