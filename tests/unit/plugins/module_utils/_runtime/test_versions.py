# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import versions
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.versions import (
    FEATURES,
    HarmfulCommandError,
    VersionError,
    refuse_harmful,
    require,
)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_there_since_its_version(feature: str) -> None:
    since = FEATURES[feature].since
    require(feature, since)
    require(feature, Version(since.major, since.minor, 12))
    with pytest.raises(VersionError, match=f"needs {since.major}.{since.minor} or newer"):
        require(feature, Version(since.major, since.minor - 1, 99))


def test_every_feature_is_asked_for() -> None:
    sources = [path.read_text() for path in pathlib.Path(versions.__file__).parents[1].rglob("*.py")]
    asking = [line for text in sources for line in text.splitlines() if re.search(r"\brequire\(|FEATURES\[", line)]
    assert [name for name in FEATURES if not any(f'"{name}"' in line for line in asking)] == []


def test_a_version_error_says_which_version_runs() -> None:
    with pytest.raises(VersionError) as caught:
        require("dynamic servers", Version(2, 4, 22))
    assert "HAProxy 2.4.22 runs here, but adding and removing servers over its socket needs 2.6" in str(caught.value)
    assert caught.value.details == {"feature": "dynamic servers", "version": "2.4.22", "since": "2.6"}


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("add server b/s 127.0.0.1:80 enabled", "no traffic"),
        ("add server b/s 127.0.0.1:80 check enabled weight 1", "no traffic"),
        ("add server b/s 127.0.0.1:+80", "port map"),
        ("add server b/s [::1]:-80 check", "port map"),
    ],
)
def test_harmful_commands_are_refused_with_the_reason(command: str, why: str) -> None:
    with pytest.raises(HarmfulCommandError, match=why):
        refuse_harmful(command)


@pytest.mark.parametrize(
    "command",
    [
        "set maxconn server b/s 100",
        "add server b/enabled 127.0.0.1:80 check",
        "add server b/s 127.0.0.1:80 check sni str(enabled-x)",
    ],
)
def test_others_are_not(command: str) -> None:
    refuse_harmful(command)
