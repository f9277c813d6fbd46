# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from bench import Bench, until


@pytest.fixture(scope="session")
def bench() -> Bench:
    bench = Bench.load()
    assert until(bench.settled), "the cluster is not in good health, so there is nothing to test"
    return bench


@pytest.fixture
def web_stopped(bench: Bench) -> t.Iterator[None]:
    """Without the first web server for the time of the test."""
    bench.webs[0].systemctl("stop webserver")
    yield
    bench.webs[0].systemctl("start webserver")
    url = f"http://{bench.internal_vip}:8001/"
    assert until(lambda: bench.servers(url) == {web.name for web in bench.webs})
