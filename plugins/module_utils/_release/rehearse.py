# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release does with requests, before anything of it is in place."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.messages import Message, warning
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.comparison import compare, lines
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Expectation
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, prove
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION, Release

# Seconds for one expectation in the worst case: each client waits that long for an answer that does not come.
_LONGEST = 60


@dataclass(frozen=True)
class Rehearsal:
    """What is expected of a release, and the HAProxy of the host to try it with; ``addresses`` are those of names."""

    binary: str | None
    config_dir: Path
    certificate_dir: Path
    expectations: t.Sequence[Expectation] = ()
    addresses: t.Mapping[str, str] = field(default_factory=dict)

    def check(self, release: Release, certificates: t.Mapping[str, bytes]) -> list[Message]:
        """Return warnings; an expectation that is not met is an error."""
        if not self.expectations:
            return []
        if self.binary is None:
            return [warning("HAProxy is not installed yet, so the expectations were not rehearsed.")]
        prove(self._trial(release.contents, certificates), "; nothing was changed")
        return []

    def compare(
        self,
        before: t.Mapping[str, bytes],
        release: Release,
        old_certificates: t.Mapping[str, bytes | None],
        certificates: t.Mapping[str, bytes],
    ) -> list[str]:
        """The requests to which the files before and the release respond differently, as lines for people."""
        if not self.expectations or self.binary is None:
            return []
        there = {name: content for name, content in old_certificates.items() if content is not None}
        return lines(compare(self._trial(before, there), self._trial(release.contents, certificates)))

    def _trial(self, contents: t.Mapping[str, bytes], certificates: t.Mapping[str, bytes]) -> Trial:
        # A path may also lead by way of the link to the release in use.
        places = (self.config_dir, self.config_dir / "current")
        files = {place / name: content for place in places for name, content in contents.items()}
        files.update({self.certificate_dir / name: content for name, content in certificates.items()})
        return Trial(
            self.config_dir / CONFIGURATION,
            files,
            self.expectations,
            self.addresses,
            str(self.binary),
            _LONGEST * (1 + len(self.expectations)),
        )
