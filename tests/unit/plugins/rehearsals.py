# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic tests: what a configuration does with requests, on the stage of rehearsals."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY

CONFIGURATION = pathlib.Path("/etc/haproxy/haproxy.cfg")

Results = list[dict[str, t.Any]]


def results_of(
    configuration: str,
    expectations: t.Iterable[dict[str, t.Any]],
    files: t.Mapping[str, str] | None = None,
    **options: t.Any,
) -> Results:
    """The results of expectations without names. ``files`` are texts beside the configuration, in /etc/haproxy."""
    if BINARY is None or not shutil.which("ip"):
        pytest.skip("needs haproxy and ip")
    named = [{"name": str(number), **expectation} for number, expectation in enumerate(expectations)]
    texts = {CONFIGURATION.name: configuration, **(files or {})}
    contents = {CONFIGURATION.with_name(name): text.encode() for name, text in texts.items()}
    results: Results = rehearse(Trial(CONFIGURATION, contents, parse(named), binary=BINARY, **options))["results"]
    return results


def failures(results: Results) -> list[str]:
    """A line for each key of an expectation that is not met."""
    return [f"{failure['path']}: {failure['why']}" for result in results for failure in result["failures"]]
