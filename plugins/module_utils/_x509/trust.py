# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's trust store: a directory of anchors, and the system's bundle of them."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import disk
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.store import RETIRED
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError, Problem, ProblemsError, shown

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")


class TrustError(LbforgeError):
    """Anchors that the system did not take over."""


@dataclasses.dataclass(frozen=True)
class Anchor:
    """One certificate to trust."""

    name: str
    content: str


def parse_anchors(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[Anchor]:
    """Check a user's anchors: trust stores want one certificate a file."""
    problems = []
    for at, entry in enumerate(entries):
        path, name = f"anchors[{at}].name", entry["name"]
        if not _FILE_NAME.fullmatch(name):
            why = f"{name!r} is not a valid file name; use letters, digits, _.@+-"
            problems.append(Problem(path, shown(name), why))
        if len(_CERTIFICATE.findall(entry["content"])) != 1:
            problems.append(Problem(f"anchors[{at}].content", "", "must contain exactly one certificate in PEM format"))
        if name in [other["name"] for other in entries[:at]]:
            problems.append(Problem(path, shown(name), f"{name!r} is listed twice"))
    if problems:
        raise ProblemsError(problems)
    return [Anchor(entry["name"], entry["content"].strip() + "\n") for entry in entries]


def is_in(anchor: Anchor, bundle: str) -> bool:
    """Whether a bundle has an anchor's certificate, however its lines are folded."""
    return _bodies(anchor.content) <= _bodies(bundle)


class TrustStore:
    """The anchors and the bundle on disk."""

    def __init__(self, directory: str, bundle: str) -> None:
        self._directory = pathlib.Path(directory)
        self._bundle = pathlib.Path(bundle)

    def path(self, anchor: Anchor) -> pathlib.Path:
        return self._directory / f"{anchor.name}.crt"

    def read(self, anchor: Anchor) -> str:
        return _read(self.path(anchor))

    def untrusted(self, anchors: t.Iterable[Anchor]) -> list[Anchor]:
        """Return the anchors that the system's bundle does not have."""
        bundle = _read(self._bundle)
        return [anchor for anchor in anchors if not is_in(anchor, bundle)]

    def retired(self, anchors: t.Sequence[Anchor]) -> list[pathlib.Path]:
        """Return the files NAME-DATE of anchors from before a regeneration that are no longer listed."""
        listed = {anchor.name for anchor in anchors}
        return sorted(
            path
            for path in self._directory.glob("*.crt")
            if (found := RETIRED.fullmatch(path.stem)) and found["name"] in listed and path.stem not in listed
        )

    def write(self, anchor: Anchor) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        disk.replace(self.path(anchor), anchor.content.encode("ascii"), 0o644)


def _bodies(pem: str) -> set[str]:
    return {"".join(body.split()) for body in _CERTIFICATE.findall(pem)}


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
