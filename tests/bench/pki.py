# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pki_certificates with few and with many leaves, and how long the report on all nodes' certificates takes."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
import sys
import tempfile
import typing as t

from playbook import REPO, play
from row import Row, at_most
from runtime import serving

TASK, MANY, REPORT = "Issue two authorities and two leaves", "Issue many leaves", "Say how long certificates are valid"
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
LOCALHOST = {"ungrouped": {"hosts": {"localhost": HERE}}}


@dataclasses.dataclass(frozen=True)
class Size:
    rounds: int
    leaves: int
    #: that report on certificates, and of how many
    nodes: int
    certificates: int


FULL, QUICK = Size(rounds=3, leaves=200, nodes=10, certificates=50), Size(rounds=1, leaves=4, nodes=2, certificates=2)


def rows(size: Size) -> t.Iterator[Row]:
    yield from few_leaves(size.rounds)
    yield from many_leaves(size)


def few_leaves(rounds: int) -> t.Iterator[Row]:
    issued, unchanged = [], []
    for _run in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            for seconds in (issued, unchanged):
                run = play(REPO / "tests" / "bench" / "pki.yml", LOCALHOST, directory=directory)
                assert bool(run.changed) == (seconds is issued)
                seconds.append(run.task_seconds(TASK))
    yield at_most(2, "pki_certificates, 2 authorities and 2 leaves: issued", statistics.median(issued), "s")
    yield at_most(1.5, "pki_certificates, 2 authorities and 2 leaves: unchanged", statistics.median(unchanged), "s")


def many_leaves(size: Size) -> t.Iterator[Row]:
    """And a HAProxy that shows some of them, asked as if it were many."""
    leaves = [
        {"name": f"leaf{number}", "cn": f"leaf{number}.example.org", "signed_by": "intermediate"}
        for number in range(size.leaves)
    ]
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        variables = {"directory": f"{home}/pki", "leaves": leaves}
        first, second = (play(REPO / "tests" / "bench" / "pki.yml", LOCALHOST, **variables) for _run in range(2))
        assert MANY in first.changed
        assert MANY not in second.changed
        yield at_most(6, f"pki_certificates, {size.leaves} leaves: issued", first.task_seconds(MANY), "s")
        yield at_most(3, f"pki_certificates, {size.leaves} leaves: unchanged", second.task_seconds(MANY), "s")

        (home / "shown").mkdir()
        for leaf in leaves[: size.certificates]:
            certificate = (home / "pki" / "certs" / "certs" / f"{leaf['name']}-chain.crt").read_text()
            key = (home / "pki" / "certs" / "private" / f"{leaf['name']}.key.pem").read_text()
            (home / "shown" / f"{leaf['name']}.pem").write_text(certificate + key)
        with serving(home, f"    bind abns@tls-{home} ssl crt {home}/shown\n"):
            nodes = {f"lb{number}": {**HERE, "ansible_host": "localhost"} for number in range(size.nodes)}
            run = play(
                REPO / "tests" / "bench" / "expiry.yml",
                {"haproxy": {"hosts": nodes}},
                bench_socket=f"{home}/admin.sock",
                haproxy_pki_dir=f"{home}/pki",
            )
        shown_lines = run.result(REPORT, "lb0")["msg"]
        assert len(shown_lines) == size.certificates + 2, shown_lines
        yield at_most(5, f"report on {size.nodes} nodes of {size.certificates} certificates", run.seconds, "s")
