# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are lost or damaged: the next run heals what it can, and refuses what only a person can put right."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest
from cluster import SHOP, VIP, Authority, Cluster, SetupHost, openssl, play, probing


def truncate(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_next_run_heals_and_serves(cluster: Cluster, setup_host: SetupHost) -> None:
    before = {leaf.name: leaf.serial for leaf in setup_host.leaves}
    key = openssl("pkey", "-pubout", "-in", setup_host.intermediate.key).stdout
    reloads = cluster.reloads
    leaf = setup_host.leaf

    leaf("shop").certificate.unlink()
    leaf("ed25519").key.unlink()
    truncate(leaf("names").certificate)
    truncate(leaf("client").key)
    truncate(leaf("p384").chain)
    leaf("p384").key.chmod(0o644)
    shutil.copyfile(leaf("p384").key, leaf("rsa4096").key)
    setup_host.intermediate.certificate.unlink()
    hurt = {"shop", "ed25519", "names", "client", "rsa4096"}
    assert {flaw.split(":")[0] for flaw in setup_host.flaws() if ":" in flaw} == {*hurt, "p384"}

    lost, truncated, swapped = cluster.nodes
    lost.run(f"rm {lost.pem(f'haproxy_lb1-{VIP}')}")
    truncated.run(f"truncate --size=700 {truncated.pem(f'haproxy_lb2-{VIP}')}")
    swapped.run(f"cp {swapped.pem('shop')} {swapped.pem(f'haproxy_lb3-{VIP}')}")
    swapped.run(f"chmod 0644 {swapped.pem(f'haproxy_lb3-{VIP}-rsa')}")

    with probing(setup_host.root.certificate) as seen:
        said = play()
        assert said.code == 0, said.output
    assert seen.failures == [] and seen.handshakes > 20
    assert setup_host.flaws() == []
    assert {name for name, serial in before.items() if leaf(name).serial != serial} == hurt
    assert openssl("pkey", "-pubout", "-in", setup_host.intermediate.key).stdout == key
    assert cluster.differences() == []
    assert [node.run("find /etc/haproxy/ssl -type f -not -perm 0600") for node in cluster.nodes] == [""] * 3
    assert cluster.reloads == reloads, "no reload"
    assert play().changed == 0


Fault = t.Callable[[Authority], object]


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [
        ("root", lambda authority: authority.key.unlink(), "is missing"),
        (
            "intermediate",
            lambda authority: openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", authority.key),
            "is not the key of the certificate beside it",
        ),
    ],
    ids=["root's lost", "intermediate's foreign"],
)
def test_the_key_of_an_authority_is_never_replaced(
    cluster: Cluster, setup_host: SetupHost, name: str, fault: Fault, words: str
) -> None:
    authority: Authority = getattr(setup_host, name)
    kept, reloads = authority.key.read_bytes(), cluster.reloads
    try:
        fault(authority)
        before = setup_host.contents()
        # Something is due as well: nothing of it may be done by halves.
        said = play(haproxy_pki_regen_cert="true")
        assert said.code != 0
        assert words in said.output and str(authority.key.relative_to(setup_host.directory)) in said.output
        assert f"put it back from your backup, or set regen_ca to {authority.name}" in said.output
        assert setup_host.contents() == before
    finally:
        authority.key.write_bytes(kept)
        authority.key.chmod(0o600)
    assert cluster.shown(SHOP) == [setup_host.leaf("shop").serial] * 3
    assert cluster.reloads == reloads
    assert cluster.differences() == []
