# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New keys of authorities while clients come all the time."""

from __future__ import annotations

import pathlib
import shutil

from cluster import BUNDLE, INTERMEDIATE, ROOT, SHOP, SITE, Cluster, SetupHost, openssl, play, probing


def test_a_new_root_is_trusted_together_with_the_old_one(
    cluster: Cluster, setup_host: SetupHost, tmp_path: pathlib.Path
) -> None:
    leaf, reloads = setup_host.leaf("shop"), cluster.reloads
    old_root, old_chain = tmp_path / "root.crt", tmp_path / "chain.crt"
    shutil.copyfile(setup_host.root.certificate, old_root)
    shutil.copyfile(leaf.chain, old_chain)
    first, *_others, third = cluster.nodes

    with (
        probing(old_root) as stranger,
        probing(BUNDLE, SHOP, node=third) as on_standby,
        probing(BUNDLE, SITE, "RSA", node=first) as on_holder,
    ):
        said = play(haproxy_pki_regen_ca=ROOT)
        assert said.code == 0, said.output
    assert on_standby.failures == on_holder.failures == []
    assert min(on_standby.handshakes, on_holder.handshakes) > 20

    # Whoever has been told of nothing but the old root is lost with the last step, and not before.
    assert stranger.handshakes > 20
    assert {"CERTIFICATE_VERIFY_FAILED" in why for _time, why in stranger.failures} == {True}

    # Below the new root everything is signed again, and its clients are served by all nodes.
    assert setup_host.root.certificate.read_bytes() != old_root.read_bytes()
    assert setup_host.flaws() == []
    assert setup_host.verify(leaf, "sslserver", old_root) != ""
    assert cluster.shown(SHOP) == [leaf.serial] * 3
    assert cluster.differences() == []
    assert cluster.reloads == reloads, "no reload"

    # A node trusts what was signed before, and what is signed now.
    trusted = tmp_path / "bundle.crt"
    for node in cluster.nodes:
        trusted.write_text(node.run(f"cat {BUNDLE}"))
        for chain in (old_chain, leaf.chain):
            assert openssl("verify", "-x509_strict", "-CAfile", trusted, "-untrusted", chain, chain).returncode == 0
    assert play().changed == 0

    # The operator ends it by removing the old root.
    (retired,) = setup_host.root.certificate.parent.glob(f"{ROOT}-[0-9]*T[0-9]*Z.crt")
    assert retired.read_bytes() == old_root.read_bytes()
    retired.unlink()


def test_a_new_intermediate_is_nothing_to_who_knows_the_root(cluster: Cluster, setup_host: SetupHost) -> None:
    leaf, reloads = setup_host.leaf("shop"), cluster.reloads
    before = leaf.serial
    root = setup_host.root.certificate.read_bytes()
    with (
        probing(setup_host.root.certificate, SHOP) as shop,
        probing(setup_host.root.certificate, SITE, "RSA") as site,
    ):
        said = play(haproxy_pki_regen_ca=INTERMEDIATE)
        assert said.code == 0, said.output
    assert shop.failures == site.failures == []
    assert setup_host.root.certificate.read_bytes() == root
    assert shop.order == [before, leaf.serial] and before != leaf.serial
    assert setup_host.flaws() == []
    assert cluster.shown(SHOP) == [leaf.serial] * 3
    assert cluster.differences() == []
    assert cluster.reloads == reloads, "no reload"
    # The old root went with the file that the operator removed.
    for node in cluster.nodes:
        assert node.run("ls /usr/local/share/ca-certificates").split() == [f"{ROOT}.crt"]
