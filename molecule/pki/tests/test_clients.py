# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come to a service for clients with certificates, and who may not any more."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from cluster import Balancer, Cluster, Issued, SetupHost, hexadecimal, openssl, play


def signed(directory: pathlib.Path, name: str, authority: Issued) -> Issued:
    """A certificate by openssl, as for a client whose key never comes near the setup host."""
    client = Issued(name, directory)
    for path in (client.key, client.certificate):
        path.parent.mkdir(exist_ok=True)
    request = openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
        *("-keyout", client.key, "-out", directory / "request"),
    )
    certified = openssl(
        *("x509", "-req", "-in", directory / "request", "-CA", authority.certificate, "-CAkey", authority.key),
        *("-days", "1", "-out", client.certificate),
    )
    assert (request.returncode, certified.returncode) == (0, 0), request.stderr + certified.stderr
    return client


def answer(node: Balancer, root: Issued, client: Issued | None = None) -> str:
    """What a node says to a client; nothing if it refuses the client's certificate."""
    shown = ["--cert", client.certificate, "--key", client.key] if client else []
    asked = ["curl", "--silent", "--max-time", "10", "--cacert", root.certificate, f"https://{node.address}:8443/"]
    done = subprocess.run([*asked, *shown], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 35, 55, 56), done  # fine, or an alert in the handshake or, with TLS 1.3, after it
    return done.stdout.strip()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("clients")


def test_clients_need_a_certificate_that_counts(
    cluster: Cluster, setup_host: SetupHost, directory: pathlib.Path
) -> None:
    root = setup_host.root
    good, lost = (signed(directory, name, setup_host.clients) for name in ("good", "lost"))
    stranger = signed(directory, "stranger", setup_host.intermediate)

    def answers() -> list[list[str]]:
        return [[answer(node, root, client) for client in (None, good, lost, stranger)] for node in cluster.nodes]

    assert answers() == [["", "good", "lost", ""]] * 3
    serial = hexadecimal(openssl("x509", "-noout", "-serial", "-in", lost.certificate).stdout)
    said = play(clients_revoked=[{"serial": serial, "reason": "keyCompromise"}])
    assert said.code == 0, said.output
    assert answers() == [["", "good", "", ""]] * 3
    assert f"Clients.crl.pem on {', '.join(node.name for node in cluster.nodes)}" in play("--tags=report").output
    said = play()
    assert said.code == 0, said.output
    assert answers() == [["", "good", "lost", ""]] * 3
