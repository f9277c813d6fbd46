# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts to apply releases to."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.preflight import Preflight
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    BINARY,
    Machine,
    private_machine,
)


@pytest.fixture
def machine() -> t.Iterator[Machine]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    with private_machine() as made:
        yield made


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    directory = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    bundles = []
    for _number in range(2):
        subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
        bundles.append((directory / "c").read_bytes() + (directory / "k").read_bytes())
    return bundles


@pytest.fixture
def taken_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that somebody takes after they were tried, and before HAProxy does."""
    monkeypatch.setattr(Preflight, "problems", lambda _self, _endpoints: [])
