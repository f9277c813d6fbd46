# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as strangers judge them, and what becomes of them when their time is up."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import subprocess
import time
import typing as t

import pytest
from cluster import FLEETING, SHOP, SITE, VIP, Cluster, Run, SetupHost, openssl, play, probing
from pkilint.bin import lint_crl, lint_pkix_cert

# What testssl finds fault with, and why it is none.
EXCUSED = {
    "cert_revocation": "a private authority has no server to ask; whom it revokes is in a file",
    "DNS_CAArecord": "no public authority may sign for these names at all",
    "cipher_order": "Mozilla's intermediate profile lets clients choose: all that is offered is good",
    "HSTS": "the site's matter",
    "security_headers": "the site's matter",
}


class Scan(t.NamedTuple):
    """testssl at work, and where it writes what it found."""

    process: subprocess.Popen[str]
    report: pathlib.Path


@pytest.fixture(scope="module", autouse=True)
def scan(setup_host: SetupHost, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Scan]:
    """Run testssl beside the tests of this file; the site's own certificate is not among those that expire here."""
    report = tmp_path_factory.mktemp("testssl") / "report.json"
    sections = ["-p", "-s", "-f", "-P", "-S", "-h", "-U"]
    command = ["testssl", "--quiet", "--warnings", "off", "--color", "0", *sections, "--jsonfile", str(report)]
    command += ["--add-ca", str(setup_host.root.certificate), "--ip", VIP, f"https://{SITE}/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield Scan(process, report)
        process.kill()


def test_openssl_verifies_every_chain(setup_host: SetupHost) -> None:
    leaves = setup_host.leaves
    kinds = {leaf.name: openssl("x509", "-noout", "-text", "-in", leaf.certificate).stdout for leaf in leaves}
    algorithms = {
        word for text in kinds.values() for word in ("id-ecPublicKey", "rsaEncryption", "ED25519") if word in text
    }
    assert algorithms == {"id-ecPublicKey", "rsaEncryption", "ED25519"}
    assert len(leaves) >= 25
    assert setup_host.flaws() == []
    for leaf in leaves:
        purposes = {"client": ["sslclient"], "names": ["sslserver", "sslclient"]}.get(leaf.name, ["sslserver"])
        assert [setup_host.verify(leaf, purpose) for purpose in purposes] == [""] * len(purposes)
    assert "unsuitable certificate purpose" in setup_host.verify(setup_host.leaf("client"), "sslserver")


def linted(linter: t.Any, *arguments: object) -> str:
    """What pkilint has to say of ERROR and FATAL."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        linter.main(["lint", "--severity", "ERROR", *map(str, arguments)])
    return said.getvalue().strip()


def test_pkilint_finds_no_error(setup_host: SetupHost) -> None:
    authorities = [setup_host.root, setup_host.intermediate]
    found = {
        path: linted(lint_pkix_cert, path) for path in (each.certificate for each in [*authorities, *setup_host.leaves])
    }
    found |= {each.crl: linted(lint_crl, "--type", "CRL", "--profile", "PKIX", each.crl) for each in authorities}
    assert {path.name: said for path, said in found.items() if said} == {}


def test_pkilint_can_find_an_error(tmp_path: pathlib.Path) -> None:
    """In a certificate that openssl makes, for a name that is none."""
    path, key = tmp_path / "bad.crt", tmp_path / "bad.key"
    request = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        key,
        "-out",
        path,
    ]
    assert openssl("req", *request, "-subj", "/CN=x", "-addext", "subjectAltName=DNS:not a name").returncode == 0
    assert "ERROR" in linted(lint_pkix_cert, path)


def test_openssl_verifies_the_revocation_lists(setup_host: SetupHost) -> None:
    for authority, foreign in ((setup_host.root, setup_host.intermediate), (setup_host.intermediate, setup_host.root)):
        crl = ["crl", "-noout", "-in", authority.crl, "-CAfile"]
        assert "verify OK" in openssl(*crl, authority.certificate).stderr
        assert "verify OK" not in openssl(*crl, foreign.certificate).stderr
    assert "5F1E0C2D" in openssl("crl", "-noout", "-text", "-in", setup_host.intermediate.crl).stdout
    assert "No Revoked Certificates" in openssl("crl", "-noout", "-text", "-in", setup_host.root.crl).stdout


def test_what_is_due_is_renewed_and_what_is_forgotten_expires(cluster: Cluster, setup_host: SetupHost) -> None:
    shop, fleeting = setup_host.leaf("shop"), setup_host.leaf("fleeting")
    # The report before: it is valid, but for less than the usual two weeks.
    in_time, usual = (Run("--tags=report", haproxy_certificates_days=days) for days in (0, 14))
    said = in_time.end()
    assert said.code == 0, said.output
    said = usual.end()
    assert said.code != 0
    assert "fleeting.pem" in failure(said.output) and "haproxy_lb1" not in failure(said.output)

    assert play(shop_ttl="3m", fleeting_ttl="30s").code == 0
    issued, forgotten, reloads = cluster.shown(SHOP), fleeting.serial, cluster.reloads
    assert issued == [shop.serial] * 3
    assert [node.loaded("fleeting") for node in cluster.nodes] == [forgotten] * 3
    with (
        probing(setup_host.root.certificate, SHOP) as shop_seen,
        probing(setup_host.root.certificate, SITE, "RSA") as site_seen,
    ):
        time.sleep(max(0.0, fleeting.seconds_left + 1))
        for node in cluster.nodes:
            with pytest.raises(AssertionError, match="certificate has expired"):
                node.shown(FLEETING, setup_host.root.certificate)
        said = play("--tags=report")
        assert said.code != 0
        assert "EXPIRED" in failure(said.output)
        assert "fleeting.pem" in failure(said.output) and "shop.pem" not in failure(said.output)

        # Half a minute old, and due by what the operator asks for.
        assert 60 < shop.seconds_left < 150
        said = play("--skip-tags=report", "--diff", shop_ttl="3m", fleeting_ttl="3m", pki_renew_before="150s")
        assert said.code == 0, said.output
        assert "due for renewal" in said.output and "expired on" in said.output
        renewed = cluster.shown(SHOP)
        assert renewed == [shop.serial] * 3 and shop.serial not in issued
        assert cluster.shown(FLEETING) == [fleeting.serial] * 3 and fleeting.serial != forgotten

        said = play(shop_ttl="3m", fleeting_ttl="3m")
        assert (said.code, said.changed) == (0, 0), said.output
    assert shop_seen.failures == [] and shop_seen.order == [issued[0], renewed[0]]
    assert site_seen.failures == [] and len(site_seen.order) == 1
    assert min(shop_seen.handshakes, site_seen.handshakes) > 100
    assert cluster.reloads == reloads, "no reload"
    assert cluster.differences() == []


def failure(output: str) -> str:
    """What a play failed with, and not what it said before."""
    return output.partition("TASK [Fail if a certificate expires soon")[2]


def test_testssl_finds_no_fault(scan: Scan) -> None:
    scan.process.communicate(timeout=240)
    findings = json.loads(scan.report.read_text())
    assert {"TLS1_2", "TLS1_3", "heartbleed", "ROBOT"} <= {finding["id"] for finding in findings}
    assert {finding["severity"] for finding in findings if finding["id"].startswith("cert_chain_of_trust")} == {"OK"}
    # OK, INFO and WARN (what it could not look into here) are no faults.
    faults = [finding for finding in findings if finding["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    assert [finding for finding in faults if finding["id"].split()[0] not in EXCUSED] == []
