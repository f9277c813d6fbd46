# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes under load: nothing is lost, nothing reloads without need, and everybody knows what runs."""

from __future__ import annotations

import re
import ssl
import subprocess
import typing as t

import pytest
from bench import Bench, Node, until
from changes import BROKEN, CHANGES, DRAINED, HALF, Change
from cluster import INSTALL, REQUESTS, Answers, Clients, Cluster, Played

NODES = ("lb1", "lb2", "lb3")
CONFIGURE = "--tags=haproxy_server-config"


@pytest.fixture(params=NODES)
def node(bench: Bench, request: pytest.FixtureRequest) -> Node:
    return next(node for node in bench.balancers if node.name == request.param)


@pytest.fixture(scope="session")
def standby(bench: Bench, holder: Node) -> Node:
    return next(node for node in bench.balancers if node is not holder)


def served(bench: Bench) -> str:
    return ssl.get_server_certificate((bench.external_vip, 443), timeout=5)


def port_of(change: Change) -> int:
    return int(change.what.rpartition(" ")[2])


# The changes, in their order


def test_drain_by_hand(cluster: Cluster, holder: Node) -> None:
    pool, server = DRAINED
    cluster.ask(holder, f"set server {pool}-back/{server} state drain")
    assert cluster.servers(holder)[f"{pool}-back"][server].admin == 8


@pytest.mark.parametrize(
    "change",
    [*CHANGES[:HALF], *(pytest.param(change, marks=pytest.mark.long) for change in CHANGES[HALF:])],
    ids=str,
)
def test_change(cluster: Cluster, change: Change, holder: Node, standby: Node) -> None:
    if change.kind == "broken line":
        broken(cluster, change)
    elif change.kind == "taken port":
        taken(cluster, change, holder, standby)
    elif change.is_killed:
        killed(cluster, change, holder)
    else:
        before = served(cluster.bench)
        played = cluster.change(change)
        assert played.actions == dict.fromkeys(NODES, change.outcome), explained(played)
        took(cluster, change, played)
        assert (served(cluster.bench) != before) == (change.kind == "certificate")


def took(cluster: Cluster, change: Change, played: Played) -> None:
    """What every change that comes through leaves."""
    assert played.code == 0, played.output
    for node in cluster.bench.balancers:
        answer = played.answers[node.name]
        is_new = answer["worker_pid"] != cluster.workers[node.name]
        assert is_new == (played.actions[node.name] == "reload"), explained(played)
        cluster.workers[node.name], cluster.releases[node.name] = answer["worker_pid"], answer["release"]
    cluster.wanted = change.wanted
    if change.kind in ("add service", "taken port"):
        url = f"http://{cluster.bench.external_vip}:{port_of(change)}/"
        assert cluster.bench.fetch(url).status == 200
    if change.kind == "remove service":
        url = f"http://{cluster.bench.external_vip}:{port_of(change)}/"
        assert until(lambda: cluster.bench.fetch(url).status == 0)


def explained(played: Played) -> str:
    why = (f"{node}: {one.get('reason') or one.get('msg')}" for node, one in played.answers.items())
    return "\n".join(why) or played.output


def untouched(cluster: Cluster, names: t.Iterable[str] = NODES) -> None:
    for node in cluster.bench.balancers:
        if node.name in names:
            assert cluster.worker(node) == cluster.workers[node.name]
            assert cluster.release(node) == cluster.releases[node.name]


def broken(cluster: Cluster, change: Change) -> None:
    """HAProxy refuses it: the line is named, and nothing has happened."""
    played = cluster.change(change)
    assert played.actions == dict.fromkeys(NODES, "failure")
    for answer in played.answers.values():
        assert re.search(rf'haproxy\.cfg line \d+ \(backend \w+-back\), "{BROKEN}"', answer["msg"]), answer["msg"]
        assert any(error["value"] == BROKEN and error["line"] for error in answer["errors"])
    untouched(cluster)


