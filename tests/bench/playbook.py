# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks, run and timed."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import time
import typing as t

REPO = pathlib.Path(__file__).resolve().parents[2]
# What a suite leaves behind, for a look at it.
WORK = REPO / ".cache" / "bench" / "measured"


@dataclasses.dataclass(frozen=True)
class Run:
    """A playbook that ran."""

    #: of the whole command
    seconds: float
    report: dict[str, t.Any]

    @property
    def play_seconds(self) -> float:
        """How long the last play took: no start of Ansible, no gathering of facts."""
        return duration(self.report["plays"][-1]["play"])

    def task_seconds(self, name: str) -> float:
        return next(
            duration(each["task"])
            for play in self.report["plays"]
            for each in play["tasks"]
            if each["task"]["name"] == name
        )

    def result(self, name: str, host: str) -> dict[str, t.Any]:
        """What a task answered."""
        return next(
            each["hosts"][host]
            for play in self.report["plays"]
            for each in play["tasks"]
            if each["task"]["name"] == name
        )

    def executed(self, host: str) -> int:
        """Tasks that ran on a host, not counting those it skipped."""
        return int(self.report["stats"][host]["ok"])

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something."""
        return [
            each["task"]["name"]
            for play in self.report["plays"]
            for each in play["tasks"]
            if any(result.get("changed") for result in each["hosts"].values())
        ]


def duration(of: dict[str, t.Any]) -> float:
    start, end = (datetime.datetime.fromisoformat(of["duration"][edge].rstrip("Z")) for edge in ("start", "end"))
    return (end - start).total_seconds()


def play(playbook: pathlib.Path, inventory: dict[str, t.Any], *options: str, **variables: t.Any) -> Run:
    """Run a playbook; its inventory and variables stay in the work directory."""
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "inventory.json").write_text(json.dumps(inventory))
    (WORK / "variables.json").write_text(json.dumps(variables))
    command = ["ansible-playbook", "--inventory", f"{WORK}/inventory.json", "--extra-vars", f"@{WORK}/variables.json"]
    settings = {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
    }
    started = time.perf_counter()
    result = subprocess.run(
        [*command, *options, str(playbook)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    (WORK / "output.json").write_text(result.stdout)
    if result.returncode:
        raise SystemExit(f"{playbook} failed:\n{failures(result.stdout) or result.stdout + result.stderr}")
    return Run(seconds, json.loads(result.stdout[result.stdout.index("{") :]))


def failures(output: str) -> str:
    """The messages of the tasks that failed."""
    try:
        report = json.loads(output[output.index("{") :])
    except ValueError:
        return ""
    return "\n".join(
        f"{each['task']['name']}: {result.get('msg')}"
        for play in report["plays"]
        for each in play["tasks"]
        for result in each["hosts"].values()
        if result.get("failed")
    )
