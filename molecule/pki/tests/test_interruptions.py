# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed in the middle, and two at once."""

from __future__ import annotations

import typing as t

import pytest
from cluster import BUNDLE, ROOT, SHOP, Cluster, Leaf, Run, SetupHost, play, probing

MORE = 50
ISSUE = "TASK [lbforge.haproxy.pki : Issue authorities and certificates]"
REPLACE = "TASK [lbforge.haproxy.pki : Replace the keys of authorities]"
SWAP = "TASK [lbforge.haproxy.haproxy_server : Replace the certificates of the running HAProxy]"


@pytest.fixture(scope="module", autouse=True)
def only_here(setup_host: SetupHost) -> t.Iterator[None]:
    """Take away afterwards what only these tests ask for."""
    yield
    for path in setup_host.directory.glob("certs/*/more*"):
        path.unlink()


def written(setup_host: SetupHost, pattern: str, count: int) -> t.Callable[[], bool]:
    """Whether so many files of a kind have come, or have become others, since now."""

    def times() -> set[tuple[str, int]]:
        return {(path.name, path.stat().st_mtime_ns) for path in setup_host.directory.glob(pattern)}

    before = times()
    return lambda: len(times() - before) >= count


def test_the_next_run_ends_what_was_killed(cluster: Cluster, setup_host: SetupHost) -> None:
    """Each of them issues all certificates, and 50 more, and is killed with everything that it has started."""
    reloads, known = cluster.reloads, set[Leaf]()
    moments = [("certs/private/*.key.pem", 1), ("certs/private/*.key.pem", 30), ("certs/certs/more*-chain.crt", 45)]
    with (
        probing(setup_host.root.certificate, kind="RSA") as site,
        probing(setup_host.root.certificate, SHOP) as shop,
    ):
        for pattern, count in moments:
            moment = written(setup_host, pattern, count)
            with Run(haproxy_pki_regen_cert="true", more_certificates=MORE) as run:
                run.kill_at(ISSUE, moment)
            # Every file is whole, and only the one written last may be without the rest of its pair.
            flaws = {leaf for leaf in setup_host.leaves if leaf.flaw()}
            assert len(flaws - known) <= 1
            known |= flaws
            assert [leaf.torn() for leaf in setup_host.leaves if leaf.torn()] == []
            assert setup_host.open_secrets() == []

        # All certificates are there, and the first node has one of them.
        first, *_others = cluster.nodes
        loaded = first.loaded("shop")
        with Run(haproxy_pki_regen_cert="true", more_certificates=MORE) as run:
            run.kill_at(SWAP, lambda: first.loaded("shop") != loaded)
        assert {f"more{number}" for number in range(MORE)} < {leaf.name for leaf in setup_host.leaves}
        assert [leaf.flaw() for leaf in setup_host.leaves if leaf.flaw()] == []

        assert play(more_certificates=MORE).code == 0
    assert site.failures == shop.failures == []
    assert min(site.handshakes, shop.handshakes) > 50
    assert setup_host.flaws() == []
    assert cluster.differences() == []
    assert cluster.reloads == reloads, "no reload"


def test_two_runs_at_once_end_a_killed_change_of_the_root(cluster: Cluster, setup_host: SetupHost) -> None:
    root, reloads = setup_host.root, cluster.reloads
    old, gone = root.certificate.read_bytes(), {leaf.name: leaf.serial for leaf in setup_host.leaves}
    with probing(BUNDLE, SHOP, node=cluster.nodes[2]) as on_node:
        moved_aside = written(setup_host, f"roots/{ROOT}/certs/{ROOT}-*Z.crt", 1)
        with Run(haproxy_pki_regen_ca=ROOT) as run:
            run.kill_at(REPLACE, moved_aside)
        assert setup_host.open_secrets() == []

        both = [Run("--skip-tags=report", shop_ttl="5h", more_certificates=MORE, more_ttl="5h") for _time in range(2)]
        said = [run.end() for run in both]
    assert [one.code for one in said] == [0, 0], "\n".join(one.output for one in said)
    assert on_node.failures == [] and on_node.handshakes > 50
    assert root.certificate.read_bytes() != old
    assert setup_host.flaws() == []
    # Whoever came second found everything done: nobody has seen a third certificate.
    assert on_node.order == [gone["shop"], setup_host.leaf("shop").serial]
    assert {leaf.name for leaf in setup_host.leaves if leaf.serial != gone[leaf.name]} == {
        "shop",
        *(f"more{number}" for number in range(MORE)),
    }
    assert cluster.differences() == []
    assert cluster.reloads == reloads, "no reload"
