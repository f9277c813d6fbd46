# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that HAProxy accepts and clients suffer from: the node that serves undoes them by itself."""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
import yaml
from bench import CACHE, Bench, Node
from changes import SERVICES
from cluster import INSTALL, Clients, Cluster, Played

CONFIGURE = "--tags=haproxy_server-config"
WATCH = 20  # seconds


@pytest.fixture(scope="module")
def wanted(cluster: Cluster) -> t.Iterator[dict[str, t.Any]]:
    """The variables of the last change; afterwards the nodes have them again."""
    start = yaml.safe_load(SERVICES.read_text())
    variables = cluster.wanted or {key: start[key] for key in ("haproxy_service_configs", "haproxy_static_files_extra")}
    yield variables
    restored = cluster.play(INSTALL, variables, CONFIGURE)
    assert restored.code == 0, restored.output


def static(wanted: dict[str, t.Any], **keys: t.Any) -> dict[str, t.Any]:
    """The same with another service for static pages, and with a watch."""
    changed = copy.deepcopy(wanted)
    (service,) = (one for one in changed["haproxy_service_configs"] if one["haproxy_service_name"] == "static")
    service.update(keys)
    return {**changed, "haproxy_watch_seconds": WATCH}


def with_clients(cluster: Cluster, variables: dict[str, t.Any]) -> tuple[Played, dict[str, t.Any]]:
    clients = Clients(cluster.bench, least=0)
    played = cluster.play(INSTALL, variables, CONFIGURE)
    return played, clients.finish()


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("500 for one path", {"haproxy_backend_arguments": ["http-request return status 500"]}),
        pytest.param(
            "wrong port",
            {"haproxy_backend_nodes": [{"name": "s1", "ip_addr": "10.215.1.21", "backend_port": 9}]},
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_bad_change_is_undone(
    cluster: Cluster, bench: Bench, holder: Node, wanted: dict[str, t.Any], name: str, keys: dict[str, t.Any]
) -> None:
    before = {node.name: cluster.release(node) for node in bench.balancers}
    played, report = with_clients(cluster, static(wanted, **keys))
    assert played.code != 0, played.output
    answer = played.answers[holder.name]
    found = re.search(r"real traffic was worse off, so release (\w+) was restored (\d+) s after", answer["msg"])
    assert found, answer["msg"]
    assert "backend static-back: " in answer["msg"]
    # The holder runs what it ran; the standby nodes, without clients, have the change.
    assert found[1] == cluster.release(holder) == before[holder.name]
    others = {name: one for name, one in played.answers.items() if name != holder.name}
    assert {one["release"] for one in others.values()}.isdisjoint(before.values())
    assert all(one["verdict"].startswith("Not judged") for one in others.values()), others
    # Nothing but static pages has suffered, and with a wrong port maybe nothing: HAProxy repeats connections.
    assert all("/static/" in lost for lost in report["lost"]), report["lost"]
    harm = {"change": name, "seconds": int(found[2]), "lost": report["losses"], "requests": report["requests"]}
    with (CACHE / f"judgement-{bench.name}.jsonl").open("a") as file:
        file.write(json.dumps(harm) + "\n")


@pytest.mark.long
def test_a_good_change_stays(cluster: Cluster, holder: Node, wanted: dict[str, t.Any]) -> None:
    good = static(wanted, haproxy_backend_arguments=["http-request set-header X-Drill good"])
    played, report = with_clients(cluster, good)
    assert played.code == 0, played.output
    answer = played.answers[holder.name]
    assert answer["verdict"].startswith("Nothing got worse: "), answer
    assert cluster.release(holder) == answer["release"]
    assert report["losses"] == 0, report