def taken(cluster: Cluster, change: Change, holder: Node, standby: Node) -> None:
    """On one node something else has the port. That is seen before anything happens there, and spares who comes after.

    The playbook takes standby nodes in any order, and the holder last.
    """
    port = port_of(change)
    # It goes when its standard input ends.
    program = f"import socket, sys; s = socket.create_server(('', {port})); print(flush=True); sys.stdin.read()"
    command = ["podman", "exec", "--interactive", standby.container, "python3", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as squatter:
        assert squatter.stdin and squatter.stdout and squatter.stdout.readline()
        played = cluster.change(change, INSTALL, CONFIGURE)
        squatter.stdin.close()
    assert played.code != 0
    assert played.actions[standby.name] == "failure"
    message = played.answers[standby.name]["msg"]
    assert re.search(rf":{port} is in use by python3 \(process \d+\)", message), message
    early = [name for name, action in played.actions.items() if action == "reload"]
    assert holder.name not in played.actions and len(played.actions) == len(early) + 1
    untouched(cluster, {*NODES} - {*early})

    # The port is free again.
    again(cluster, change, early={name: played.answers[name] for name in early})


def killed(cluster: Cluster, change: Change, holder: Node) -> None:
    """The module dies at work on the node that serves; the next run ends what it began, and says so."""
    before = cluster.reloads(holder)
    with cluster.killing(holder) as report:
        played = cluster.change(change)
    assert re.fullmatch(r"killed \d+", report[0])
    assert played.code != 0
    others = {name: change.outcome for name in NODES if name != holder.name}
    assert {name: action for name, action in played.actions.items() if name != holder.name} == others
    # It may have come as far as the reload.
    cluster.needed[holder.name] += cluster.reloads(holder) - before
    cluster.workers[holder.name] = cluster.worker(holder)

    played = again(cluster, change, early={name: played.answers[name] for name in others})
    assert "interrupted" in played.answers[holder.name]["reason"]


def again(cluster: Cluster, change: Change, early: Answers) -> Played:
    """The nodes that have the change already are left alone; the others reload."""
    cluster.workers.update({name: answer["worker_pid"] for name, answer in early.items()})
    played = cluster.change(change)
    assert played.actions == {name: "nothing" if name in early else "reload" for name in NODES}, explained(played)
    took(cluster, change, played)
    return played


# What is left of them


def test_no_request_is_lost(bench: Bench, clients: Clients) -> None:
    report = clients.finish()
    # A VIP that moves resets its connections, which is not the fault of a change.
    moves = [node.run("journalctl --unit=keepalived --no-pager --grep=Entering") for node in bench.balancers]
    assert report["losses"] == 0, (report, *moves)
    assert report["requests"] >= REQUESTS
    assert len(report["asked"]) == 3 and min(report["asked"].values()) > REQUESTS // 10, "over HTTP and HTTPS"
    assert len(report["answered_by"]) >= 12, "the clients have seen the pools change"


def test_vips_have_not_moved(bench: Bench, holder: Node) -> None:
    assert [bench.holders(vip) for vip in bench.vips] == [[holder]] * len(bench.vips)


def test_reloads_were_needed(cluster: Cluster, node: Node, holder: Node) -> None:
    """The master has counted them itself."""
    assert cluster.reloads(node) - cluster.masters[node.name] == cluster.needed[node.name]
    made = {one["change"] for one in cluster.made}
    needed = sum(change.outcome == "reload" for change in CHANGES if str(change) in made)
    assert cluster.needed[node.name] == needed or (node is holder and cluster.needed[node.name] > needed)


def test_drain_is_still_there(cluster: Cluster, node: Node, holder: Node) -> None:
    pool, server = DRAINED
    assert cluster.servers(node)[f"{pool}-back"][server].admin == (8 if node is holder else 0)


def test_worker_has_the_servers_that_are_wanted(cluster: Cluster, node: Node) -> None:
    found = cluster.servers(node)
    wanted = {
        f"{service['haproxy_service_name']}-back": {
            server["name"]: (server["ip_addr"], server["backend_port"], server.get("weight", 1))
            for server in service["haproxy_backend_nodes"]
        }
        for service in cluster.wanted["haproxy_service_configs"]
    }
    assert {
        pool: {name: (state.address, state.port, state.weight) for name, state in servers.items()}
        for pool, servers in found.items()
    } == wanted


def test_worker_has_the_entries_that_are_wanted(cluster: Cluster, node: Node) -> None:
    (routes,) = cluster.wanted["haproxy_service_configs"][0]["haproxy_map_entries"]
    (legacy,) = cluster.wanted["haproxy_static_files_extra"]
    assert cluster.patterns(node, "map", "routes.map") == routes["entries"]
    assert cluster.patterns(node, "acl", "legacy.acl") == legacy["content"].split()


def test_worker_has_the_certificates_of_the_disk(cluster: Cluster, node: Node) -> None:
    paths = node.run("ls /etc/haproxy/ssl/*.pem").split()
    assert len(paths) == 3
    for path in paths:
        on_disk = node.run(f"openssl x509 -in {path} -noout -fingerprint -sha1").partition("=")[2]
        escaped = path.replace(":", "\\:")
        loaded = re.search(r"^SHA1 FingerPrint: (\w+)$", cluster.ask(node, f"show ssl cert {escaped}"), re.MULTILINE)
        assert loaded and loaded[1] == on_disk.strip().replace(":", "")


def test_nodes_have_the_same(cluster: Cluster, bench: Bench) -> None:
    """Their files differ in nothing but their own names, by which their certificates go."""
    texts = {
        node.run("cat /etc/haproxy/haproxy.cfg").replace(cluster.release(node), "RELEASE").replace(node.name, "NODE")
        for node in bench.balancers
    }
    assert len(texts) == 1


def test_the_last_release_is_on_the_disk_and_runs(cluster: Cluster, bench: Bench, holder: Node) -> None:
    assert {node.name: cluster.release(node) for node in bench.balancers} == cluster.releases
    drift = cluster.drift()
    assert {name: one["running_release"] for name, one in drift.items()} == cluster.releases
    found = {name: [(one["object"], one["found"]) for one in drift[name]["differences"]] for name in drift}
    pool, server = DRAINED
    by_hand = [(f"{pool}-back/{server}", "drain")]
    assert found == {name: by_hand if name == holder.name else [] for name in NODES}


def test_another_run_in_check_mode_would_change_nothing(cluster: Cluster) -> None:
    played = cluster.play(INSTALL, cluster.wanted, "--check", CONFIGURE)
    assert played.code == 0, played.output
    assert played.actions == dict.fromkeys(NODES, "nothing"), explained(played)
    changed = re.findall(r"^\S+\s+: ok=\d+\s+changed=(\d+)", played.output, re.MULTILINE)
    assert changed and set(changed) == {"0"}, played.output
