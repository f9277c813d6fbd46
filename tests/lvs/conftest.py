# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One laboratory for the tests of a file: they change it, and put it back."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from lab import RENDERED, Lab

MEASURED: dict[str, float] = {}


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> t.Iterator[Lab]:
    """The nodes of the example that the file names, set up by its function ``set_up``."""
    lab = Lab(request.module.EXAMPLE)
    try:
        request.module.set_up(lab)
        yield lab
        (RENDERED / lab.example / "measured.json").write_text(json.dumps(MEASURED, indent=2) + "\n")
    except Exception as error:
        error.add_note(lab.report())
        raise
    finally:
        lab.tear_down()


@pytest.fixture
def measured() -> dict[str, float]:
    """Seconds of what happened, for the table at the end."""
    return MEASURED


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> t.Iterator[None]:
    """What the daemons said and what the kernel knows, beside a failure."""
    outcome = yield
    if outcome.excinfo:
        outcome.excinfo[1].add_note(item.funcargs["lab"].report())  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, seconds in MEASURED.items():
        terminalreporter.write_line(f"{seconds:7.2f} s  {what}")


def pytest_sessionstart() -> None:
    subprocess.run(["modprobe", "--all", "veth", "bridge", "ip_vs"], check=True)
