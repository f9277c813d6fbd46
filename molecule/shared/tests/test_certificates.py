# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate that the user brings: a bad one changes nothing anywhere, a good one comes without a reload."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import re
import subprocess
import typing as t

import pytest
import testinfra
from bench import MOLECULE, Bench, ansible_playbook, brackets, changes, scenario
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What differs in HAProxy 3.0 is in the tests of the modules.
pytestmark = pytest.mark.skipif(scenario().name != "default", reason="one release of Debian is enough")

PLAYBOOKS = MOLECULE.parent / "playbooks"


class Company:
    """The CA of a company, and what it gives its operators."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.root, self.lower, self.stranger = (ec.generate_private_key(ec.SECP256R1()) for _each in range(3))
        self.intermediate = self._certificate("lower", self.lower, "root", self.root, 30, None)
        self.foreign = self._certificate("stranger", self.stranger, "stranger", self.stranger, 30, None)

    def order(
        self, name: str, *names: str, days: int = 30, is_whole: bool = True, own_key: bool = True
    ) -> dict[str, str]:
        """The files of a certificate, as the role takes them: with a chain that is whole or not, and its key or not."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        leaf = self._certificate(name, key, "lower", self.lower, days, alternatives)
        files = {kind: str(self.directory / f"{name}.{kind}") for kind in ("cert", "key", "ca_cert")}
        pathlib.Path(files["cert"]).write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        chain = self.intermediate if is_whole else self.foreign
        pathlib.Path(files["ca_cert"]).write_bytes(chain.public_bytes(serialization.Encoding.PEM))
        pathlib.Path(files["key"]).write_bytes(
            (key if own_key else self.stranger).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    @staticmethod
    def _certificate(
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
        days: int,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        subject, signer = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]) for common_name in (name, issuer)
        )
        builder = (
            x509.CertificateBuilder(signer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=alternatives is None, path_length=None), critical=True)
        )
        if alternatives:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())


@dataclasses.dataclass(frozen=True)
class Seen:
    """What runs and is served on all nodes."""

    files: list[str]
    workers: list[str]
    serials: list[str]


def look(bench: Bench) -> Seen:
    # The statistics page is at each node's own address, with the internal VIP's certificate; the other VIPs are at one.
    addresses = [f"{node.address}:1936" for node in bench.balancers] + [f"{brackets(vip)}:443" for vip in bench.vips]
    command = "openssl s_client -connect %s -servername %s </dev/null | openssl x509 -noout -serial"
    local = testinfra.get_host("local://")
    listing = "readlink /etc/haproxy/current; find /etc/haproxy -type f -print0 | sort -z | xargs -0 sha256sum"
    return Seen(
        files=[node.run(listing) for node in bench.balancers],
        workers=[
            re.findall(r"^Pid: .*", node.run("echo show info | nc -N -U /run/haproxy/admin.sock"), re.MULTILINE)[0]
            for node in bench.balancers
        ],
        serials=[local.check_output(command, address, bench.domain).strip() for address in addresses],
    )


def settings(**values: t.Any) -> str:
    return f"--extra-vars={json.dumps(values)}"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


def test_bad_certificates_are_refused_before_anything_changes(bench: Bench, company: Company) -> None:
    """All at once, in the words of an error each; tests/unit has each alone."""
    elsewhere = company.order("elsewhere", "www.elsewhere.test")
    brought = {
        "mismatch": (company.order("mismatch", bench.domain, own_key=False), "is not the key of"),
        "late": (company.order("late", bench.domain, days=-1), "expired on"),
        "broken": (company.order("broken", bench.domain, is_whole=False), "the chain in"),
    }
    before = look(bench)
    result = ansible_playbook(
        PLAYBOOKS / "haproxy-install.yml",
        settings(
            **{f"haproxy_user_ssl_{kind}": path for kind, path in elsewhere.items()},
            haproxy_user_certificates=[{"name": name, **files} for name, (files, _why) in brought.items()],
        ),
    )
    assert result.returncode != 0
    said = " ".join((result.stdout + result.stderr).replace("\\n", " ").split())
    errors = re.split(r"user_certificates\[\d+\]\.\w+: ", said)
    for files, why in (*brought.values(), (elsewhere, f"clients ask for {bench.domain}")):
        (error, *_again) = [error for error in errors if files["cert"] in error and why in error] or [said]
        assert why in error and files["key"] in error and re.search(r"\b([Uu]se|save|add)\b", error), error
    assert set(changes(result.stdout).values()) == {0}, result.stdout
    assert "PRIVATE KEY" not in said
    assert look(bench) == before


def test_a_good_certificate_comes_without_a_reload_and_goes_so(bench: Bench, company: Company) -> None:
    good = company.order("good", bench.domain)
    serial = subprocess.run(
        ["openssl", "x509", "-noout", "-serial", "-in", good["cert"]], check=True, capture_output=True, text=True
    ).stdout.strip()
    before = look(bench)
    for values, serials in (
        ({f"haproxy_user_ssl_{kind}": path for kind, path in good.items()}, {serial}),
        ({}, set(before.serials)),
    ):
        result = ansible_playbook(PLAYBOOKS / "haproxy_certificates.yml", "--skip-tags=report", settings(**values))
        assert result.returncode == 0, result.stdout + result.stderr
        after = look(bench)
        assert set(after.serials) == serials
        assert after.workers == before.workers
    assert after.serials == before.serials
